import dataclasses
import json
import re

import numpy as np
import pytest

from models.config import validate_settings
from pipeline.gate.calibration import Estimate
from pipeline.gate.metrics import entropy
from pipeline.gate.probability_checks import calibration_slope, log_loss, observed_over_expected
from pipeline.gate.rows import TestRows
from pipeline.gate.rules import judge
from pipeline.gate.verdict import Difference
from pipeline.settings.gate import Evaluation, GateSettings
from tests.pipeline.gate.draws import rows_and_predictions, sigmoid

SETTINGS = GateSettings(replicates=300)


def judged(rows, predictions, settings=SETTINGS, **changes):
    return judge(
        rows, predictions, settings, **{"training_base_rate": rows.base_rate, "operating_share": 0.1, **changes}
    )


def outcomes(judgement):
    return {check.name if check.slice == "overall" else check.slice: check.outcome for check in judgement.checks}


@pytest.fixture(scope="module")
def drawn():
    noise = {"good": 0.05, "also_good": 0.05, "fair": 0.5, "bad": 1.5}
    return rows_and_predictions(rows=8000, users=4000, noise=noise.items(), seed=2)


def test_an_equal_challenger_is_blessed(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["good"], "champion": models["also_good"]})
    assert (found.verdict, found.decided_by) == ("blessed", "champion")
    assert "lower bound lies above -0.0050" in found.reason
    assert not found.anchor_replaced  # the champion stands for the anchor, and is not beaten beyond doubt
    assert outcomes(found) == dict.fromkeys(outcomes(found), "pass")
    assert [check.name for check in found.checks] == [
        "unchanged",
        "positives",
        "log_loss",
        "calibration_slope",
        "observed_over_expected",
        "slice",
        "slice",
        "champion",
    ]


def test_a_better_challenger_replaces_the_anchor(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["good"], "champion": models["also_good"], "anchor": models["fair"]})
    assert found.verdict == "blessed"
    assert found.anchor_replaced
    assert outcomes(found)["anchor"] == "pass"


def test_a_worse_challenger_is_refused_and_all_reasons_are_named(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["bad"], "champion": models["good"]})
    assert (found.verdict, found.decided_by) == ("refused", "calibration_slope")  # the first check that fails
    assert found.reason.endswith("(also failed: observed over expected, device=mobile, device=desktop, champion).")
    assert not found.anchor_replaced


def test_small_losses_add_up_to_a_refusal_by_the_anchor(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["fair"], "champion": models["fair"] * 0.999, "anchor": models["good"]})
    assert outcomes(found)["champion"] == "pass"
    assert (found.verdict, found.decided_by) == ("refused", "anchor")


def test_what_the_rows_cannot_tell_is_undecided_with_the_positives_needed(drawn):
    rows, models = drawn
    settings = GateSettings(replicates=300, margin=0.0001)
    found = judged(rows, {"challenger": models["good"], "champion": models["also_good"]}, settings)
    assert (found.verdict, found.decided_by) == ("undecided", "champion")
    check = next(check for check in found.checks if check.name == "champion")
    error = (check.upper - check.lower) / (2 * 1.645)
    needed = int(found.reason.split("With about ")[1].split(" ")[0].replace(",", ""))
    assert needed == pytest.approx(rows.positives * (2.49 * error / 0.0001) ** 2, rel=0.1)
    assert f"(now {rows.positives:,}) a true difference of 0 would" in found.reason


def test_superior_wants_more_of_the_champion_but_not_of_the_anchor(drawn):
    rows, models = drawn
    settings = GateSettings(replicates=300, rule="superior")
    predictions = {"challenger": models["good"], "champion": models["also_good"], "anchor": models["also_good"]}
    found = judged(rows, predictions, settings)
    assert outcomes(found)["champion"] == "undecided"
    assert outcomes(found)["anchor"] == "pass"
    assert "a true difference of one margin would pass" in found.reason
    assert judged(rows, {**predictions, "champion": models["fair"]}, settings).verdict == "blessed"


def test_the_first_model_needs_no_champion(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["good"]})
    assert (found.verdict, found.decided_by, found.anchor_replaced) == ("blessed", "champion", True)
    assert "no champion yet" in found.reason
    assert {result.outcome for result in found.slices} == {"shown"}
    assert set(found.metrics) == set(found.curves) == {"challenger"}


