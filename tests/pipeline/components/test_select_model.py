import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics
from tfx.types import standard_artifacts

from pipeline.champion import challenger
from pipeline.champion.anchor import AnchorError
from pipeline.components import select_model
from pipeline.fast.scoring.score import score_split
from tests.pipeline.small_models import linear_score, raw_rows, save_altered_model, save_small_model, write_examples

ROWS = [{**row, "bought": int((row["visits"] or 0) > 9)} for row in raw_rows(60)]
PROPERTIES = {"metric": "log_loss", "label": "bought", "accept_incompatible_champion": 0}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """SavedModels by name: a sharp and a flat one, and those that have something wrong with them."""
    folder = tmp_path_factory.mktemp("saved")
    sharp = save_small_model(folder / "sharp", lambda transformed: tf.sigmoid(transformed["visits"] - 9.5))
    return {
        "sharp": sharp,
        "flat": save_small_model(folder / "flat", linear_score),
        "nan": save_altered_model(sharp, folder / "nan", serving_default=lambda values: values * np.nan),
        "large": save_altered_model(sharp, folder / "large", serving_default=lambda values: values + 1),
        "other": save_altered_model(sharp, folder / "other", serving_default=None),
    }


@pytest.fixture
def artifact(tmp_path, saved):
    """Makes a Model artifact as the Trainer leaves it."""

    def make(name, model_id, anchor=None):
        model = standard_artifacts.Model()
        model.uri, model.id = str(tmp_path / f"model-{model_id}"), model_id
        shutil.copytree(saved[name], Path(model.uri, "Format-Serving"))
        (Path(model.uri) / "training_data").mkdir()
        report = {"trained_through": "2025-10-26", "trained_at": f"2025-11-01T00:00:{model_id:02d}+00:00"}
        Path(model.uri, "training_data", "report.json").write_text(json.dumps(report))
        if anchor:
            shutil.copytree(saved[anchor], Path(challenger.anchor_uri(model.uri), "Format-Serving"))
            challenger.write_anchor(model.uri, {"uri": "first", "trained_through": None, "trained_at": "then"})
        return model

    return make


@pytest.fixture
def select(tmp_path):
    """Runs the executor on Models by family; returns the Model that it makes."""

    def run(models, champion=None, anchor_replaced=0, **properties):
        examples = write_examples(tmp_path / "examples", ROWS)
        inputs = {"examples": [examples], **{family: [model] for family, model in models.items()}}
        if champion is not None:
            blessing = standard_artifacts.ModelBlessing()
            blessing.set_int_custom_property("anchor_replaced", anchor_replaced)
            inputs |= {"champion": [champion], "champion_blessing": [blessing]}
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "selected")
        select_model.Executor().Do(inputs, {"model": [model]}, {**PROPERTIES, **properties})
        run.examples = examples
        return model

    return run


def selection(model):
    return json.loads(Path(model.uri, "selection.json").read_text())


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_the_better_model_is_copied_with_its_figures_and_its_origin(select, artifact, saved, caplog):
    models = {"keras": artifact("flat", 7), "xgboost": artifact("sharp", 9)}
    with caplog.at_level(logging.INFO, "propensity.progress"):
        chosen = select(models)
    assert files(chosen.uri).items() > files(models["xgboost"].uri).items()
    assert not challenger.has_anchor(chosen.uri), "there is no champion"
    scored = score_split(select.examples, "eval", {"sharp": saved["sharp"], "flat": saved["flat"]}, label="bought")
    document = selection(chosen)
    assert (document["split"], document["metric"], document["chosen"]) == ("eval", "log_loss", "xgboost")
    assert (document["rows"], document["positives"]) == (60, scored.label.sum())
    for candidate, family, name in zip(document["candidates"], models, ("flat", "sharp"), strict=True):
        assert (candidate["family"], candidate["model_id"]) == (family, models[family].id)
        assert candidate["uri"] == models[family].uri and candidate["problem"] is None
        predicted = scored.predictions[name]
        assert candidate["metrics"] == pytest.approx(
            {
                "roc_auc": metrics.roc_auc_score(scored.label, predicted),
                "pr_auc": metrics.average_precision_score(scored.label, predicted),
                "log_loss": metrics.log_loss(scored.label, predicted),
                "brier": metrics.brier_score_loss(scored.label, predicted),
            }
        )
    assert chosen.get_string_custom_property("family") == "xgboost"
    assert chosen.get_int_custom_property("source_model_id") == 9
    assert chosen.get_string_custom_property("source_model_uri") == models["xgboost"].uri
    assert chosen.get_string_custom_property("metric") == "log_loss"
    values = [candidate["metrics"]["log_loss"] for candidate in document["candidates"]]
    assert chosen.get_float_custom_property("value") == values[1] < values[0]
    warning, choice = caplog.messages
    assert warning.startswith("eval holds 21 positives. With fewer than 100, chance decides")
    assert choice == f"xgboost: eval log_loss {values[1]:.4f} (keras {values[0]:.4f})"


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc", "log_loss", "brier"])
def test_each_metric_has_its_direction(select, artifact, metric):
    models = {"keras": artifact("flat", 7), "xgboost": artifact("sharp", 9)}
    assert selection(select(models, metric=metric))["chosen"] == "xgboost"


