"""The stock pipeline's XGBoost trainer, in the style of tfx-addons: record_batch_factory, DMatrix, xgb.train."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import tensorflow_transform as tft
import xgboost as xgb
from tfx_bsl.tfxio import dataset_options

from benchmarks.speed.same_models import column_types, xgboost_parameters
from models.families.xgboost.hyperparameters import Hyperparameters
from models.features import FeatureSet

if TYPE_CHECKING:
    from tfx.v1.components import DataAccessor, FnArgs

_BATCH_ROWS = 1000


def run_fn(fn_args: FnArgs) -> None:
    """TFX's Trainer calls this. `custom_config` holds `features`, `label` and `hyperparameters`."""
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = Hyperparameters(**config["hyperparameters"])
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    training, evaluation = (
        _input_fn(files, fn_args.data_accessor, transform_output, features, label)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    booster = xgb.train(
        xgboost_parameters(settings), training, settings.max_rounds, evals=[(evaluation, "eval")], verbose_eval=False
    )
    os.makedirs(fn_args.serving_model_dir, exist_ok=True)
    booster.save_model(os.path.join(fn_args.serving_model_dir, "model.json"))


def _input_fn(
    file_pattern: list[str],
    data_accessor: DataAccessor,
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    label: str,
) -> xgb.DMatrix:
    """All transformed examples of a split."""
    rows, labels = [], []
    options = dataset_options.RecordBatchesOptions(batch_size=_BATCH_ROWS, num_epochs=1)
    schema = transform_output.transformed_metadata.schema
    for batch in data_accessor.record_batch_factory(file_pattern, options, schema):
        columns = {name: column.flatten() for name, column in zip(batch.schema.names, batch.columns, strict=True)}
        rows.append(np.stack([columns[name] for name in features.names], axis=-1))
        labels.append(columns[label])
    return xgb.DMatrix(
        np.concatenate(rows),
        label=np.concatenate(labels),
        feature_names=list(features.names),
        feature_types=column_types(features),
        enable_categorical=True,
    )