@pytest.mark.parametrize("champion", [True, False])
def test_few_positives_are_undecided_and_still_measured(drawn, champion):
    rows, models = drawn
    settings = GateSettings(replicates=100, min_positives=rows.positives + 1)
    predictions = {"challenger": models["bad"], **({"champion": models["good"]} if champion else {})}
    found = judged(rows, predictions, settings)
    assert (found.verdict, found.decided_by) == ("undecided", "positives")
    assert f"hold {rows.positives:,} positives; a verdict needs at least {rows.positives + 1:,}" in found.reason
    assert {outcome for name, outcome in outcomes(found).items() if name != "positives"} == {"shown"}
    assert found.metrics["challenger"]["roc_auc"] > 0.5
    assert not found.anchor_replaced


def test_one_class_is_undecided():
    rows, models = rows_and_predictions(rows=500)
    for label in (0, 1):
        single = dataclasses.replace(rows, label=np.full(500, label, np.int8))
        found = judged(single, models, training_base_rate=0.1)
        assert (found.verdict, found.decided_by) == ("undecided", "positives")
        assert found.metrics["challenger"]["roc_auc"] is None
        json.dumps(found.to_json(), allow_nan=False)


def test_the_same_predictions_are_unchanged_before_anything_else(drawn):
    rows, models = drawn
    settings = GateSettings(replicates=100, min_positives=rows.positives + 1)
    found = judged(rows, {"challenger": models["bad"], "champion": models["bad"] * (1 - 9e-7)}, settings)
    assert (found.verdict, found.decided_by, found.anchor_replaced) == ("unchanged", "unchanged", False)
    assert set(outcomes(found).values()) == {"shown"}
    moved = models["bad"].copy()
    moved[17] += 2e-6 if moved[17] < 0.5 else -2e-6
    assert judged(rows, {"challenger": moved, "champion": models["bad"]}, settings).verdict != "unchanged"


def test_one_broken_slice_refuses_a_better_model(drawn):
    rows, models = drawn
    few = np.arange(rows.rows) % 4 == 2
    rows = dataclasses.replace(rows, slices={"kind": np.where(few, "few", "rest").astype(object)})
    challenger = np.where(few, rows.label[few].mean(), models["good"])  # nothing learned about the few
    found = judged(rows, {"challenger": challenger, "champion": models["bad"]})
    assert outcomes(found)["champion"] == "pass"
    assert (found.verdict, found.decided_by) == ("refused", "slice")
    assert "kind=few" in found.reason


@pytest.mark.parametrize(
    ("change", "decided_by"),
    [
        (lambda p: p * 0 + p.mean(), "log_loss"),
        (lambda p: sigmoid(1.5 * np.log(p / (1 - p)) + 0.4), "calibration_slope"),
        (lambda p: sigmoid(np.log(p / (1 - p)) + 0.5), "observed_over_expected"),
    ],
)
def test_a_first_model_that_is_not_calibrated_is_refused(drawn, change, decided_by):
    rows, models = drawn
    found = judged(rows, {"challenger": change(models["good"])})
    assert (found.verdict, found.decided_by) == ("refused", decided_by)


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_a_first_model_that_knows_nothing_is_not_blessed(noise):
    random = np.random.default_rng(5)
    for seed in range(20):
        rows, _ = rows_and_predictions(rows=3000, users=1500, seed=seed)
        logit = np.log(rows.base_rate / (1 - rows.base_rate)) + noise * random.normal(size=rows.rows)
        found = judged(rows, {"challenger": sigmoid(logit)})
        assert found.verdict in ("refused", "undecided"), found.reason
        assert outcomes(found)["calibration_slope"] != "pass"


@pytest.mark.parametrize(
    ("value", "standard_error", "first", "outcome"),
    [
        (0.40, 0.0097, True, "pass"),  # 0.0227 below the entropy, which is 2.33 standard errors
        (0.40, 0.0099, True, "undecided"),
        (0.40, None, True, "undecided"),
        (0.40, 0.0099, False, "pass"),  # the comparison with the champion tells more
        (0.4228, 1e-9, True, "fail"),
    ],
)
def test_without_a_champion_the_base_rate_is_beaten_beyond_doubt(value, standard_error, first, outcome):
    better = entropy(0.15) - value
    improvement = standard_error and Difference(better, better, better, standard_error, "ratio")
    check = log_loss(value, 0.15, improvement, first=first)
    assert check.outcome == outcome, check.text
    assert ("without a champion, that must be more than 0" in check.text) is (outcome == "undecided")


