"""A scoring run as rows of text: what was scored, its deciles, what changed, and the holdout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.scoring_data import ScoringData
from pipeline.scores.day_changes import FAR_DECILES
from pipeline.scores.layout import HOLDOUT, TREATED

Row = dict[str, Any]
_HEX = 12  # digits of a digest that tell models apart


def run_view(data: ScoringData) -> Row:
    """How many were scored, by which model, into which table, and what was replaced."""
    model = data.scores["model"]
    written = {day["date"]: day for day in data.written.get("days") or []}
    dates = [_date(day, written.get(day["date"]) or {}, data) for day in data.scores["dates"]]
    return {
        "table": str(data.written.get("table") or ""),
        "rows": formats.count(sum(day["rows"] for day in data.scores["dates"])),
        "newest": _key_figures(data.day),
        "date": data.day["date"],
        "dates": dates,
        "replaced": [row for row in dates if row["replaced"]],
        "model": {
            "version": str(model["version"]),
            "digest": str(model["digest"])[:_HEX],
            "family": str(model.get("family") or ""),
            "trained_through": str(model.get("trained_through") or ""),
            "trained_at": str(model.get("trained_at") or "")[:16].replace("T", " "),
        },
        "run_id": str(data.scores["run_id"]),
        "scored_at": str(data.scores["scored_at"])[:16].replace("T", " "),
    }


def _key_figures(day: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    expected = sum(decile["expected"] for decile in day["deciles"])
    top = day["deciles"][0]
    return [
        ("Customers scored", formats.count(day["rows"]), f"on {day['date']}"),
        ("Mean score", formats.percent(day["mean"], 2), "the mean probability to convert"),
        ("Expected conversions", _conversions(expected), "the sum of all scores"),
        (
            "In decile 1",
            _conversions(top["expected"]),
            f"expected, of {formats.count(top['rows'])} customers"
            + (f": {formats.percent(top['expected'] / expected, 0)} of all" if expected else ""),
        ),
    ]


def _date(day: Mapping[str, Any], written: Mapping[str, Any], data: ScoringData) -> Row:
    before, top = written.get("replaced"), day["deciles"][0]
    return {
        "date": str(day["date"]),
        "rows": formats.count(day["rows"]),
        "mean": formats.percent(day["mean"], 2),
        "expected": _conversions(sum(decile["expected"] for decile in day["deciles"])),
        "top": _conversions(top["expected"]),
        "lowest": formats.percent(top["lowest"], 2),
        "replaced": _replaced(before, data) if before else "",
    }


def _replaced(before: Mapping[str, Any], data: ScoringData) -> str:
    same = before["model_digest"] == data.scores["model"]["digest"]
    model = "the same model" if same else f"model {before['model_version']}"
    when = str(before.get("scored_at") or "")[:16].replace("T", " ")
    return f"{formats.count(before['rows'])} scores of {model}{f', made {when} UTC' if when else ''}"


def deciles_view(data: ScoringData) -> list[Row]:
    """The newest date's deciles, with the conversions that the same decile had on test, if they are known."""
    tested = {row["decile"]: row for row in (data.test or {}).get("deciles") or []}
    whole = sum(decile["expected"] for decile in data.day["deciles"])
    rows, so_far = [], 0.0
    for decile in data.day["deciles"]:
        so_far += decile["expected"]
        test = tested.get(decile["decile"])
        rows.append(
            {
                "decile": str(decile["decile"]),
                "rows": formats.count(decile["rows"]),
                "range": f"{formats.percent(decile['lowest'], 2)} to {formats.percent(decile['highest'], 2)}",
                "mean": formats.percent(decile["mean"], 2),
                "expected": _conversions(decile["expected"]),
                "gain": formats.percent(so_far / whole) if whole else formats.NOTHING,
                "test_mean": formats.percent(test["mean"], 2) if test else formats.NOTHING,
                "test_rate": formats.percent(test["positives"] / test["rows"], 2) if test else formats.NOTHING,
            }
        )
    return rows


def distribution_view(data: ScoringData) -> Row | None:
    """The newest date's scores against those of test; None if the champion's scores of test are not known."""
    if data.test is None:
        return None
    test = data.test
    return {
        "mean": formats.percent(data.day["mean"], 2),
        "test_mean": formats.percent(test["mean"], 2),
        "test_rate": formats.percent(test["positives"] / test["rows"], 2),
        "test_rows": formats.count(test["rows"]),
        "distance": formats.number(_distance(data.day["histogram"]["counts"], test["histogram"]["counts"]), 3),
    }


def _distance(left: list[int], right: list[int]) -> float | None:
    """The largest difference between two cumulative distributions over the same bins (Kolmogorov and Smirnov)."""
    if len(left) != len(right) or not sum(left) or not sum(right):
        return None
    gap, largest = 0.0, 0.0
    for mine, other in zip(left, right, strict=True):
        gap += mine / sum(left) - other / sum(right)
        largest = max(largest, abs(gap))
    return largest


def change_view(data: ScoringData) -> Row | None:
    """What changed since the date that was scored before; None without one."""
    if data.change is None:
        return None
    before, found = data.change.before, data.change.figures
    moved = found.up + found.down
    rows = [
        ("Customers", formats.count(found.rows[0]), formats.count(found.rows[1])),
        ("Mean score", formats.percent(found.mean[0], 2), formats.percent(found.mean[1], 2)),
        ("Customers in decile 1", formats.count(found.top[0]), formats.count(found.top[1])),
    ]
    sentences = []
    if data.change.followed and found.both:
        sentences = [
            f"{formats.count(found.both)} customers have a score on both dates.",
            f"{formats.count(found.top_both)} customers are in decile 1 on both dates: "
            f"{formats.percent(found.top_both / found.top[0])} of those who were in it on {before.date}.",
            f"{formats.count(moved)} customers ({formats.percent(moved / found.both)} of those on both dates) moved by "
            f"{FAR_DECILES} deciles or more: {formats.count(found.up)} to a better decile, "
            f"{formats.count(found.down)} to a worse one.",
        ]
    elif data.change.followed:
        sentences = ["No customer has a score on both dates."]
    else:
        sentences = ["The data set has no key, so customers cannot be followed from one date to the next."]
    same = before.model_digest == data.scores["model"]["digest"]
    return {
        "date": str(before.date),
        "rows": rows,
        "sentences": sentences,
        "model": "" if same else f"Model {before.model_version}, another model, made the scores of {before.date}.",
    }


def holdout_view(data: ScoringData) -> Row:
    """The arms of the newest date, and the mean score of all customers, the base of the sample sizes."""
    arms = data.day.get("arms") or {}
    return {
        "percent": f"{data.settings.holdout_percent:g}",
        "on": data.settings.holdout_percent > 0,
        "treated": formats.count(arms.get(TREATED, 0)),
        "holdout": formats.count(arms.get(HOLDOUT, 0)),
    }


def _conversions(value: float) -> str:
    """Expected conversions: whole ones, unless there are few."""
    return formats.count(value) if value >= 10 else formats.number(value, 1)
