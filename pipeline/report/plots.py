"""Plots as inline SVG, which stays sharp at any width and keeps text as text."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.families import FAMILIES
from models.families.contract import display
from pipeline.gate.confidence import Z
from pipeline.report.run_data import Curve, Importance

# Colours by Okabe and Ito, which colour-blind readers can tell apart. Line styles differ as well.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6B6B6B"
PURPLE, YELLOW, SKY = "#CC79A7", "#E69F00", "#56B4E9"
_STYLES = {"challenger": (BLUE, "-"), "champion": (ORANGE, "--")}
LOADED_BY_NAME = ("models.families.*",)  # read by pipeline.digest
_FAMILY_COLOURS = dict(zip(FAMILIES, (BLUE, ORANGE, GREEN, PURPLE, YELLOW, SKY), strict=False))
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_SIZE = (4.4, 3.5)  # inches of 72 points: about the width of a phone
_ROOT_TICKS = (0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1)

Curves = Mapping[str, Any]
_styled = matplotlib.rc_context(_SETTINGS)  # a decorator: the settings apply only while a plot is made


@_styled
def roc(curves: Curves) -> Markup:
    """ROC curves by model, `{"x": false positive rate, "y": true positive rate}`."""
    return _overlay(
        curves,
        "roc",
        ("False positive rate", "True positive rate"),
        "ROC curve",
        lambda axes: axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="chance"),
    )


@_styled
def precision_recall(curves: Curves, base_rate: float | None) -> Markup:
    """Precision by recall for each model."""

    def chance(axes: Axes) -> None:
        if base_rate is not None:
            axes.axhline(base_rate, color=GREY, linestyle=":", linewidth=1, label="base rate")

    return _overlay(curves, "pr", ("Recall", "Precision"), "Precision and recall", chance)


@_styled
def gain(curves: Curves, operating_share: float | None) -> Markup:
    """Share of all positives by share of rows, highest predictions first, for each model."""

    def guides(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label="chance")
        if operating_share is not None:
            axes.axvline(operating_share, color=GREY, linewidth=1, label="operating point")

    return _overlay(curves, "gain", ("Share of rows, highest predictions first", "Share of positives"), "Gain", guides)


@_styled
def calibration(curves: Curves) -> Markup:
    """Mean observed by mean predicted probability of groups of rows, for each model.

    The axes show square roots: most probabilities of a rare event are small and would overlap.
    """
    figure, axes = _figure("Mean predicted probability", "Share of positives observed")
    most = 0.0
    for model, (colour, style) in _STYLES.items():
        points = (curves.get(model) or {}).get("calibration")
        if not points:
            continue
        predicted, observed = np.array(points["predicted"], float), np.array(points["observed"], float)
        most = max(most, np.nanmax(predicted, initial=0), np.nanmax(observed, initial=0))
        axes.plot(predicted, observed, color=colour, linestyle=style, marker="o", markersize=4, label=model)
    most = most * 1.05 or 1.0
    axes.plot([0, most], [0, most], color=GREY, linestyle=":", linewidth=1, label="perfect")
    ticks = [tick for tick in _ROOT_TICKS if tick <= most]
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_yscale("function", functions=(_root, np.square))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set(xlim=(0, most), ylim=(0, most))
    axes.legend(loc="upper left")
    return _svg(figure, "Calibration")


@_styled
def training_curves(name: str, curves: Mapping[str, Curve]) -> Markup:
    """Log loss of one family over training, on train and eval, with the lowest eval loss marked."""
    figure, axes = _figure(display(name).step, "Log loss")
    for split, colour, style in (("train", GREY, "--"), ("eval", _FAMILY_COLOURS.get(name, BLUE), "-")):
        if split in curves:
            axes.plot(curves[split].steps, curves[split].values, color=colour, linestyle=style, label=split)
    if "eval" in curves:
        best = int(np.argmin(curves["eval"].values))
        step, value = curves["eval"].steps[best], curves["eval"].values[best]
        axes.plot([step], [value], "o", color="black", markersize=5, label=f"lowest: {value:.4f} at {step:,}")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(loc="upper right")
    return _svg(figure, f"Training curves of {FAMILIES.get(name, name)}")


@_styled
def importance(families: Mapping[str, Importance], features: Sequence[str]) -> Markup:
    """Bars of each feature's importance with 90 % intervals. The first feature is at the top."""
    thickness = 0.8 / max(1, len(families))
    figure, axes = _figure("Rise in eval log loss when shuffled", "", (4.9, 0.9 + 0.33 * len(features)))
    rows = np.arange(len(features))
    for index, (name, found) in enumerate(families.items()):
        offset = (index - (len(families) - 1) / 2) * thickness
        axes.barh(
            rows + offset,
            [found.rise[feature] for feature in features],
            thickness,
            xerr=[Z * found.standard_error[feature] for feature in features],
            error_kw={"elinewidth": 0.8, "ecolor": "#333333"},
            color=_FAMILY_COLOURS.get(name, GREY),
            label=FAMILIES.get(name, name),
        )
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_yticks(rows, features)
    axes.set_ylim(len(features) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower right")
    return _svg(figure, "Importance of the features")


@_styled
def base_rates(
    dates: Sequence[str], groups: Mapping[str, Sequence[tuple[float, float] | None]], axis: str = "Snapshot"
) -> Markup:
    """Base rate by date in per cent, with 90 % intervals.

    Args:
        dates: snapshots or other dates in order.
        groups: by name, for each group of rows, rate_with_half_width or None for each date.
        axis: what the dates are.
    """
    figure, axes = _figure(axis, "Base rate, %", (4.9, 3.1))
    for (name, points), colour, marker in zip(groups.items(), (BLUE, ORANGE), ("o", "s"), strict=False):
        at = [position for position, point in enumerate(points) if point]
        rate = [100 * point[0] for point in points if point]
        half = [100 * point[1] for point in points if point]
        axes.errorbar(at, rate, half, fmt=marker, color=colour, markersize=5, capsize=3, linewidth=1.2, label=name)
    every = -(-len(dates) // 8)
    axes.set_xticks(range(0, len(dates), every), dates[::every], rotation=45, ha="right")
    axes.set_ylim(bottom=0)
    if len(groups) > 1:
        axes.legend(loc="lower right")
    return _svg(figure, f"Base rate by {axis.lower()}")


@_styled
def score_distribution(scored: Mapping[str, Any], test: Mapping[str, Any] | None) -> Markup:
    """Share of the rows by score, of a scoring run and of the test rows, up to the highest score of both.

    Args:
        scored: `edges` and `counts` of a histogram.
        test: the same; None if it is not known.
    """
    figure, axes = _figure("Score", "Share of the customers, %", (4.9, 3.3))
    last = 1
    for name, histogram, colour, style in (("this run", scored, BLUE, "-"), ("test rows", test, ORANGE, "--")):
        counts = np.array(histogram["counts"], float) if histogram else np.zeros(0)
        if not counts.sum():
            continue
        shares = 100 * counts / counts.sum()
        axes.stairs(np.where(shares > 0, shares, np.nan), histogram["edges"], color=colour, linestyle=style, label=name)
        last = max(last, int(np.flatnonzero(counts)[-1]) + 1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(0, scored["edges"][min(last, len(scored["edges"]) - 1)])
    axes.legend(loc="upper right")
    return _svg(figure, "Distribution of the scores")


def rate_with_half_width(positives: int, rows: int) -> tuple[float, float]:
    """A share and half of its 90 % interval by the normal approximation."""
    rate = positives / rows
    return rate, Z * math.sqrt(rate * (1 - rate) / rows)


def _overlay(curves: Curves, kind: str, labels: tuple[str, str], title: str, guide: Any) -> Markup:
    """Curves of one kind for challenger and champion, on the unit square."""
    figure, axes = _figure(*labels)
    for model, (colour, style) in _STYLES.items():
        points = (curves.get(model) or {}).get(kind)
        if points:
            axes.plot(points["x"], points["y"], color=colour, linestyle=style, label=model)
    guide(axes)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="best")
    return _svg(figure, title)


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _figure(x: str, y: str, size: tuple[float, float] = _SIZE) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _svg(figure: Figure, title: str) -> Markup:
    """The figure as an `<svg>` element. Its ids are unique on a page with several figures."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", title.lower())
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{prefix}-", svg)
    return Markup(svg.replace("<svg ", Markup('<svg role="img" aria-label="{}" ').format(title), 1))