@pytest.mark.parametrize(
    ("estimate", "outcome"),
    [
        (Estimate(0.1, -5.5, 5.7), "undecided"),  # says nothing
        (Estimate(0.82, 0.68, 0.96), "undecided"),
        (Estimate(1.0, 0.74, 1.26), "undecided"),
        (Estimate(1.0, 0.76, 1.32), "pass"),
        (Estimate(0.84, 0.76, 0.92), "pass"),
        (Estimate(0.82, 0.75, 0.89), "fail"),
        (Estimate(1.2, 1.11, 1.3), "fail"),
    ],
)
def test_calibration_passes_only_where_the_interval_shows_it(estimate, outcome):
    slope = calibration_slope(estimate, SETTINGS, positives=200)
    ratio = observed_over_expected(
        dataclasses.replace(estimate, lower=max(estimate.lower, 0.01)),
        SETTINGS,
        base_rate=0.1,
        training_base_rate=0.1,
        positives=200,
    )
    assert (slope.outcome, ratio.outcome) == (outcome, outcome), (slope.text, ratio.text)


def test_undecided_calibration_names_the_positives_that_would_settle_it():
    error = 0.2
    wide = Estimate(1.0, 1 - 1.645 * error, 1 + 1.645 * error)
    check = calibration_slope(wide, SETTINGS, positives=200)
    assert check.text.endswith(
        "With about 792 test positives (now 200) a calibrated model would pass in 80 of 100 cases."
    )
    # With so many positives: the interval's lower end lies above 0.75 in 80 % of the draws.
    narrow = error * np.sqrt(200 / 792)
    drawn = np.random.default_rng(0).normal(1, narrow, 100_000)
    assert np.mean(drawn - 1.645 * narrow > 0.75) == pytest.approx(0.8, abs=0.01)


def test_the_range_of_the_calibration_interval_is_a_setting(drawn):
    rows, models = drawn
    narrow = GateSettings(replicates=100, calibration=(0.99, 1.01), calibration_range=(0.98, 1.02))
    found = judged(rows, {"challenger": models["good"]}, narrow)
    assert found.verdict == "undecided"
    assert {outcomes(found)[name] for name in ("calibration_slope", "observed_over_expected")} == {"undecided"}


@pytest.mark.parametrize(
    ("bounds", "reason"),
    [
        ({"roc_auc": {"lower": 0.99}}, "roc_auc is 0.*, but must be at least 0.99"),
        ({"log_loss": {"upper": 0.05}}, "log_loss is 0.*, but must be at most 0.05"),
        ({"calibration": {"upper": 0.5}}, "calibration is .*, but must be at most 0.5"),
        ({"lift_10": {"lower": 11}}, "lift_10 is .*, but must be at least 11"),
        ({"roc_auc": {"lower": 0.6}, "log_loss": {"upper": 0.6}, "calibration": {"lower": 0.5, "upper": 2}}, None),
    ],
)
def test_absolute_bounds_hold_the_figures_of_the_verdict(drawn, bounds, reason):
    rows, models = drawn
    evaluation = validate_settings({"bounds": bounds}, Evaluation, origin="")
    found = judged(rows, {"challenger": models["good"]}, bounds=evaluation.bounds)
    if reason is None:
        assert found.verdict == "blessed"
        return
    assert (found.verdict, found.decided_by) == ("refused", "bounds")
    assert re.search(reason, found.reason)
    [check] = [check for check in found.checks if check.name == "bounds"]
    assert check.value == found.metrics["challenger"].get(check.metric, check.value)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_floor_holds_whatever_the_champion_is(drawn, metric):
    rows, models = drawn
    predictions = {"challenger": models["fair"], "champion": models["fair"] * 0.999}
    value = judged(rows, predictions).metrics["challenger"][metric]
    worse = -1 if metric == "roc_auc" else 1
    for floor, outcome in ((value + worse * 0.1, "pass"), (value, "undecided"), (value - worse * 0.1, "fail")):
        settings = GateSettings(replicates=200, metric=metric, margin=0.02, slice_margin=0.1, floor=floor)
        found = judged(rows, predictions, settings)
        assert outcomes(found)["floor"] == outcome
        check = next(check for check in found.checks if check.name == "floor")
        assert check.value == pytest.approx(value)
        assert check.lower < check.value < check.upper
    assert (found.verdict, found.decided_by) == ("refused", "floor")
    assert "floor" not in outcomes(judged(rows, predictions))


def test_runs_of_a_year_share_the_error(drawn):
    rows, models = drawn
    predictions = {"challenger": models["good"], "champion": models["also_good"]}
    once, shared = (
        next(
            check
            for check in judged(rows, predictions, GateSettings(replicates=300, runs_per_year=runs)).checks
            if check.name == "champion"
        )
        for runs in (1, 52)
    )
    assert shared.upper == once.upper
    error = (once.value - once.lower) / 1.645
    assert shared.value - shared.lower == pytest.approx(3.10 * error, rel=0.12)
    assert "bounds of 99.9 % and 95 %" in shared.text
    found = judged(rows, predictions, GateSettings(replicates=300, runs_per_year=52))
    assert found.rule["confidence"] == pytest.approx(1 - 0.05 / 52)


