import json
import logging

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline.champion import training_record
from pipeline.champion.comparability import IncomparableChampionError
from pipeline.components import data_gate
from pipeline.data_gate.anomalies import DataGateError, add_empty, load, save
from pipeline.raw_schema import raw_schema

FEATURES = FeatureSet.from_config(
    [
        {"name": "visits", "kind": "numeric"},
        {"name": "source", "kind": "categorical"},
        {"name": "needed", "kind": "numeric", "missing": "refuse"},
    ]
)
SETTINGS = {"severity": "error", "max_drift": 0.2, "max_skew": 0.2}
REPORT = {
    "test_split": {"by": "date"},
    "trained_through": "2025-01-31",
    "dates": [{"split": "train", "date": "2025-01-20"}, {"split": "test", "date": "2025-02-03"}],
}


def statistics(*, shift=0.0, outlier=None, source=("a", "b"), needed=True, seed=0, **changed):
    rng = np.random.default_rng(seed)
    visits = (rng.normal(size=2000) + shift).astype(np.float32)
    frame = pd.DataFrame(
        {
            "visits": visits if outlier is None else np.append(visits[1:], np.float32(outlier)),
            "source": rng.choice(source, 2000),
            "y": rng.integers(0, 2, 2000),
        }
    )
    if needed:
        frame["needed"] = np.float32(1)
    for name, change in changed.items():
        frame[name] = change(frame[name])
    return tfdv.generate_statistics_from_dataframe(frame)


