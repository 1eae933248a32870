"""The figures of a verdict as rows of text: metrics, lift, snapshots, slices, fairness."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.wording import LIFT_PERCENTAGES, metric

Document = Mapping[str, Any]
Row = dict[str, Any]
KEY_FIGURES = ("roc_auc", "pr_auc", "log_loss", "lift_10")


def metric_rows(document: Document, names: Iterable[str]) -> list[Row]:
    """One row for each metric of the challenger, with its difference from the champion, if there is one."""
    of = document.get("metrics") or {}
    challenger, champion, anchor = (of.get(role) or {} for role in ("challenger", "champion", "anchor"))
    rows = []
    for name in names:
        if name not in challenger:
            continue
        shown = metric(name)
        difference = _minus(challenger.get(name), champion.get(name))
        rows.append(
            {
                "title": shown.title,
                "meaning": shown.meaning,
                "better": shown.better,
                "challenger": formats.number(challenger.get(name), shown.decimals),
                "champion": formats.number(champion.get(name), shown.decimals),
                "anchor": formats.number(anchor.get(name), shown.decimals),
                "difference": formats.signed(difference, shown.decimals),
                "interval": _interval(document, name),
                "judgement": _judgement(difference, shown.better, shown.decimals),
            }
        )
    return rows


def _judgement(difference: float | None, better: str, digits: int) -> str:
    """`better`, `worse` or `equal`, at the decimals that are shown."""
    if difference is None or better not in ("higher", "lower"):
        return ""
    if round(abs(difference), digits) == 0:
        return "equal"
    return "better" if (difference > 0) == (better == "higher") else "worse"


def _interval(document: Document, name: str) -> str:
    """The interval of challenger minus champion; empty for a metric that the rule does not use.

    A check says by how much the challenger is better. For a loss, this flips the signs.
    """
    for check in document.get("checks") or []:
        if check.get("name") == "champion" and check.get("metric") == name:
            ends = [check.get("lower"), check.get("upper")]
            if metric(name).better == "lower":
                ends = [-end if formats.is_number(end) else None for end in reversed(ends)]
            return formats.interval(*ends, metric(name).decimals, plus=True)
    return ""


def _minus(left: Any, right: Any) -> float | None:
    return left - right if formats.is_number(left) and formats.is_number(right) else None


def lift_rows(document: Document) -> list[Row]:
    """One row for each share of the rows, highest predictions first."""
    of = document.get("metrics") or {}
    challenger, champion = of.get("challenger") or {}, of.get("champion") or {}
    return [
        {
            "share": f"{percentage} %",
            "lift": formats.number(challenger.get(f"lift_{percentage}"), 2),
            "champion_lift": formats.number(champion.get(f"lift_{percentage}"), 2),
            "gain": formats.percent(challenger.get(f"gain_{percentage}")),
            "champion_gain": formats.percent(champion.get(f"gain_{percentage}")),
        }
        for percentage in LIFT_PERCENTAGES
        if f"lift_{percentage}" in challenger
    ]


def snapshot_rows(document: Document) -> list[Row]:
    """One row for each test snapshot; empty for a table without dates."""
    name = (document.get("rule") or {}).get("metric") or "roc_auc"
    return [
        {
            "date": str(row.get("date")),
            "rows": formats.count(row.get("rows")),
            "positives": formats.count(row.get("positives")),
            "challenger": formats.number((row.get("challenger") or {}).get(name), metric(name).decimals),
            **_difference(row.get("difference")),
        }
        for row in document.get("snapshots") or []
    ]


def _difference(found: Document | None) -> Row:
    found = found or {}
    return {
        "difference": formats.signed(found.get("value")),
        "interval": formats.interval(found.get("lower"), found.get("upper"), plus=True),
    }


def slice_rows(document: Document) -> Row:
    """Slices by feature: the judged ones, and the small ones that are only shown."""
    name = (document.get("rule") or {}).get("metric") or "roc_auc"
    rows = [
        {
            "feature": str(row.get("feature")),
            "value": str(row.get("value")),
            "rows": formats.count(row.get("rows")),
            "positives": formats.count(row.get("positives")),
            "base_rate": formats.percent(row.get("base_rate")),
            "challenger": formats.number((row.get("challenger") or {}).get(name), metric(name).decimals),
            "champion": formats.number((row.get("champion") or {}).get(name), metric(name).decimals),
            "outcome": row.get("outcome") or "shown",
            **_difference(row.get("difference")),
        }
        for row in document.get("slices") or []
    ]
    return {
        "metric": metric(name).title,
        "judged": _by_feature([row for row in rows if row["outcome"] != "shown"]),
        "shown": _by_feature([row for row in rows if row["outcome"] == "shown"]),
    }


def _by_feature(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    return [(feature, list(group)) for feature, group in itertools.groupby(rows, key=lambda row: row["feature"])]


def fairness_rows(document: Document) -> list[tuple[str, list[Row]]]:
    """One row for each value, grouped by feature."""
    return _by_feature(
        [
            {
                "feature": str(row.get("feature")),
                "value": str(row.get("value")),
                "rows": formats.count(row.get("rows")),
                "selection_rate": formats.percent(row.get("selection_rate")),
                "selection_rate_ratio": formats.number(row.get("selection_rate_ratio"), 2),
                "false_positive_rate": formats.percent(row.get("false_positive_rate")),
                "false_negative_rate": formats.percent(row.get("false_negative_rate")),
                "equalised_odds_difference": formats.number(row.get("equalised_odds_difference"), 3),
            }
            for row in document.get("fairness") or []
        ]
    )
