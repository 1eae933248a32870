"""The page of a scoring run from plain data, with and without what a run may lack."""

import dataclasses
import datetime
import re

import pytest

from pipeline.report.scoring_data import Change, Distance, FeatureSummary, FirstReason, ScoringData
from pipeline.report.scoring_page import render_scoring_report
from pipeline.scores.day_changes import DayChanges
from pipeline.scores.table import ScoredDay
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.report.documents import HOSTILE
from tests.pipeline.report.pages import Page

EDGES = [index / 50 for index in range(51)]
AT = datetime.datetime(2026, 1, 5, 4, tzinfo=datetime.timezone.utc)


def day(date="2026-01-06", rows=10_000, mean=0.05):
    deciles = [
        {"decile": n, "rows": rows // 10, "mean": mean * (11 - n) / 5, "lowest": 0.001, "highest": 0.9,
         "expected": rows / 10 * mean * (11 - n) / 5} for n in range(1, 11)
    ]  # fmt: skip
    histogram = {"edges": EDGES, "counts": [rows - 10, *[0] * 10, 10, *[0] * 38]}
    arms = {"treated": rows, "holdout": 0}
    return {"date": date, "rows": rows, "mean": mean, "histogram": histogram, "deciles": deciles, "arms": arms}


def number(mean, rows=10_000):
    return FeatureSummary(rows, rows, mean, 1.0)


def data(**more):
    model = {"version": "7", "digest": "a" * 64, "family": "keras", "trained_at": None, "trained_through": None}
    features = {"carts": number(1.0), HOSTILE: FeatureSummary(10_000, 9_000, values={HOSTILE: 5_000, "b": 4_000})}
    return ScoringData(
        **{
            "title": HOSTILE,
            "scores": {"model": model, "run_id": HOSTILE, "scored_at": "2026-01-06T03:04:05+00:00", "dates": [day()],
                       "reasons": None},
            "written": {"table": HOSTILE, "days": []},
            "settings": ScoringSettings(),
            "warnings": [HOSTILE],
            "anomalies": {HOSTILE: HOSTILE},
            "distances": {"carts": Distance("Jensen-Shannon divergence", 0.1, 0.25)},
            "trained": features,
            "scored": features,
            "newest": features,
            "earlier": None,
            "top": {**features, "carts": number(2.4)},
            "rest": {**features, "carts": number(0.1)},
            "test": None,
            "first_reasons": {},
            "change": None,
            **more,
        }
    )  # fmt: skip


def page(**more):
    source = render_scoring_report(data(**more))
    assert "<script" not in source
    return Page(source)


def with_reasons(**reasons):
    scores = dict(data().scores)
    return {**scores, "reasons": {"method": "m", "baseline": 0.0, "largest_error": 2e-6, "rows": 5, **reasons}}


def test_a_run_without_anything_optional_has_all_sections():
    found = page()
    for section in ("What was scored", "The scores", "Deciles", "Drift", "Who is in decile 1", "Which features move"):
        assert section in found.text
    assert "This run computed no reasons" in found.text
    assert "There is no holdout: all 10,000 customers" in found.text
    assert "carts: mean 2.40 against 0.100" in found.text
    assert "(50.0 %) missing 10.0 %" in found.text
    assert "nan" not in found.text and "None" not in found.text
    ids = [value for name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_sample_sizes_are_shown_for_the_holdout_of_the_settings_or_for_several():
    assert "Holdout of 5 %" in page().text and "Holdout of 20 %" in page().text
    found = page(settings=ScoringSettings(holdout_percent=12.5))
    assert "Holdout of 12.5 %" in found.text and "Holdout of 5 %" not in found.text
    nobody = {**data().scores, "dates": [day(mean=0.0)]}
    assert "How many customers show a lift" not in page(scores=nobody).text


def test_importance_is_the_mean_contribution_if_it_was_measured_else_first_reasons():
    found = page(scores=with_reasons(importance={"carts": 0.5, "source": 0.25}))
    assert "over 5 customers" in found.text and re.search(r"carts +0\.500", found.text)
    found = page(
        scores=with_reasons(),
        settings=ScoringSettings(reasons_deciles=2),
        first_reasons={"carts": FirstReason(3, 1)},
    )
    assert "among the customers of deciles 1 to 2" in found.text
    assert re.search(r"carts +100\.0 % +75\.0 % +25\.0 %", found.text)


def test_the_scores_of_test_stand_beside_each_decile():
    test = {
        "rows": 1000, "positives": 60, "mean": 0.055, "histogram": {"edges": EDGES, "counts": [1000, *[0] * 49]},
        "deciles": [{"decile": 1, "rows": 100, "mean": 0.3, "positives": 32}],
    }  # fmt: skip
    found = page(test=test)
    assert "it was 5.50 %, and 6.00 % converted" in found.text
    assert re.search(r"30\.00 % +32\.00 %", found.text)
    assert "cumulative distributions is 0.001" in found.text


@pytest.mark.parametrize(
    ("digest", "followed", "both", "expected"),
    [
        (
            "a" * 64,
            True,
            9_000,
            "500 customers (5.6 % of those on both dates) moved by 3 deciles or more: 300 to a better",
        ),
        ("b" * 64, True, 9_000, "Model 6, another model, made the scores of 2026-01-05."),
        ("a" * 64, False, 0, "The data set has no key"),
        ("a" * 64, True, 0, "No customer has a score on both dates"),
    ],
)
def test_what_changed_since_the_last_date(digest, followed, both, expected):
    before = ScoredDay(datetime.date(2026, 1, 5), 9_500, "6", digest, "run", AT)
    figures = DayChanges((9_500, 10_000), (0.04, 0.05), (950, 1_000), both, min(both, 700), 300, 200)
    found = page(change=Change(before, figures, followed))
    assert expected in found.text
    assert ("another model" in found.text) == (digest != "a" * 64)


def test_of_many_dates_each_says_what_it_replaced():
    old = {
        "rows": 9,
        "model_version": "3",
        "model_digest": "c" * 64,
        "run_id": "r",
        "scored_at": "2026-01-05T01:02:03+00:00",
    }
    scores = {**data().scores, "dates": [day("2026-01-05"), day()]}
    written = {"table": "t", "days": [{"date": "2026-01-05", "rows": 5, "replaced": old}]}
    found = page(scores=scores, written=written)
    assert "This run scored 20,000 rows of 2 dates" in found.text
    assert "The scores of 1 of 2 dates" in found.text
    assert "9 scores of model 3, made 2026-01-05 01:02 UTC" in found.text


def test_features_are_compared_with_the_date_before():
    earlier = {"carts": number(3.0), "gone": number(1.0)}
    found = page(earlier=("2026-01-02", earlier))
    assert "compare 2026-01-06 with 2026-01-02" in found.text
    assert "mean 1.00 against 3.00" in found.text
    assert "as before" in page(earlier=("2026-01-02", {"carts": number(1.0)})).text


def test_one_decile_alone_has_nothing_to_be_compared_with():
    lone = dataclasses.replace(data(), rest={name: FeatureSummary(0, 0) for name in data().rest})
    assert "No feature sets decile 1 apart" in Page(render_scoring_report(lone)).text
