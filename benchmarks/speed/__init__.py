"""How fast the pipeline is: next to stock TFX, and next to the same two models trained from arrays in memory.

    python -m benchmarks.speed --rows 200000

It runs three programs, each in a new process: `stock` (TFX's components with their own executors), `ours` (this
pipeline, as `make run` starts it) and `floor` (no pipeline). `runs` starts and checks them; `results` compares them.
"""
