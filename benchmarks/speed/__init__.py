"""Compares the pipeline's speed with stock TFX, and with the same two models trained from arrays in memory.

    python -m benchmarks.speed --rows 200000

It runs three programs, each in a new process: `stock` (TFX's components with TFX's executors), `ours` (this pipeline,
started like `make run`) and `floor` (no pipeline). `runs` starts and checks them; `results` compares them.
"""
