"""Stock TFX on the same rows: TFX's components with their own executors, connected as in our pipeline."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.runs import SETTINGS
from models.config import load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.gate import Bound
from pipeline.settings.run import RunSettings
from runners.console import console
from runners.local_home import LocalHome


def stock_pipeline(folder: DatasetFolder, data: Path, home: LocalHome, *, transform_statistics: bool = True) -> Any:
    """Builds the pipeline with TFX's defaults; it shares splits, hyperparameters, EvalConfig and runner with ours.

    Args:
        folder: the benchmark's data set.
        data: its Parquet file.
        home: the folder for all output.
        transform_statistics: whether Transform also computes statistics. TFX does so by default; our pipeline does not.
    """
    from tfx import v1 as tfx
    from tfx.orchestration import pipeline as tfx_pipeline

    from benchmarks.speed.bigquery_shim import bigquery_example_gen_shim
    from pipeline.evaluation.eval_config import eval_config

    dataset, features = folder.dataset, folder.features
    label, training = dataset.columns.label, dataset.training
    examples = bigquery_example_gen_shim(str(data.parent.resolve()), data.name)
    statistics = tfx.components.StatisticsGen(examples=examples.outputs["examples"])
    schema = tfx.components.SchemaGen(statistics=statistics.outputs["statistics"])
    validator = tfx.components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    transform = tfx.components.Transform(
        examples=examples.outputs["examples"],
        schema=schema.outputs["schema"],
        preprocessing_fn="preprocessing.preprocessing_fn",
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        disable_statistics=not transform_statistics,
        custom_config={"features": features.to_config(), "label": label, "quantiles": training.quantiles},
    )

    def trainer(run_fn: str, hyperparameters: Any, train_steps: int, eval_steps: int) -> Any:
        return tfx.components.Trainer(
            run_fn=run_fn,
            examples=transform.outputs["transformed_examples"],
            transform_graph=transform.outputs["transform_graph"],
            schema=schema.outputs["schema"],
            train_args=tfx.proto.TrainArgs(splits=["train"], num_steps=train_steps),
            eval_args=tfx.proto.EvalArgs(splits=["eval"], num_steps=eval_steps),
            custom_config={
                "features": features.to_config(),
                "label": label,
                "hyperparameters": hyperparameters.model_dump(mode="json"),
            },
        )

    steps = training.keras.max_steps
    eval_share = dataset.split.eval_percent / (100 - dataset.split.eval_percent - (dataset.split.test_percent or 0))
    keras_trainer = trainer(
        "benchmarks.speed.stock_keras.run_fn", training.keras, steps, max(1, int(steps * eval_share))
    ).with_id("TrainKeras")
    xgboost_trainer = trainer(
        "benchmarks.speed.stock_xgboost.run_fn", training.xgboost, training.xgboost.max_rounds, 1
    ).with_id("TrainXGBoost")
    evaluator = tfx.components.Evaluator(
        examples=examples.outputs["examples"],
        example_splits=["test"],
        model=keras_trainer.outputs["model"],
        eval_config=_with_bounds(
            eval_config(dataset, features, signature="serving_default"), dataset.evaluation.bounds
        ),
    )
    pusher = tfx.components.Pusher(
        model=keras_trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=home.serving)
        ),
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=f"stock-{folder.name}",
        pipeline_root=home.artifacts,
        components=[
            *(examples, statistics, schema, validator, transform),
            *(keras_trainer, xgboost_trainer, evaluator, pusher),
        ],
        enable_cache=False,
        # Like our pipeline: Beam's runner in this process. Its name differs by release.
        beam_pipeline_args=list(load_settings(SETTINGS, RunSettings).beam_args),
        metadata_connection_config=home.connection(),
    )


def _with_bounds(config: Any, bounds: Mapping[str, Bound]) -> Any:
    """The EvalConfig with the bounds as TFMA's thresholds: without any, TFX's Evaluator blesses no model."""
    import tensorflow_model_analysis as tfma

    for metric in config.metrics_specs[0].metrics:
        bound = bounds.get(json.loads(metric.config)["name"])
        if bound is not None and bound.lower is not None:
            metric.threshold.value_threshold.CopyFrom(tfma.GenericValueThreshold(lower_bound={"value": bound.lower}))
    return config


def main(arguments: list[str]) -> int:
    """Runs it; returns 0, or 1 if a component failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--data", type=Path, required=True, help="the Parquet file")
    parser.add_argument("--output", type=Path, required=True, help="the folder for all output")
    parser.add_argument("--no-transform-statistics", action="store_true", help="like our pipeline")
    args = parser.parse_args(arguments)
    folder = DatasetFolder.load(args.folder)
    home = LocalHome(args.output, folder.name)
    home.check_writable()
    with console(home.new_log(), verbose=False) as terminal:
        from benchmarks.speed.nodes import measure_components
        from runners.reporting_runner import run_reporting

        measure_components()
        pipeline = stock_pipeline(folder, args.data, home, transform_statistics=not args.no_transform_statistics)
        failure = run_reporting(pipeline, terminal)
        if failure:
            terminal.line(f"FAILED in {failure}")
        return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
