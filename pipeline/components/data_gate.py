"""DataGate: stops the run on anomalies, or a champion that cannot be compared, before anything is trained.

ExampleValidator never fails a run and ignores the drift and skew comparators of a schema. DataGate reads its anomalies,
adds drift and skew against the statistics of the champion's training data, and raises from a severity on.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_validator import executor as example_validator
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils, component_spec, standard_artifacts

from pipeline.champion import training_record
from pipeline.champion.comparability import comparable_champion
from pipeline.examples.data_summary import read_data_summary
from pipeline.settings.gate import DataGateSettings

_log = logging.getLogger("propensity")
_SEVERITIES = {"warning": anomalies_pb2.AnomalyInfo.WARNING, "error": anomalies_pb2.AnomalyInfo.ERROR}


class DataGateError(RuntimeError):
    """The data is not fit to train on; the message lists split, feature and anomaly."""


class DataGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of DataGate."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        "severity": component_spec.ExecutionParameter(type=str),
        "max_drift": component_spec.ExecutionParameter(type=float),
        "max_skew": component_spec.ExecutionParameter(type=float),
        "accept_incompatible_champion": component_spec.ExecutionParameter(type=int),
        "digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "statistics": component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "champion": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "drift": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }


class Executor(base_executor.BaseExecutor):
    """Collects anomalies and judges them."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises DataGateError if an anomaly has the severity of the settings, or a worse one.

        Args:
            input_dict: raw `examples`, their `statistics` and `schema`, `anomalies` of ExampleValidator, and the
                `champion` Model, if there is one.
            output_dict: `drift`: ExampleAnomalies; split `train` holds the drift, split `test` the skew.
            exec_properties: those of DataGateSpec.

        Raises:
            DataGateError: the data have anomalies.
            IncomparableChampionError: the champion cannot be compared on this run's test rows.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        found = {split: _load(anomalies, split) for split in artifact_utils.decode_split_names(anomalies.split_names)}
        drift = artifact_utils.get_single_instance(output_dict["drift"])
        champion, problems = comparable_champion(
            input_dict.get("champion") or [],
            read_data_summary(artifact_utils.get_single_instance(input_dict["examples"])),
            _schema(input_dict),
            accept=bool(exec_properties["accept_incompatible_champion"]),
        )
        for problem in problems:
            _log.warning("accepted, and not compared with: the champion, for %s", problem)
        compared = _compare(input_dict, champion, exec_properties) if champion else {}
        drift.split_names = artifact_utils.encode_split_names(list(compared))
        for split, comparison in compared.items():
            _save(drift, split, comparison)
        _judge(
            {**found, **{f"{split}, against the champion": value for split, value in compared.items()}},
            exec_properties["severity"],
        )


def _compare(
    input_dict: dict[str, list[types.Artifact]], champion: types.Artifact, exec_properties: dict[str, Any]
) -> dict[str, anomalies_pb2.Anomalies]:
    """Drift of the training split and skew of the test split, each against the champion's training data."""
    statistics = artifact_utils.get_single_instance(input_dict["statistics"])
    schema = _shared_columns(_schema(input_dict), training_record.read_schema(champion.uri))
    learnt = training_record.read_statistics(champion.uri)
    drift = tfdv.validate_statistics(
        stats_artifact_utils.load_statistics(statistics, "train").proto(),
        _with_comparators(schema, drift=exec_properties["max_drift"]),
        previous_statistics=learnt,
    )
    skew = tfdv.validate_statistics(
        learnt,
        _with_comparators(schema, skew=exec_properties["max_skew"]),
        serving_statistics=stats_artifact_utils.load_statistics(statistics, "test").proto(),
    )
    return {"train": _comparisons_only(drift), "test": _comparisons_only(skew)}


def _schema(input_dict: dict[str, list[types.Artifact]]) -> schema_pb2.Schema:
    return tfdv.load_schema_text(os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), "schema.pbtxt"))


def _shared_columns(schema: schema_pb2.Schema, champion: schema_pb2.Schema) -> schema_pb2.Schema:
    """The schema without the columns that the champion does not know: of a new feature there is nothing to compare."""
    known = {feature.name for feature in champion.feature}
    shared = schema_pb2.Schema()
    shared.CopyFrom(schema)  # with the domains that features refer to
    del shared.feature[:]
    shared.feature.extend(feature for feature in schema.feature if feature.name in known)
    return shared