def test_observed_over_expected_may_move_with_the_base_rate(drawn):
    rows, models = drawn
    shifted = sigmoid(np.log(models["good"] / (1 - models["good"])) + 0.5)  # as if trained where positives were more
    training_base_rate = float(shifted.mean())
    found = judged(rows, {"challenger": shifted}, training_base_rate=training_base_rate)
    assert found.verdict == "blessed"
    check = next(check for check in found.checks if check.name == "observed_over_expected")
    assert check.bound == f"{rows.base_rate / training_base_rate:.3g} to 1.1"


def test_a_metric_where_lower_is_better(drawn):
    rows, models = drawn
    settings = GateSettings(replicates=200, metric="log_loss", margin=0.002, slice_margin=0.03)
    assert judged(rows, {"challenger": models["good"], "champion": models["fair"]}, settings).verdict == "blessed"
    found = judged(rows, {"challenger": models["fair"], "champion": models["good"]}, settings)
    assert (found.verdict, found.decided_by) == ("refused", "champion")
    assert "log loss is worse by" in found.reason


def test_the_order_of_rows_and_the_names_of_users_decide_nothing(drawn):
    rows, models = drawn
    predictions = {"challenger": models["good"], "champion": models["fair"]}
    order = np.random.default_rng(1).permutation(rows.rows)
    shuffled = TestRows(
        rows.label[order],
        rows.unit[order],
        rows.date[order],
        {name: values[order] for name, values in rows.slices.items()},
    )
    first = judged(rows, predictions).to_json()
    again = judged(shuffled, {name: predicted[order] for name, predicted in predictions.items()}).to_json()
    for old, new in zip(first["checks"], again["checks"], strict=True):
        assert (old["name"], old["outcome"], old["text"]) == (new["name"], new["outcome"], new["text"])
    assert [snapshot["date"] for snapshot in first["snapshots"]] == ["2025-01-06", "2025-01-13"]


def test_the_json_is_complete_and_names_no_user(drawn):
    rows, models = drawn
    found = judged(rows, {"challenger": models["good"], "champion": models["fair"], "anchor": models["fair"]})
    text = json.dumps(found.to_json(), allow_nan=False)
    document = json.loads(text)
    assert set(document) == {
        "verdict",
        "decided_by",
        "reason",
        "rule",
        "data",
        "checks",
        "metrics",
        "snapshots",
        "slices",
        "fairness",
        "curves",
        "anchor_replaced",
    }
    assert document["rule"] == {
        "metric": "roc_auc",
        "rule": "non_inferior",
        "margin": 0.005,
        "confidence": 0.95,
        "replicates": 300,
        "seed": 1,
        "method": "bootstrap",
        "floor": None,
        "runs_per_year": None,
    }
    assert document["data"]["users"] == len(np.unique(rows.unit)) < document["data"]["rows"] == 8000
    assert set(document["snapshots"][0]) == {"date", "rows", "positives", "difference", "challenger"}
    assert set(document["slices"][0]["difference"]) == {"value", "lower", "upper"}
    assert set(document["fairness"][0]) >= {"feature", "value", "false_positive_rate", "selection_rate_ratio"}
    assert set(document["curves"]["champion"]) == {"roc", "pr", "gain", "calibration"}
    assert not any(user.decode() in text for user in np.unique(rows.unit)[:100])


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"champion": 0.5}, "the challenger's predictions are missing"),
        ({"challenger": 0.5, "rival": 0.5}, "unknown models: rival"),
        ({"challenger": 1.5}, "500 of the challenger's 500 predictions are not in"),
        ({"challenger": np.nan}, "500 of the challenger's 500 predictions"),
    ],
)
def test_predictions_that_are_none_are_refused(predictions, message):
    rows, _ = rows_and_predictions(rows=500)
    with pytest.raises(ValueError, match=message):
        judged(rows, {name: np.full(500, value) for name, value in predictions.items()})


def test_arguments_out_of_range_are_refused():
    rows, models = rows_and_predictions(rows=500)
    with pytest.raises(ValueError, match="shape"):
        judged(rows, {"challenger": models["challenger"][:-1]})
    for change in ({"training_base_rate": 0.0}, {"operating_share": 1.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            judged(rows, models, **change)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": np.array([0, 2])}, "labels must be 0 or 1"),
        ({"unit": np.arange(3)}, "unit has 3 values for 2 rows"),
        ({"slices": {"f": np.array(["a"])}}, "slice f has 1 values for 2 rows"),
        ({"label": np.array([]), "unit": np.array([])}, "no rows"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        TestRows(**{"label": np.array([0, 1]), "unit": np.arange(2), **columns})
