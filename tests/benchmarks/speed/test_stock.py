"""The stock pipeline of the benchmark blesses and pushes, like ours."""

from google.protobuf import json_format
from tensorflow_model_analysis.proto import config_pb2

from benchmarks.speed.dataset import write_dataset
from benchmarks.speed.stock import stock_pipeline
from pipeline.settings.dataset_folder import DatasetFolder
from runners.local_home import LocalHome


def test_the_evaluator_has_a_threshold_so_that_it_blesses(tmp_path):
    folder = DatasetFolder.load(write_dataset(tmp_path / "schema", 2000))
    home = LocalHome(tmp_path / "output", folder.name)
    pipeline = stock_pipeline(folder, tmp_path / "table.parquet", home)
    [evaluator] = [component for component in pipeline.components if component.id == "Evaluator"]
    config = json_format.Parse(evaluator.exec_properties["eval_config"], config_pb2.EvalConfig())
    bounded = [metric for metric in config.metrics_specs[0].metrics if metric.HasField("threshold")]
    assert [metric.threshold.value_threshold.lower_bound.value for metric in bounded] == [0.5]