def _with_comparators(
    schema: schema_pb2.Schema, *, drift: float | None = None, skew: float | None = None
) -> schema_pb2.Schema:
    """A copy of the schema that bounds each feature's drift or skew.

    Numbers are compared by their Jensen-Shannon divergence (base 2, between 0 and 1), categories by the largest
    difference of a value's share (L-infinity).
    """
    bounded = schema_pb2.Schema()
    bounded.CopyFrom(schema)
    for feature in bounded.feature:
        for comparator, threshold in ((feature.drift_comparator, drift), (feature.skew_comparator, skew)):
            if threshold is None:
                continue
            if feature.type == schema_pb2.BYTES:
                comparator.infinity_norm.threshold = threshold
            else:
                comparator.jensen_shannon_divergence.threshold = threshold
                # TFDV's bins of equal width would call one outlier, which widens them all, a drift.
                comparator.jensen_shannon_divergence.source.type = schema_pb2.HistogramSelection.QUANTILES
    return bounded


def _comparisons_only(anomalies: anomalies_pb2.Anomalies) -> anomalies_pb2.Anomalies:
    """Keeps the anomalies that compare two data sets; ExampleValidator has found the others already."""
    kept = anomalies_pb2.Anomalies()
    kept.CopyFrom(anomalies)
    kept.ClearField("anomaly_info")
    for name, info in anomalies.anomaly_info.items():
        reasons = [reason for reason in info.reason if "COMPARATOR" in anomalies_pb2.AnomalyInfo.Type.Name(reason.type)]
        if reasons:
            kept.anomaly_info[name].CopyFrom(info)
            del kept.anomaly_info[name].reason[:]
            kept.anomaly_info[name].reason.extend(reasons)
    return kept


def _judge(found: dict[str, anomalies_pb2.Anomalies], severity: str) -> None:
    stopping = []
    for split, anomalies in found.items():
        for feature, info in sorted(anomalies.anomaly_info.items()):
            text = "; ".join(reason.description for reason in info.reason) or info.description
            line = f"split {split}: feature '{feature}': {text}"
            if severity != "none" and info.severity >= _SEVERITIES[severity]:
                stopping.append(line)
            else:
                _log.warning("%s", line)
    if stopping:
        raise DataGateError(
            "the data has anomalies that stop the run:\n  "
            + "\n  ".join(stopping)
            + "\nMend the data, correct the curated schema, or change data_gate in dataset.yaml."
        )


def _path(artifact: types.Artifact, split: str) -> str:
    return os.path.join(artifact_utils.get_split_uri([artifact], split), example_validator.DEFAULT_FILE_NAME)


def _load(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    with fileio.open(_path(artifact, split), "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def _save(artifact: types.Artifact, split: str, anomalies: anomalies_pb2.Anomalies) -> None:
    fileio.makedirs(os.path.dirname(_path(artifact, split)))
    with fileio.open(_path(artifact, split), "wb") as file:
        file.write(anomalies.SerializeToString())


class DataGate(base_component.BaseComponent):
    """Stops the run on anomalies of a severity, or a champion that cannot be compared.

    Outputs:
        drift: ExampleAnomalies of the comparison with the champion's training data; no splits on a first run.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        anomalies: types.BaseChannel,
        champion: types.BaseChannel,
        settings: DataGateSettings,
        accept_incompatible_champion: int | RuntimeParameter,
        digest: str,
    ):
        """Builds the component.

        Args:
            examples: raw Examples of this run.
            statistics: their ExampleStatistics.
            schema: the raw Schema.
            anomalies: ExampleAnomalies of ExampleValidator.
            champion: the latest blessed Model; may resolve to none.
            settings: severity and bounds.
            accept_incompatible_champion: 1 to go on as on a first run if the champion cannot be compared.
            digest: of this component's code.
        """
        super().__init__(
            DataGateSpec(
                examples=examples,
                statistics=statistics,
                schema=schema,
                anomalies=anomalies,
                champion=champion,
                severity=settings.severity,
                max_drift=settings.max_drift,
                max_skew=settings.max_skew,
                accept_incompatible_champion=accept_incompatible_champion,
                digest=digest,
                drift=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
