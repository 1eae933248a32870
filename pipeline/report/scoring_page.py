"""Renders the page of a scoring run from plain data. Nothing here imports TensorFlow."""

from __future__ import annotations

from typing import Any

from pipeline.report import formats, plots, scoring_features, scoring_view
from pipeline.report.scoring_data import ScoringData
from pipeline.report.templates import render
from pipeline.scores.power import ALPHA, POWER, arm_sizes

#: Shares of a holdout that the report of a scoring run shows sample sizes for, without a holdout in the settings.
SHOWN_HOLDOUTS = (0.05, 0.1, 0.2)


def render_scoring_report(data: ScoringData) -> str:
    """The page of a scoring run.

    Args:
        data: the run.

    Returns:
        One self-contained HTML page, without scripts and without any key. All text from the data is escaped.
    """
    return render(
        "scoring.html.j2",
        title=data.title,
        made_at=data.made_at,
        warnings=[formats.prose(warning) for warning in data.warnings],
        run=scoring_view.run_view(data),
        distribution=scoring_view.distribution_view(data),
        plot=plots.score_distribution(data.day["histogram"], data.test and data.test["histogram"]),
        deciles=scoring_view.deciles_view(data),
        drift=scoring_features.drift_view(data),
        profile=scoring_features.profile_view(data),
        importance=scoring_features.importance_view(data),
        change=scoring_view.change_view(data),
        holdout=scoring_view.holdout_view(data),
        sizes=_sizes(data),
    )


def _sizes(data: ScoringData) -> dict[str, Any] | None:
    """How many customers show a lift, by the holdout's share; None where nothing is expected to convert."""
    rate = data.day["mean"]
    if not 0 < rate < 1:
        return None
    share = data.settings.holdout_percent / 100
    shares = [share] if share else list(SHOWN_HOLDOUTS)
    columns = [arm_sizes(rate, one) for one in shares]
    return {
        "rate": formats.percent(rate, 2),
        "alpha": formats.percent(ALPHA, 0),
        "power": formats.percent(POWER, 0),
        "shares": [formats.percent(one, 0 if float(100 * one).is_integer() else 1) for one in shares],
        "rows": [
            {
                "lift": formats.percent(rows[0].lift, 0),
                "rate": formats.percent(rate * (1 + rows[0].lift), 2),
                "arms": [
                    (formats.count(size.treated), formats.count(size.holdout), _enough(size, data)) for size in rows
                ],
            }
            for rows in zip(*columns, strict=True)
        ],
    }


def _enough(size: Any, data: ScoringData) -> bool:
    """Whether the customers of this run are enough."""
    return size.treated is not None and size.treated + size.holdout <= data.day["rows"]
