"""Renders report.html, the page of a run, from plain data. Nothing here imports TensorFlow."""

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
        One self-contained HTML page, without scripts. All text from the data is escaped.
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
                    "The closer a curve is to the upper left corner, the better the ranking.",
                    plots.roc(curves),
                ),
                (
                    "Precision and recall",
                    "Precision: the share of positives among the rows that you act on. Recall: the share of all "
                    "positives that you reach.",
                    plots.precision_recall(curves, test.get("base_rate")),
                ),
                (
                    "Gain",
                    "The share of all positives that you reach if you act on the highest predictions first.",
                    plots.gain(curves, test.get("operating_share")),
                ),
                (
                    "Calibration",
                    "On the dotted line, predictions equal outcomes. Each point is a group of rows. The axes are "
                    "stretched near 0.",
                    plots.calibration(curves),
                ),
            )
        ]
        if curves
        else [],
    )