def test_equal_models_go_to_the_first_family(select, artifact):
    models = {"xgboost": artifact("sharp", 7), "keras": artifact("sharp", 9)}
    assert selection(select(models))["chosen"] == "keras"


def test_one_family_alone_is_chosen(select, artifact):
    assert selection(select({"xgboost": artifact("flat", 7)}))["chosen"] == "xgboost"


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("nan", "model 'keras' returns no probability for 60 of 60 rows of eval"),
        ("large", "model 'keras' returns no probability for 60 of 60 rows of eval"),
        ("other", "model 'keras' cannot be loaded"),
    ],
)
def test_a_model_that_gives_no_probabilities_loses(select, artifact, broken, problem, caplog):
    with caplog.at_level(logging.WARNING, "propensity"):
        document = selection(select({"keras": artifact(broken, 7), "xgboost": artifact("flat", 9)}))
    assert document["chosen"] == "xgboost"
    assert document["candidates"][0]["problem"].startswith(problem)
    assert set(document["candidates"][0]["metrics"].values()) == {None}
    assert problem in caplog.text


def test_if_none_can_be_scored_the_first_goes_to_the_infrastructure_check(select, artifact):
    chosen = select({"keras": artifact("other", 7), "xgboost": artifact("nan", 9)})
    assert selection(chosen)["chosen"] == "keras" and selection(chosen)["positives"] > 0
    assert not chosen.has_custom_property("value")


def test_a_champion_without_anchor_becomes_the_anchor(select, artifact):
    champion = artifact("flat", 3)
    champion.set_string_custom_property("source_model_uri", "trained/3")
    chosen = select({"keras": artifact("sharp", 7)}, champion)
    assert files(Path(chosen.uri, "anchor", "Format-Serving")) == files(Path(champion.uri, "Format-Serving"))
    assert challenger.read_anchor(chosen.uri) == {
        "uri": "trained/3",
        "trained_through": "2025-10-26",
        "trained_at": "2025-11-01T00:00:03+00:00",
    }


def test_the_champions_anchor_is_handed_on(select, artifact, saved):
    chosen = select({"keras": artifact("sharp", 7)}, artifact("sharp", 3, anchor="flat"))
    assert files(Path(chosen.uri, "anchor", "Format-Serving")) == files(saved["flat"])
    assert challenger.read_anchor(chosen.uri)["uri"] == "first"


def test_a_champion_that_replaced_the_anchor_is_the_anchor(select, artifact, saved):
    champion = artifact("sharp", 3, anchor="flat")
    chosen = select({"keras": artifact("sharp", 7)}, champion, anchor_replaced=1)
    assert files(Path(chosen.uri, "anchor", "Format-Serving")) == files(saved["sharp"])
    assert challenger.read_anchor(chosen.uri)["uri"] == champion.uri


@pytest.mark.parametrize("broken", ["other", "nan"])
def test_an_anchor_that_cannot_be_scored_is_replaced_by_the_champion(select, artifact, saved, broken, caplog):
    champion = artifact("sharp", 3, anchor=broken)
    with caplog.at_level(logging.WARNING, "propensity"):
        chosen = select({"keras": artifact("sharp", 7)}, champion)
    assert files(Path(chosen.uri, "anchor", "Format-Serving")) == files(saved["sharp"])
    assert "model 'anchor'" in caplog.text and "the champion is the anchor from now on" in caplog.text


def test_a_champion_that_cannot_be_scored_stops_the_run(select, artifact):
    with pytest.raises(AnchorError, match=r"model 'champion' cannot be loaded.*--accept-incompatible-champion"):
        select({"keras": artifact("sharp", 7)}, artifact("other", 3))


def test_if_that_is_accepted_no_anchor_is_kept(select, artifact, caplog):
    with caplog.at_level(logging.WARNING, "propensity"):
        chosen = select({"keras": artifact("sharp", 7)}, artifact("other", 3), accept_incompatible_champion=1)
    assert not challenger.has_anchor(chosen.uri)
    assert "model 'champion' cannot be loaded" in caplog.text and "no anchor is kept" in caplog.text
