"""report.html: one page on a run, from plain data. Nothing here imports TensorFlow."""

from __future__ import annotations

from pipeline.report import data_view, learned_view, plots
from pipeline.report.run_data import RunData
from pipeline.report.templates import render
from pipeline.report.verdict_view import verdict_view


def render_report(run: RunData) -> str:
    """The page of a run.

    Args:
        run: the run.

    Returns:
        HTML that needs nothing beside it: no network, no script. Text of the data is escaped.
    """
    test, curves = run.verdict.get("data") or {}, run.verdict.get("curves") or {}
    return render(
        "report.html.j2",
        run=run,
        view=verdict_view(run.verdict, pushed=run.pushed),
        data=data_view.data_view(run),
        learned=learned_view.learned_view(run),
        infra=data_view.infra_view(run.infra),
        plots=[
            (title, caption, plot)
            for title, caption, plot in (
                (
                    "ROC",
                    "The further towards the upper left, the better the ranking.",
                    plots.roc(curves),
                ),
                (
                    "Precision and recall",
                    "How many of the rows acted on are positive, as more and more positives are reached.",
                    plots.precision_recall(curves, test.get("base_rate")),
                ),
                (
                    "Gain",
                    "Act on the highest predictions first: how many of all positives are reached.",
                    plots.gain(curves, test.get("operating_share")),
                ),
                (
                    "Calibration",
                    "On the dotted line, what was predicted is what happened. Each point is a group of rows; axes are "
                    "stretched near 0.",
                    plots.calibration(curves),
                ),
            )
        ]
        if curves
        else [],
    )
