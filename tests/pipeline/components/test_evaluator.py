"""The gate as a component: what it takes from artifacts and leaves in them; tests/pipeline/gate is on how it judges."""

import html
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from models.config import validate_settings
from pipeline.artifacts import Verdict
from pipeline.champion import challenger, training_record
from pipeline.champion.comparability import IncomparableChampionError
from pipeline.components import evaluator
from pipeline.components.specification import settings_property
from pipeline.evaluation.eval_config import eval_config
from pipeline.examples.data_summary import write_data_summary
from pipeline.fast import placement
from pipeline.settings.dataset import Dataset
from pipeline.settings.gate import Evaluation, GateSettings
from tests.pipeline.fast.metrics.tfma_results import assert_same_results
from tests.pipeline.small_models import COUNTRIES, FEATURES, save_small_model, write_examples

ROWS = 4000
DATASET = validate_settings(
    {
        "source": {"kind": "table", "table": "t"},
        "columns": {"label": "bought", "key": "customer", "date": "day"},
        "split": {"test_from": "2025-11-03"},
    },
    Dataset,
    origin="test",
)
REPORT = {
    "trained_through": "2025-10-20",
    "test_split": {"by": "date"},
    "splits": [{"split": "train", "rows": 1000, "positives": 400}],
    "dates": [{"split": "train", "date": "2025-10-20"}, {"split": "test", "date": "2025-11-03"}],
}


def log_odds(visits, country):
    return 0.35 * (visits - 9) + 1.5 * (country - 1) - 0.4


def good(transformed):
    """What the labels were drawn by."""
    return tf.sigmoid(log_odds(transformed["visits"], tf.cast(transformed["country"], tf.float32)))


def blind_to_countries(transformed):
    return tf.sigmoid(0.35 * (transformed["visits"] - 9) - 0.4)


def broken_in_france(transformed):
    country = tf.cast(transformed["country"], tf.float32)
    france = tf.abs(country - COUNTRIES.index("fr")) < 0.5
    return tf.where(france, 0.42 + 1e-4 * tf.sin(transformed["visits"] * 2), good(transformed))


