import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline import artifacts
from pipeline.components.report import Executor, Report
from pipeline.components.specification import settings_property
from tests.pipeline.report import documents
from tests.pipeline.report.pages import Page
from tests.pipeline.report.toy_model import save_toy_model

FEATURES = FeatureSet.from_config([{"name": "visits", "kind": "numeric"}, {"name": "country", "kind": "categorical"}])
UNIT = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras")
    save_toy_model(f"{folder}/Format-Serving")
    return folder


@pytest.fixture
def run(tmp_path, model):
    """Runs the executor on the smallest run there can be, but for the given inputs; returns the page."""

    def artifact(kind, name, files=None, **properties):
        made = kind()
        made.id, made.uri = len(name), str(tmp_path / name)
        (tmp_path / name).mkdir(exist_ok=True)
        for file, content in (files or {}).items():
            (tmp_path / name / file).write_text(json.dumps(content))
        for key, value in properties.items():
            setattr(made, key, value)
        return made

    def execute(document, pushed=False, champion=False, **more):
        anomalies = artifact(standard_artifacts.ExampleAnomalies, "anomalies", split_names='["train"]')
        found = anomalies_pb2.Anomalies()
        found.anomaly_info["country"].severity = anomalies_pb2.AnomalyInfo.WARNING
        found.anomaly_info["country"].reason.add(description="Unexpected values: XX")
        (tmp_path / "anomalies" / "Split-train").mkdir()
        (tmp_path / "anomalies" / "Split-train" / "SchemaDiff.pb").write_bytes(found.SerializeToString())
        pushed_model = artifact(standard_artifacts.PushedModel, "pushed_model")
        pushed_model.set_int_custom_property("pushed", int(pushed))
        pushed_model.set_int_custom_property("pushed_champion", int(champion))
        pushed_model.set_string_custom_property("pushed_destination", "/serving/17")
        keras = artifact(standard_artifacts.Model, "keras")
        keras.uri = str(model)
        inputs = {
            "examples": artifact(
                standard_artifacts.Examples, "examples", {"data_report.json": data_report()}, split_names='["eval"]'
            ),
            "anomalies": anomalies,
            "drift": artifact(standard_artifacts.ExampleAnomalies, "drift", split_names="[]"),
            "model": artifact(standard_artifacts.Model, "model", {"selection.json": documents.selection()}),
            "infra_blessing": artifact(standard_artifacts.InfraBlessing, "infra", {"check.json": {"problems": []}}),
            "verdict": artifact(artifacts.Verdict, "verdict", {"verdict.json": document}),
            "pushed_model": pushed_model,
            "keras_model": keras,
            **{name: artifact(kind, name, files) for name, (kind, files) in more.items()},
        }
        write_rows(tmp_path / "examples")
        report = artifact(artifacts.Report, "report")
        Executor().Do(
            {name: [found] for name, found in inputs.items()} | {"xgboost_run": []},
            {"report": [report]},
            {
                "title": "small",
                "label": "bought",
                "features": settings_property(FEATURES),
                "run_digest": "feedbeef",
            },
        )
        source = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
        assert UNIT not in source
        return Page(source)

    return execute


def data_report():
    counts = [{"split": "eval", "date": None, "rows": 200, "positives": 100}]
    return {"rows": 200, "positives": 100, "splits": counts, "dates": [], "missing": {}, "warnings": ["told before"]}


def write_rows(folder, rows=200):
    folder.joinpath("Split-eval").mkdir()
    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(f"{folder}/Split-eval/data.gz", tf.io.TFRecordOptions("GZIP")) as writer:
        for label in np.arange(rows) % 2:
            example = tf.train.Example()
            example.features.feature["bought"].int64_list.value.append(label)
            example.features.feature["unit"].bytes_list.value.append(UNIT.encode())
            example.features.feature["visits"].float_list.value.append(label + rng.normal())
            example.features.feature["country"].bytes_list.value.append(b"DE")
            writer.write(example.SerializeToString())


def test_the_page_is_made_from_the_artifacts(run):
    page = run(documents.first_run(), pushed=True)
    for expected in (
        "small: predicting bought",
        "Pushed to /serving/17",
        "told before",
        "Unexpected values: XX",
        "There is no champion to compare with",
        "The 2 most important of 2 features",
        "feedbeef",
    ):
        assert expected in page.text
    assert ("aria-label", "Importance of the features") in page.attributes


def test_a_champion_that_was_pushed_does_not_make_the_challenger_pushed(run):
    page = run(documents.blessed(verdict="refused"), pushed=True, champion=True)
    assert "Not pushed: refused" in page.text
    assert "Pushed to /serving/17" not in page.text


def test_a_search_and_its_curves_are_shown(run, tmp_path):
    (tmp_path / "keras_run").mkdir()
    writer = tf.summary.create_file_writer(str(tmp_path / "keras_run"))
    with writer.as_default():
        for step in (1, 2):
            tf.summary.scalar("train/members_log_loss", 0.5 / step, step)
            tf.summary.scalar("eval/log_loss", 0.6 / step, step)
    writer.close()
    page = run(
        documents.blessed(),
        keras_run=(standard_artifacts.ModelRun, {}),
        keras_hyperparameters=(
            standard_artifacts.HyperParameters,
            {"best_hyperparameters.txt": {"space": [], "values": {"learning_rate": 0.00123}}},
        ),
    )
    assert ("aria-label", "Training curves of Keras") in page.attributes
    assert "Hyperparameters from the search: Keras learning rate 0.00123" in page.text


def test_a_model_that_cannot_be_loaded_is_told_and_the_page_is_made(run):
    page = run(documents.refused_by_infra_check(), xgboost_model=(standard_artifacts.Model, {}))
    assert "Not pushed: refused" in page.text
    assert "XGBoost: importance could not be measured: the model raised" in page.text
    assert ("aria-label", "Importance of the features") in page.attributes  # that of Keras


def test_a_model_that_gives_no_probabilities_is_told(run, tmp_path):
    save_toy_model(str(tmp_path / "xgboost_model" / "Format-Serving"), lambda visits: visits * float("nan"))
    page = run(documents.blessed(), xgboost_model=(standard_artifacts.Model, {}))
    assert "XGBoost: importance could not be measured: the model returns values that are not probabilities" in page.text


def test_the_component_takes_one_family_alone():
    channels = {
        name: artifact_utils.get_single_instance([kind()])
        for name, kind in (
            ("examples", standard_artifacts.Examples),
            ("anomalies", standard_artifacts.ExampleAnomalies),
            ("drift", standard_artifacts.ExampleAnomalies),
            ("model", standard_artifacts.Model),
            ("infra_blessing", standard_artifacts.InfraBlessing),
            ("verdict", artifacts.Verdict),
            ("pushed_model", standard_artifacts.PushedModel),
            ("keras_model", standard_artifacts.Model),
            ("keras_run", standard_artifacts.ModelRun),
        )
    }
    from tfx.types import channel_utils

    report = Report(
        **{name: channel_utils.as_channel([artifact]) for name, artifact in channels.items()},
        title="small",
        features=FEATURES,
        label="bought",
        run_digest="",
    )
    assert set(report.inputs) == set(channels)
    assert report.outputs["report"].type is artifacts.Report