@pytest.fixture
def gate(tmp_path):
    """Runs the executor; `champion` holds the statistics that the champion was trained on."""

    def run(train, test, champion=None, trained_through="2025-01-24", accept=0, **settings):
        schema = standard_artifacts.Schema()
        schema.uri = str(tmp_path / "schema")
        (tmp_path / "schema").mkdir()
        tfdv.write_schema_text(raw_schema(FEATURES, "y"), f"{schema.uri}/schema.pbtxt")
        stats, anomalies, drift = (
            standard_artifacts.ExampleStatistics(),
            standard_artifacts.ExampleAnomalies(),
            standard_artifacts.ExampleAnomalies(),
        )
        for artifact, name in ((stats, "statistics"), (anomalies, "anomalies"), (drift, "drift")):
            artifact.uri = str(tmp_path / name)
            artifact.split_names = artifact_utils.encode_split_names(["train", "test"])
        splits = {"train": train, "test": test}
        for split, given in splits.items():
            folder = tmp_path / "statistics" / f"Split-{split}"
            folder.mkdir(parents=True)
            (folder / "FeatureStats.pb").write_bytes(given.SerializeToString())
        found = {name: tfdv.validate_statistics(of, raw_schema(FEATURES, "y")) for name, of in splits.items()}
        save(anomalies, found)
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path)
        (tmp_path / "data_report.json").write_text(json.dumps(REPORT))
        inputs = {"examples": [examples], "statistics": [stats], "schema": [schema], "anomalies": [anomalies]}
        if champion is not None:
            model = standard_artifacts.Model()
            model.uri = str(tmp_path / "model")
            report = {**REPORT, "trained_through": trained_through}
            known = {feature.path.step[0] for feature in champion.datasets[0].features}
            learnt = schema_pb2.Schema(feature=[f for f in raw_schema(FEATURES, "y").feature if f.name in known])
            (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
            training_record.write(model.uri, statistics=champion, schema=learnt, summary=report)
            inputs["champion"] = [model]
        properties = {
            "settings": json.dumps({**SETTINGS, **settings}),
            "accept_incompatible_champion": accept,
        }
        data_gate.Executor().Do(inputs, {"drift": [drift]}, properties)
        return drift

    return run


def test_good_data_pass_and_leave_no_drift_on_a_first_run(gate):
    drift = gate(statistics(), statistics(seed=1))
    assert artifact_utils.decode_split_names(drift.split_names) == []


def test_a_missing_column_stops_the_run_and_is_named(gate):
    with pytest.raises(DataGateError, match="split train: feature 'needed': Column is completely missing"):
        gate(statistics(needed=False), statistics())


def test_severity_none_only_warns(gate, caplog):
    with caplog.at_level(logging.WARNING, "propensity"):
        gate(statistics(needed=False), statistics(), severity="none")
    assert "feature 'needed'" in caplog.text


def test_data_like_the_champions_pass(gate):
    drift = gate(statistics(), statistics(seed=1), champion=statistics(seed=2))
    assert artifact_utils.decode_split_names(drift.split_names) == ["train", "test"]
    assert not load(drift, "train").anomaly_info
    assert isinstance(load(drift, "test"), anomalies_pb2.Anomalies)


def test_drift_of_a_number_against_the_champions_training_data_stops_the_run(gate):
    with pytest.raises(DataGateError) as error:
        gate(statistics(shift=3), statistics(), champion=statistics(seed=2))
    assert "split train, against the champion: feature 'visits'" in str(error.value)
    assert "Jensen-Shannon" in str(error.value)
    assert "split test" not in str(error.value)


def test_skew_of_a_category_against_the_champions_training_data_stops_the_run(gate):
    with pytest.raises(DataGateError) as error:
        gate(statistics(), statistics(source=("c", "d")), champion=statistics(seed=2))
    assert "split test, against the champion: feature 'source'" in str(error.value)
    assert "split train" not in str(error.value)


def test_one_outlier_is_no_drift(gate):
    gate(statistics(outlier=500), statistics(seed=1, outlier=-80), champion=statistics(seed=2))


def test_a_feature_that_the_champion_does_not_know_is_not_compared(gate):
    drift = gate(statistics(), statistics(seed=1), champion=statistics(seed=2, needed=False))
    assert not load(drift, "train").anomaly_info
    assert not load(drift, "test").anomaly_info


def test_the_others_still_are(gate):
    with pytest.raises(DataGateError, match="feature 'visits'"):
        gate(statistics(shift=3), statistics(seed=1), champion=statistics(seed=2, needed=False))


def test_bounds_decide(gate):
    gate(statistics(shift=0.5), statistics(), champion=statistics(seed=2), max_drift=0.9)


def test_a_champion_that_cannot_be_compared_stops_the_run(gate):
    with pytest.raises(IncomparableChampionError, match="it was trained through 2025-02-03"):
        gate(statistics(), statistics(seed=1), champion=statistics(seed=2), trained_through="2025-02-03")


def test_where_that_is_accepted_there_is_no_drift_and_a_warning(gate, caplog):
    with caplog.at_level(logging.WARNING, "propensity"):
        drift = gate(
            statistics(),
            statistics(seed=1),
            champion=statistics(shift=3),
            trained_through="2025-02-03",
            accept=1,
        )
    assert artifact_utils.decode_split_names(drift.split_names) == []
    assert "it was trained through 2025-02-03" in caplog.text


def rarely(column):
    return np.where(np.arange(len(column)) % 10 == 0, 1 + np.arange(len(column)) % 3, 0).astype(np.float32)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (lambda column: column * 0, "0 in 100.0% of the values, but in 90.0%"),
        (lambda column: rarely(column) * 2, "the mean of the values that are not 0 is 4, but 1.995 in those"),
        (lambda column: np.where(np.arange(len(column)) % 5 == 0, rarely(column), np.nan), "missing in 80.0%"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_sparse_feature_that_broke_stops_the_run(gate, broken, text, split):
    good, bad = statistics(seed=1, visits=rarely), statistics(seed=1, visits=broken)
    splits = {"train": (bad, good), "test": (good, bad)}[split]
    with pytest.raises(DataGateError) as error:
        gate(*splits, champion=statistics(seed=2, visits=rarely))
    assert f"split {split}, against the champion: feature 'visits': " in str(error.value)
    assert text[:20] in str(error.value)


def test_a_bound_of_1_switches_a_comparison_off(gate):
    off = {"max_drift": 1, "max_skew": 1}
    gate(statistics(visits=lambda column: column * 0), statistics(shift=3), champion=statistics(seed=2), **off)


def test_an_empty_feature_is_named_with_the_way_out(gate):
    empty = statistics(source=[None])
    with pytest.raises(DataGateError) as error:
        gate(empty, statistics(seed=1))
    assert "split train: feature 'source': " in str(error.value)
    way_out = "to go on without it, add to dataset.yaml: features: {leave_out: [source]}"
    assert f"1 feature has no value in any training row; {way_out}" in str(error.value)


def test_an_empty_feature_of_an_inferred_schema_is_named_too():
    given = statistics(source=[None], needed=False, visits=lambda column: column * np.nan)
    inferred = tfdv.infer_schema(given)
    found = tfdv.validate_statistics(given, inferred)
    assert add_empty(found, given) == ["source", "visits"]
    assert {name for name, info in found.anomaly_info.items() if info.severity == info.ERROR} == {"source", "visits"}
