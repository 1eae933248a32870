"""Tables of the results, as plain text and as Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts with a title; all columns except the first are right-aligned."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """The table as plain text for a terminal."""
        widths = [max(len(row[column]) for row in (self.header, *self.rows)) for column in range(len(self.header))]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
            for row in (self.header, *self.rows)
        ]
        return "\n".join([self.title, *(line.rstrip() for line in lines)])

    def markdown(self) -> str:
        """The table as Markdown."""
        rule = ("---", *["---:"] * (len(self.header) - 1))
        return "\n".join(
            [f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows))]
        )


def tables(document: dict[str, Any]) -> list[Table]:
    """The tables of the results: components, floor, growth and, if it was measured, the Storage API."""
    found = [component_table(document), floor_table(document), growth_table(document)]
    return [*found, storage_table(document)] if document.get("storage_api") else found


def component_table(document: dict[str, Any]) -> Table:
    """Each component and the totals: wall and CPU seconds and peak memory of stock and ours, and the ratios."""
    rows = [
        _compared(name, *(_prefixed(cost, prefix) for prefix in ("stock_", "ours_")))
        for name, cost in document["components"].items()
    ]
    total = document["total"]
    stock, ours = _prefixed(total, "stock_"), _prefixed(total, "ours_")
    shared = {
        "s": total["ours_stock_steps_s"],
        "cpu_s": total["ours_stock_steps_cpu_s"],
        "peak_mib": total["ours_peak_mib"],
    }
    rows += [
        _compared("start, imports, runner", _rest(document, "stock"), _rest(document, "ours")),
        _compared("TOTAL, steps that stock has", stock, shared),
        _compared("TOTAL, all steps", stock, ours),
    ]
    header = (
        "component",
        *("stock s", "ours s", "ratio"),
        *("stock CPU s", "ours CPU s", "CPU ratio"),
        *("stock MiB", "ours MiB"),
    )
    evaluated = ", ".join(f"{kind} {_whole(count)}" for kind, count in document["evaluated_rows"].items())
    title = f"{document['rows']:,} rows: stock TFX and this pipeline (test rows: {evaluated})"
    return Table(title, header, tuple(rows))


def floor_table(document: dict[str, Any]) -> Table:
    """The raw floor's steps and total, and the ratio of our whole run to it."""
    total = document["total"]
    steps = [*document["floor_steps"].items(), ("TOTAL, raw floor", _prefixed(total, "floor_"))]
    rows = [(name, _seconds(cost["s"]), _seconds(cost["cpu_s"]), _whole(cost["peak_mib"])) for name, cost in steps]
    rows.append(("this pipeline over it", _times(total["over_floor"]), _times(total["cpu_over_floor"]), "-"))
    title = f"{document['rows']:,} rows: the raw floor, both models from arrays without a pipeline"
    return Table(title, ("step", "s", "CPU s", "MiB"), tuple(rows))


def growth_table(document: dict[str, Any]) -> Table:
    """The cost of further rows, for ours and the floor."""
    header = (
        "rows",
        *("ours s", "floor s", "ours s/100k more", "floor s/100k more", "factor"),
        *("ours CPU s/100k", "floor CPU s/100k", "CPU factor", "ours MiB"),
    )
    rows = []
    for entry in document["growth"]:
        marginal = entry["marginal"] or {}
        rows.append(
            (
                f"{entry['rows']:,}",
                *(_seconds(entry[key]) for key in ("ours_s", "floor_s")),
                *(_seconds(marginal.get(key)) for key in ("ours_s", "floor_s")),
                _times(marginal.get("factor")),
                *(_seconds(marginal.get(key)) for key in ("ours_cpu_s", "floor_cpu_s")),
                _times(marginal.get("cpu_factor")),
                _whole(entry["ours_peak_mib"]),
            )
        )
    return Table("How cost grows with rows, next to the raw floor's", header, tuple(rows))


def storage_table(document: dict[str, Any]) -> Table:
    """ExampleGen from BigQuery's Storage API."""
    measured = document["storage_api"]
    row = _compared("ExampleGen", *(_prefixed(measured, prefix) for prefix in ("stock_", "ours_")))
    header = (
        "component",
        "stock s",
        "ours s",
        "ratio",
        "stock CPU s",
        "ours CPU s",
        "CPU ratio",
        "stock MiB",
        "ours MiB",
    )
    title = f"{measured['rows']:,} rows from BigQuery's Storage API (a local server) to Examples"
    return Table(title, header, (row,))


Cost = dict[str, float | None]  # s, cpu_s and peak_mib


def _prefixed(cost: dict[str, Any], prefix: str) -> Cost:
    return {key: cost[f"{prefix}{key}"] for key in ("s", "cpu_s", "peak_mib")}


def _rest(document: dict[str, Any], kind: str) -> Cost:
    """The cost outside all components: the process's cost without theirs."""
    rest: Cost = {"peak_mib": None}
    for key in ("s", "cpu_s"):
        total = document["total"][f"{kind}_{key}"]
        steps = [cost[f"{kind}_{key}"] for cost in document["components"].values()]
        rest[key] = None if total is None else round(total - sum(step for step in steps if step is not None), 3)
    return rest


def _compared(name: str, left: Cost, right: Cost) -> tuple[str, ...]:
    cells = [name]
    for key in ("s", "cpu_s"):
        ratio = left[key] / right[key] if None not in (left[key], right[key]) and right[key] > 0 else None
        cells += [_seconds(left[key]), _seconds(right[key]), _times(ratio)]
    return (*cells, _whole(left["peak_mib"]), _whole(right["peak_mib"]))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} x"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def all_text(found: Sequence[Table]) -> str:
    """The tables for a terminal, one after the other."""
    return "\n\n".join(table.text() for table in found)
