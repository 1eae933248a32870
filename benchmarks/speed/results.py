"""Compares runs: seconds and ratios by component and in total, and the cost of more rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.speed.runs import Run

GROWTH_PER_ROWS = 100_000  # rows; the unit of marginal costs


def document(runs: Sequence[Run], rows: int) -> dict[str, Any]:
    """Everything that was measured; the median of repeated runs.

    Args:
        runs: of any kind and size. A figure without a run is None in the document.
        rows: the size at which the three programs are compared.

    Returns:
        JSON-ready: `rows`, `repeats`, `evaluated_rows`, `components`, `total`, `floor_steps` and `growth`. All seconds
        are wall time except those named `cpu`. `total.ratio` is stock's time over ours for the steps that stock has,
        including start and imports. `total.ratio_all` is stock's time over all of ours. `total.over_floor` is all of
        ours over the floor.
    """
    of = {kind: [run for run in runs if run.kind == kind and run.rows == rows] for kind in ("stock", "ours", "floor")}
    stock_names = _step_names(of["stock"])
    names = [*stock_names, *(name for name in _step_names(of["ours"]) if name not in stock_names)]
    return {
        "rows": rows,
        "repeats": {kind: len(found) for kind, found in of.items()},
        "evaluated_rows": {kind: found[-1].evaluated_rows if found else None for kind, found in of.items()},
        "components": {name: _component(of["stock"], of["ours"], name) for name in names},
        "total": _total(of["stock"], of["ours"], of["floor"]),
        "floor_steps": {
            name: {
                "s": _step(of["floor"], name, "wall_s"),
                "cpu_s": _step(of["floor"], name, "cpu_s"),
                "peak_mib": _step(of["floor"], name, "peak_mib"),
            }
            for name in _step_names(of["floor"])
        },
        "growth": growth(runs),
    }


def growth(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each size at which both ours and the floor ran: their seconds, and the cost of the rows since the last size.

    `marginal` is None for the smallest size. Otherwise it holds the seconds per 100,000 further rows of ours and the
    floor, wall and CPU, and their ratio (None if the floor's cost is not above zero).
    """
    sizes = sorted({run.rows for run in runs if run.kind == "ours"} & {run.rows for run in runs if run.kind == "floor"})
    found: list[dict[str, Any]] = []
    for rows in sizes:
        ours, floor = ([run for run in runs if run.kind == kind and run.rows == rows] for kind in ("ours", "floor"))
        entry = {
            "rows": rows,
            "ours_s": _median(run.wall_s for run in ours),
            "floor_s": _median(run.wall_s for run in floor),
            "ours_cpu_s": _median(run.cpu_s for run in ours),
            "floor_cpu_s": _median(run.cpu_s for run in floor),
            "ours_peak_mib": _median(run.peak_mib for run in ours),
        }
        found.append({**entry, "marginal": _marginal(found[-1], entry) if found else None})
    return found


def _marginal(smaller: dict[str, Any], larger: dict[str, Any]) -> dict[str, float | None]:
    more = (larger["rows"] - smaller["rows"]) / GROWTH_PER_ROWS
    found = {
        key: round((larger[key] - smaller[key]) / more, 3) for key in ("ours_s", "floor_s", "ours_cpu_s", "floor_cpu_s")
    }
    return {
        **found,
        "factor": _ratio(found["ours_s"], found["floor_s"]),
        "cpu_factor": _ratio(found["ours_cpu_s"], found["floor_cpu_s"]),
    }


def _component(stock: Sequence[Run], ours: Sequence[Run], name: str) -> dict[str, float | None]:
    stock_s, ours_s = _step(stock, name, "wall_s"), _step(ours, name, "wall_s")
    stock_cpu_s, ours_cpu_s = _step(stock, name, "cpu_s"), _step(ours, name, "cpu_s")
    return {
        "stock_s": stock_s,
        "ours_s": ours_s,
        "ratio": _ratio(stock_s, ours_s),
        "stock_cpu_s": stock_cpu_s,
        "ours_cpu_s": ours_cpu_s,
        "cpu_ratio": _ratio(stock_cpu_s, ours_cpu_s),
        "stock_peak_mib": _step(stock, name, "peak_mib"),
        "ours_peak_mib": _step(ours, name, "peak_mib"),
    }


def _total(stock: Sequence[Run], ours: Sequence[Run], floor: Sequence[Run]) -> dict[str, float | None]:
    in_stock = set(_step_names(stock))
    stock_s, ours_s, floor_s = (_median(run.wall_s for run in found) for found in (stock, ours, floor))
    stock_cpu_s, ours_cpu_s, floor_cpu_s = (_median(run.cpu_s for run in found) for found in (stock, ours, floor))
    shared_s = _median(_without_others(run, in_stock, "wall_s") for run in ours) if stock else None
    shared_cpu_s = _median(_without_others(run, in_stock, "cpu_s") for run in ours) if stock else None
    return {
        "stock_s": stock_s,
        "ours_s": ours_s,
        "ours_stock_steps_s": shared_s,
        "floor_s": floor_s,
        "ratio": _ratio(stock_s, shared_s),
        "ratio_all": _ratio(stock_s, ours_s),
        "over_floor": _ratio(ours_s, floor_s),
        "stock_cpu_s": stock_cpu_s,
        "ours_cpu_s": ours_cpu_s,
        "ours_stock_steps_cpu_s": shared_cpu_s,
        "floor_cpu_s": floor_cpu_s,
        "cpu_ratio": _ratio(stock_cpu_s, shared_cpu_s),
        "cpu_ratio_all": _ratio(stock_cpu_s, ours_cpu_s),
        "cpu_over_floor": _ratio(ours_cpu_s, floor_cpu_s),
        "stock_peak_mib": _median(run.peak_mib for run in stock),
        "ours_peak_mib": _median(run.peak_mib for run in ours),
        "floor_peak_mib": _median(run.peak_mib for run in floor),
    }


def _without_others(run: Run, in_stock: set[str], key: str) -> float:
    """A process's cost without the steps that stock TFX lacks. Time outside any step (imports) is included."""
    return getattr(run, key) - sum(getattr(step, key) for step in run.steps if step.name not in in_stock)


def _step_names(runs: Sequence[Run]) -> list[str]:
    return [step.name for step in runs[-1].steps] if runs else []


def _step(runs: Sequence[Run], name: str, key: str) -> float | None:
    return _median(getattr(step, key) for run in runs for step in run.steps if step.name == name)


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(statistics.median(found), 3) if found else None


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or denominator is None or denominator <= 0:
        return None
    return round(numerator / denominator, 2)
