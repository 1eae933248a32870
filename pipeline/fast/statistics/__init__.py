"""StatisticsGen in process: TFDV's own combiners, fed with Arrow batches of many rows instead of a Beam pipeline.

`step.compute` does a whole StatisticsGen step; `combiners.split_statistics` computes the statistics of some files.
"""
