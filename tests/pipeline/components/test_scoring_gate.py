"""The champion's schema and the data gate of a scoring run, on statistics of small frames."""

import json
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline.champion import training_record
from pipeline.components import champion_schema, scoring_gate
from pipeline.components.champion_schema import ChampionError
from pipeline.data_gate.anomalies import DataGateError, load, save
from pipeline.examples import files
from pipeline.examples.list_columns import to_lists
from pipeline.raw_schema import raw_schema

FEATURES = FeatureSet(features=[{"name": "visits", "kind": "numeric"}, {"name": "source", "kind": "categorical"}])
SUMMARY = {"test_split": {"by": "date"}, "trained_through": "2025-01-24"}


def frame(rows=2000, seed=0, shift=0.0, sources=("a", "b")):
    rng = np.random.default_rng(seed)
    visits = (rng.normal(size=rows) + shift).astype(np.float32)
    return pd.DataFrame({"visits": visits, "source": rng.choice(sources, rows)})


@pytest.fixture
def champion(tmp_path):
    trained = frame()
    trained["y"] = np.arange(len(trained)) % 2
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    statistics = tfdv.generate_statistics_from_dataframe(trained)
    training_record.write(model.uri, statistics=statistics, schema=raw_schema(FEATURES, "y"), summary=SUMMARY)
    return model


def features_json(features=FEATURES):
    return json.dumps(features.model_dump(mode="json"))


def run_schema(champions, folder, features=FEATURES):
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    champion_schema.Executor().Do(
        {"champion": champions}, {"schema": [schema]}, {"label": "y", "features": features_json(features)}
    )
    return schema


def run_gate(champion, folder, rows, **settings):
    schema_artifact = run_schema([champion], folder)
    schema = tfdv.load_schema_text(f"{schema_artifact.uri}/schema.pbtxt")
    statistics, anomalies, drift, examples = (
        standard_artifacts.ExampleStatistics(),
        standard_artifacts.ExampleAnomalies(),
        standard_artifacts.ExampleAnomalies(),
        standard_artifacts.Examples(),
    )
    named = {"statistics": statistics, "anomalies": anomalies, "drift": drift, "examples": examples}
    for name, artifact in named.items():
        artifact.uri = str(folder / name)
        if name != "drift":
            artifact.split_names = artifact_utils.encode_split_names(["score"])
    computed = tfdv.generate_statistics_from_dataframe(rows)
    (folder / "statistics" / "Split-score").mkdir(parents=True)
    (folder / "statistics" / "Split-score" / "FeatureStats.pb").write_bytes(computed.SerializeToString())
    save(anomalies, {"score": tfdv.validate_statistics(computed, schema)})
    columns = {
        name: to_lists(pa.array(values) if values.dtype != object else pa.array(values).cast(pa.large_binary()))
        for name, values in rows.items()
    }
    table = pa.table(columns)
    with files.parquet_writer(str(folder / "examples" / "Split-score" / "data-00000.parquet"), table.schema) as writer:
        writer.write_table(table)
    given = {
        "examples": [examples], "statistics": [statistics], "schema": [schema_artifact], "anomalies": [anomalies],
        "champion": [champion],
    }  # fmt: skip
    scoring_gate.Executor().Do(given, {"drift": [drift]}, {"settings": json.dumps(settings)})
    return drift


def test_the_schema_is_the_champions_without_the_label(champion, tmp_path):
    schema = run_schema([champion], tmp_path)
    loaded = tfdv.load_schema_text(f"{schema.uri}/schema.pbtxt")
    assert [feature.name for feature in loaded.feature] == ["visits", "source"]


def test_a_column_outside_the_serving_environment_is_left_out():
    schema = schema_pb2.Schema()
    for name in ("visits", "later", "y"):
        schema.feature.add(name=name)
    schema.feature[1].not_in_environment.append("SERVING")
    assert [feature.name for feature in champion_schema.serving_schema(schema, "y").feature] == ["visits"]


def test_without_a_champion_nothing_can_be_scored(champion, tmp_path):
    with pytest.raises(ChampionError, match=r"no champion yet.* make run"):
        run_schema([], tmp_path)
    (tmp_path / "model" / "Format-Serving").rmdir()
    with pytest.raises(ChampionError, match=r"files of the champion .* are gone"):
        run_schema([champion], tmp_path)


def test_a_feature_that_the_data_set_lost_is_named(champion, tmp_path):
    fewer = FeatureSet(features=[{"name": "visits", "kind": "numeric"}])
    with pytest.raises(ChampionError, match="needs source, which the data set no longer declares"):
        run_schema([champion], tmp_path, fewer)


def test_rows_like_the_training_rows_pass(champion, tmp_path):
    drift = run_gate(champion, tmp_path, frame(seed=1))
    assert not load(drift, "score").anomaly_info
    assert json.loads((tmp_path / "drift" / scoring_gate.FAR_OFF).read_text()) == []


def test_drift_stops_the_run_before_anything_is_scored(champion, tmp_path):
    with pytest.raises(DataGateError, match="split score, against the champion: feature 'visits'"):
        run_gate(champion, tmp_path, frame(seed=1, shift=3))


def test_drift_is_a_warning_if_the_settings_say_so(champion, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "propensity"):
        drift = run_gate(champion, tmp_path, frame(seed=1, shift=3), severity="none")
    assert "feature 'visits'" in caplog.text and "visits" in load(drift, "score").anomaly_info


def test_a_missing_column_stops_the_run(champion, tmp_path):
    with pytest.raises(DataGateError, match="split score: feature 'source'"):
        run_gate(champion, tmp_path, frame(seed=1)[["visits"]])


def test_a_feature_that_the_champion_does_not_know_is_no_anomaly(champion, tmp_path):
    rows = frame(seed=1)
    rows["newer"] = np.float32(1)
    assert not load(run_gate(champion, tmp_path, rows), "score").anomaly_info


def test_values_far_off_the_training_range_are_named_with_their_share(champion, tmp_path, caplog):
    rows = frame(seed=1)
    rows.loc[:3, "visits"] = np.float32(1e6)
    rows.loc[:39, "source"] = "brand new"
    with caplog.at_level(logging.WARNING, "propensity"):
        run_gate(champion, tmp_path, rows, severity="none")
    numbers, categories = json.loads((tmp_path / "drift" / scoring_gate.FAR_OFF).read_text())
    assert numbers.startswith("feature 'visits': 0.2% of the rows (4) hold a number far outside")
    assert categories.startswith("feature 'source': 2.0% of the rows (40) hold a category that no training row had")
    assert numbers in caplog.text and "brand new" not in categories