def slightly_better(transformed):
    return tf.sigmoid(log_odds(transformed["visits"], tf.cast(transformed["country"], tf.float32)) * 1.02)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    rng = np.random.default_rng(0)
    visits, country = rng.poisson(9, ROWS).astype(float), rng.integers(0, 3, ROWS)
    bought = rng.random(ROWS) < 1 / (1 + np.exp(-log_odds(visits, country)))
    rows = [
        {"visits": v, "country": COUNTRIES[c], "bought": int(y), "unit": f"{i // 2:032x}", "day": "2025-11-03"}
        for i, (v, c, y) in enumerate(zip(visits.tolist(), country, bought, strict=True))
    ]
    folder = tmp_path_factory.mktemp("examples")
    made = write_examples(folder, rows, split="test")
    write_examples(folder, rows[: ROWS // 4], split="train")
    write_examples(folder, rows[ROWS // 4 : ROWS // 2], split="eval")
    write_data_summary(made, {"splits": [{"split": "test", "rows": ROWS}], "warnings": []})
    made.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    return made


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory):
    """Models by the name of their score."""
    folder = tmp_path_factory.mktemp("models")
    scores = (good, blind_to_countries, broken_in_france, slightly_better)
    return {score.__name__: save_small_model(folder / score.__name__, score) for score in scores}


@pytest.fixture
def model(tmp_path, saved_models):
    """Makes a Model artifact around a saved model."""

    def make(name, score, anchor=None, report=None, columns=("visits", "country"), **properties):
        artifact = standard_artifacts.Model()
        artifact.uri, artifact.id = str(tmp_path / name), len(list(tmp_path.iterdir())) + 1
        Path(artifact.uri).mkdir()
        Path(artifact.uri, "Format-Serving").symlink_to(saved_models[score.__name__])
        schema = schema_pb2.Schema()
        for column in columns:
            schema.feature.add(name=column, type=schema_pb2.FLOAT)
        statistics = statistics_pb2.DatasetFeatureStatisticsList()
        training_record.write(artifact.uri, statistics=statistics, schema=schema, summary={**REPORT, **(report or {})})
        if anchor is not None:
            Path(artifact.uri, "anchor").mkdir()
            Path(artifact.uri, "anchor", "Format-Serving").symlink_to(saved_models[anchor.__name__])
            Path(artifact.uri, "anchor", "anchor.json").write_text(json.dumps({"uri": "first", "trained_at": "then"}))
        for key, value in {challenger.SOURCE_URI: f"trained/{name}", **properties}.items():
            artifact.set_string_custom_property(key, value)
        return artifact

    return make


@pytest.fixture
def gate(tmp_path, examples, monkeypatch):
    """Runs an executor; returns verdict.json, the blessing, and which models' metrics were to be written."""

    def run(
        model,
        champion=None,
        *,
        problems=(),
        with_tfma=False,
        accept=0,
        bounds=None,
        executor=evaluator.Executor,
        beam_args=(),
        **settings,
    ):
        asked = []
        if not with_tfma:
            monkeypatch.setattr(
                evaluator, "write_results", lambda metrics, config, models, folder: asked.append(models)
            )
        folder = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        infra, outputs = standard_artifacts.InfraBlessing(), {}
        infra.uri = str(folder)
        infra.set_int_custom_property("blessed", int(not problems))
        (folder / "check.json").write_text(json.dumps({"problems": list(problems)}))
        for name, kind in (
            ("evaluation", standard_artifacts.ModelEvaluation),
            ("blessing", standard_artifacts.ModelBlessing),
            ("verdict", Verdict),
        ):
            [outputs[name]] = [[kind()]]
            outputs[name][0].uri = str(folder / name)
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", *beam_args],
            tmp_dir=str(folder / "tmp"),
            unique_id="1",
        )
        executor(context).Do(
            {
                "examples": [examples],
                "model": [model],
                "baseline_model": [champion] if champion else [],
                "infra_blessing": [infra],
            },
            outputs,
            {
                "eval_config": proto_utils.proto_to_json(eval_config(DATASET, FEATURES, signature="serving_default")),
                "example_splits": '["test"]',
                "gate": json.dumps({"min_positives": 100, "slice_min_positives": 100, **settings}),
                "evaluation_settings": settings_property(Evaluation(bounds=bounds or {})),
                "features": settings_property(FEATURES),
                "columns": settings_property(DATASET.columns),
                "accept_incompatible_champion": accept,
            },
        )
        document = json.loads((folder / "verdict" / "verdict.json").read_text())
        page = html.unescape((folder / "verdict" / "verdict.html").read_text())
        assert document["reason"] in page.replace("\xa0", " ").replace("\N{MINUS SIGN}", "-")
        return document, outputs["blessing"][0], asked

    return run


def outcomes(document):
    return {check["name"]: check["outcome"] for check in document["checks"]}


def test_a_first_model_is_blessed_and_becomes_the_anchor(gate, model):
    document, blessing, [measured] = gate(challenger_ := model("first", good))
    assert document["verdict"] == "blessed", document["reason"]
    assert document["models"]["champion"] is document["models"]["anchor"] is None
    assert document["models"]["challenger"]["id"] == challenger_.id
    assert measured == {"": f"{challenger_.uri}/Format-Serving"}
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("current_model_id") == challenger_.id
    assert blessing.get_int_custom_property(challenger.ANCHOR_REPLACED) == 1
    assert Path(blessing.uri, "BLESSED").exists()
    tested = json.loads(Path(blessing.uri, "test_scores.json").read_text())
    assert (tested["rows"], tested["positives"]) == (document["data"]["rows"], document["data"]["positives"])


def test_a_better_one_replaces_champion_and_anchor(gate, model):
    champion = model("champion", blind_to_countries)
    document, blessing, [measured] = gate(model("new", good, anchor=blind_to_countries), champion)
    assert document["verdict"] == "blessed", document["reason"]
    assert set(document["metrics"]) == {"challenger", "champion", "anchor"}
    assert document["models"]["anchor"]["uri"] == "first"
    assert document["models"]["champion"]["age_days"] == 0
    assert measured.keys() == {tfma.CANDIDATE_KEY, tfma.BASELINE_KEY}
    assert measured[tfma.BASELINE_KEY] == f"{champion.uri}/Format-Serving"
    assert blessing.get_int_custom_property(challenger.ANCHOR_REPLACED) == 1
    assert blessing.get_int_custom_property("baseline_model_id") == champion.id


def test_one_of_equal_worth_replaces_the_champion_and_not_the_anchor(gate, model):
    document, blessing, _ = gate(model("new", slightly_better, anchor=good), model("champion", good))
    assert document["verdict"] == "blessed", document["reason"]
    assert blessing.get_int_custom_property(challenger.ANCHOR_REPLACED) == 0


def test_a_worse_one_is_refused(gate, model):
    document, blessing, _ = gate(model("new", blind_to_countries, anchor=good), model("champion", good))
    assert (document["verdict"], document["decided_by"]) != ("blessed", "champion")
    assert outcomes(document)["champion"] == outcomes(document)["anchor"] == "fail"
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_int_custom_property("current_model_id") > 0
    assert Path(blessing.uri, "NOT_BLESSED").exists()
    assert not Path(blessing.uri, "test_scores.json").exists()


def test_one_broken_slice_refuses_a_model_that_is_better_overall(gate, model):
    document, _, _ = gate(model("new", broken_in_france), model("champion", blind_to_countries))
    assert document["metrics"]["challenger"]["roc_auc"] > document["metrics"]["champion"]["roc_auc"] + 0.01
    assert outcomes(document)["champion"] == "pass"
    assert (document["verdict"], document["decided_by"]) == ("refused", "slice")
    failed = {f"{found['feature']}={found['value']}" for found in document["slices"] if found["outcome"] == "fail"}
    assert failed == {"country=fr"}
    assert {found["value"]: found["rows"] for found in document["slices"] if found["feature"] == "user"} == {
        "new": ROWS // 2,
        "seen in eval": ROWS // 4,
        "seen in training": ROWS // 4,
    }


def test_too_few_positives_decide_nothing(gate, model):
    document, blessing, _ = gate(model("new", good), min_positives=ROWS)
    assert (document["verdict"], document["decided_by"]) == ("undecided", "positives")
    assert blessing.get_int_custom_property("blessed") == 0


def test_a_model_that_cannot_be_served_is_refused_and_not_even_scored(gate, model):
    document, blessing, asked = gate(model("new", good), problems=["predict: could not find variable w"])
    assert (document["verdict"], document["decided_by"]) == ("refused", "infra")
    assert "could not find variable w" in document["reason"]
    assert document["metrics"] == {} and asked == []
    assert blessing.get_int_custom_property("blessed") == 0


def test_the_champion_again_is_unchanged(gate, model):
    properties = {challenger.SOURCE_URI: "trained/1"}
    document, blessing, _ = gate(model("new", good, **properties), model("champion", good, **properties))
    assert document["verdict"] == "unchanged"
    assert "nothing has changed since it was trained" in document["reason"]
    assert blessing.get_int_custom_property("blessed") == 0
    document, _, _ = gate(model("trained again", good), model("champion of other source", good))
    assert document["verdict"] == "unchanged"


@pytest.mark.parametrize("trained_again", [False, True])
def test_a_withdrawn_model_stays_withdrawn(gate, model, trained_again):
    bad = model("bad", good)
    source = bad.uri if trained_again else "trained/new"
    champion = model(
        "champion",
        blind_to_countries,
        **{challenger.WITHDRAWN: json.dumps([source]), challenger.ROLLBACK_REASON: "complaints"},
    )
    document, _, _ = gate(model("new", good), champion)
    assert (document["verdict"], document["decided_by"]) == ("refused", "withdrawn")
    assert "complaints" in document["reason"]
    document, _, _ = gate(model("another", slightly_better), champion)
    assert document["verdict"] == "blessed"


def test_a_champion_that_cannot_be_compared(gate, model):
    champion = model("champion", good, columns=("visits", "country", "gone"))
    new = model("new", good, anchor=good)
    with pytest.raises(IncomparableChampionError, match="'gone', which is gone"):
        gate(new, champion)
    document, blessing, [measured] = gate(new, champion, accept=1)
    assert document["verdict"] == "blessed"
    assert document["comparability"] == {
        "accepted": True,
        "problems": ["it needs the column 'gone', which is gone"],
    }
    assert set(document["metrics"]) == {"challenger"}
    assert measured.keys() == {""}
    assert blessing.get_int_custom_property(challenger.ANCHOR_REPLACED) == 1
    assert blessing.get_int_custom_property("baseline_model_id") == champion.id, "a rollback leads back to it"


def test_both_executors_measure_both_models_and_hold_the_bounds(gate, model):
    """The stock one has TFMA score and measure."""
    champion, new = model("champion", blind_to_countries), model("new", good)
    bounds = {"roc_auc": {"lower": 0.99}, "log_loss": {"upper": 0.9}}
    folders = []
    for executor in (evaluator.Executor, evaluator.StockExecutor):
        document, blessing, _ = gate(new, champion, with_tfma=True, bounds=bounds, executor=executor)
        assert (document["verdict"], document["decided_by"]) == ("refused", "bounds")
        assert "but must be at least 0.99" in document["reason"]
        assert blessing.get_int_custom_property("blessed") == 0
        folders.append(Path(blessing.uri).parent / "evaluation")
    batched, stock = folders
    assert_same_results(batched, stock)
    for role, name in (("challenger", tfma.CANDIDATE_KEY), ("champion", tfma.BASELINE_KEY)):
        result = tfma.load_eval_result(str(batched), model_name=name)
        measured = result.get_metrics_for_slice(())
        for metric, tolerance in (("roc_auc", 1e-3), ("log_loss", 1e-5), ("brier", 1e-5)):
            assert measured[metric]["doubleValue"] == pytest.approx(document["metrics"][role][metric], abs=tolerance)
        assert {value for (((_, value),), _) in (item for item in result.slicing_metrics if item[0])} == set(COUNTRIES)


def test_both_paths_give_the_same(gate, model, examples):
    placement.taken.clear()
    new = model("new", good)
    documents = [gate(new, beam_args=[f"--in_process_rows={most}"])[0] for most in (ROWS, ROWS - 1)]
    assert placement.taken == {
        ("Evaluator", placement.Place.IN_PROCESS): 1,
        ("Evaluator", placement.Place.BEAM): 1,
    }
    assert documents[0] == documents[1]


def test_the_component_refuses_what_is_not_measured_by_arrays():
    config = tfma.EvalConfig()
    config.cross_slicing_specs.add()
    with pytest.raises(ValueError, match="cross_slicing_specs: only with executors: stock"):
        component(config, batched=True)
    assert component(config, batched=False).executor_spec.executor_class is evaluator.StockExecutor
    assert component(tfma.EvalConfig(), batched=True).executor_spec.executor_class is evaluator.Executor


def component(config, **options):
    models = {name: types.Channel(type=standard_artifacts.Model) for name in ("model", "baseline_model")}
    return evaluator.Evaluator(
        examples=types.Channel(type=standard_artifacts.Examples),
        infra_blessing=types.Channel(type=standard_artifacts.InfraBlessing),
        **models,
        eval_config=config,
        gate=GateSettings(),
        evaluation_settings=DATASET.evaluation,
        features=FEATURES,
        columns=DATASET.columns,
        accept_incompatible_champion=0,
        **options,
    )
