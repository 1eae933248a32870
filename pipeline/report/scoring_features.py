"""The features of a scoring run as rows of text: drift, the profile of decile 1, and importance."""

from __future__ import annotations

import math
from typing import Any

from pipeline.report import formats
from pipeline.report.feature_differences import LEAST_DIFFERENCE, difference, differences, typical
from pipeline.report.scoring_data import ScoringData, Summaries

Row = dict[str, Any]
#: Features that the report of a scoring run names in a profile.
NAMED = 10


def drift_view(data: ScoringData) -> Row:
    """Each feature against the champion's training rows, and against the date that was scored before."""
    earlier = data.earlier[1] if data.earlier else {}
    rows = [_drift(name, data, earlier) for name in data.scored]
    return {
        "earlier": data.earlier[0] if data.earlier else "",
        "rows": sorted(rows, key=lambda row: -row.pop("order")),
        "reported": [{"feature": name, "text": text} for name, text in data.anomalies.items()],
        "bounds": sorted({(one.kind, formats.number(one.bound, 2)) for one in data.distances.values()}),
    }


def _drift(name: str, data: ScoringData, earlier: Summaries) -> Row:
    trained, scored, distance = data.trained.get(name), data.scored[name], data.distances.get(name)
    row: Row = {
        "feature": name,
        "order": distance.value / distance.bound if distance and distance.bound else 0.0,
        "distance": formats.number(distance.value, 3) if distance else formats.NOTHING,
        "kind": distance.kind if distance else "",
        "above": distance is not None and distance.value > distance.bound,
        "reported": name in data.anomalies,
        "trained": typical(trained) if trained else formats.NOTHING,
        "scored": typical(scored),
        "trained_missing": formats.percent(trained.missing) if trained else formats.NOTHING,
        "scored_missing": formats.percent(scored.missing),
        "missing": bool(scored.missing or (trained and trained.missing)),
        "earlier": "",
        "since": "",
    }
    if name in earlier and name in data.newest:
        found = difference(name, data.newest[name], earlier[name])
        changed = abs(found.size) >= LEAST_DIFFERENCE
        row["earlier"] = typical(earlier[name])
        row["since"] = f"{found.what} {found.left} against {found.right}" if changed else "as before"
    return row


def profile_view(data: ScoringData) -> Row:
    """What sets decile 1 apart from the other customers."""
    if not data.rest or not any(summary.rows for summary in data.rest.values()):
        return {"sentences": [], "rows": []}
    found = differences(data.top, data.rest)
    named = [one for one in found if abs(one.size) >= LEAST_DIFFERENCE][:NAMED]
    return {
        "sentences": [formats.prose(one.sentence()) for one in named],
        "rows": [
            {
                "feature": one.feature,
                "what": one.what,
                "top": one.left,
                "rest": one.right,
                "size": formats.signed(one.size, 2) if math.isfinite(one.size) else "complete",
            }
            for one in found
        ],
    }


def importance_view(data: ScoringData) -> Row | None:
    """Which features move scores: mean contributions if scores.json has them, else first reasons; None without."""
    reasons = data.scores.get("reasons")
    if not reasons:
        return None
    measured = reasons.get("importance") or {}
    view: Row = {
        "method": str(reasons.get("method") or ""),
        "largest_error": f"{reasons['largest_error']:.1g}" if formats.is_number(reasons.get("largest_error")) else "",
        "explained": formats.count(reasons.get("rows")),
        "limited": data.settings.reasons_deciles if data.settings.reasons_deciles < 10 else 0,
        "mean": bool(measured),
    }
    if measured:
        largest = max(measured.values()) or 1.0
        ordered = sorted(measured.items(), key=lambda item: (-item[1], item[0]))
        view["rows"] = [
            {"feature": name, "value": formats.number(value, 3), "width": _width(value / largest)}
            for name, value in ordered
        ]
        return view
    whole = sum(one.up + one.down for one in data.first_reasons.values())
    largest = max((one.up + one.down for one in data.first_reasons.values()), default=1)
    view["rows"] = [
        {
            "feature": name,
            "value": formats.percent((one.up + one.down) / whole),
            "up": formats.percent(one.up / whole),
            "down": formats.percent(one.down / whole),
            "width": _width((one.up + one.down) / largest),
        }
        for name, one in data.first_reasons.items()
    ]
    return view


def _width(share: float) -> str:
    return f"{100 * share:.1f}"
