"""Renders profile.html: what was found in a table, and what was decided from it. Nothing here imports TensorFlow."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.profiling.profile import QUANTILES, Association, ColumnProfile, Day, TableProfile
from pipeline.report import formats
from pipeline.report.templates import render

#: Values of a column that the page of a profile lists.
SHOWN_VALUES = 4
#: Periods into which the page of a profile divides the dates of a table, at most.
SHOWN_PERIODS = 24
#: Rows that a period needs for its base rate to be plotted.
_ROWS_OF_PERIOD = 50

LEFT_OUT = "left out"  # the use of a column that the models do not see
CATEGORY = "category"  # the use of a column whose values are shown one by one, also if they are numbers

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Decision:
    """Something that was decided.

    Attributes:
        what: what it is about, such as `Label`.
        choice: what was chosen, such as `purchased: true counts as 1`.
        reason: why, in a sentence.
    """

    what: str
    choice: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ColumnNote:
    """What became of a column.

    Attributes:
        use: such as `number`, `category`, `label`, `key`, `date` or `left out`.
        reason: why, in a sentence; may be empty.
        feature: its name as a feature, if that is another one.
    """

    use: str
    reason: str = ""
    feature: str | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether the models do not see the column."""
        return self.use == LEFT_OUT


@dataclasses.dataclass(frozen=True)
class ProfilePage:
    """All that the page shows.

    Attributes:
        dataset: the name of the data set.
        profile: the facts.
        notes: what became of each column, by its name in the source.
        decisions: what was decided, the most important first.
        attention: sentences about what a person should look at first; empty if there is nothing.
        associations: each column beside the label, by name; empty without a label.
        positives: the rows that count as positive; None without a label.
        days: rows and positives by date; empty without a date.
        next_command: what to type next.
        made_at: when, as text.
    """

    dataset: str
    profile: TableProfile
    notes: Mapping[str, ColumnNote]
    decisions: Sequence[Decision]
    next_command: str
    attention: Sequence[str] = ()
    associations: Mapping[str, Association] = dataclasses.field(default_factory=dict)
    positives: int | None = None
    days: Sequence[Day] = ()
    made_at: str = ""


def render_profile(page: ProfilePage) -> str:
    """The page of a profile.

    Args:
        page: what it shows.

    Returns:
        One self-contained HTML page, without scripts. All text from the data is escaped.
    """
    columns = [_column(column, page) for column in page.profile.columns]
    return render(
        "profile.html.j2",
        page=page,
        rows=formats.count(page.profile.rows),
        columns=len(page.profile.columns),
        positives=formats.count(page.positives),
        base_rate=formats.percent(page.positives / page.profile.rows, 2)
        if page.positives is not None and page.profile.rows
        else formats.NOTHING,
        bytes_read=formats.gib(page.profile.bytes_read),
        kept=[row for row in columns if not row["left_out"]],
        left_out=[row for row in columns if row["left_out"]],
        periods=_periods(page.days, page.positives is not None),
        plot=_plot(page.days) if page.positives is not None else None,
    )


def _column(column: ColumnProfile, page: ProfilePage) -> Row:
    note = page.notes.get(column.name, ColumnNote(""))
    association = page.associations.get(column.name)
    rows = page.profile.rows
    return {
        "name": column.name,
        "feature": note.feature,
        "type": column.form.value if column.form else column.type,
        "use": note.use,
        "left_out": note.is_left_out,
        "reason": note.reason,
        "filled": formats.percent(column.filled / rows) if rows else formats.NOTHING,
        "distinct": formats.count(column.distinct),
        "values": _values(column, rows, note.use),
        "bars": _bars(column, rows, note.use),
        "auc": formats.number(association.roc_auc, 3) if association else "",
    }


def _values(column: ColumnProfile, rows: int, use: str) -> str:
    """The range of numbers and dates, or the most frequent values with their shares."""
    if column.dates:
        return f"{column.dates.first} to {column.dates.last}"
    if column.numbers and use != CATEGORY:
        ends = dict(zip(QUANTILES, column.numbers.quantiles, strict=True))
        low, middle, high = (_short(ends[share]) for share in (0.0, 0.5, 1.0))
        return f"{low} to {high}, median {middle}"
    shown = [f"{item.value} {formats.percent(item.rows / rows, 0)}" for item in column.values[:SHOWN_VALUES] if rows]
    if shown and len(column.values) > SHOWN_VALUES:
        shown.append(f"and {formats.count(column.distinct - SHOWN_VALUES)} more")
    return ", ".join(shown)


def _bars(column: ColumnProfile, rows: int, use: str) -> Markup:
    """A small picture: quantiles as a box, or the shares of the most frequent values as bars."""
    if column.numbers and not column.dates and use != CATEGORY:
        ends = dict(zip(QUANTILES, column.numbers.quantiles, strict=True))
        low, high = ends[0.01], ends[0.99]
        if not high > low:
            return Markup("")
        at = {share: 2 + 116 * (min(max(value, low), high) - low) / (high - low) for share, value in ends.items()}
        return _svg(
            f'<path d="M{at[0.01]:.1f} 9H{at[0.99]:.1f}"/>'
            f'<rect x="{at[0.25]:.1f}" y="3" width="{max(at[0.75] - at[0.25], 1):.1f}" height="12"/>'
            f'<path class="mid" d="M{at[0.5]:.1f} 1V17"/>'
        )
    if not column.values or not rows or column.dates:
        return Markup("")
    width = 116 / 12
    heights = [16 * item.rows / column.values[0].rows for item in column.values[:12]]
    return _svg(
        "".join(
            f'<rect x="{2 + place * width:.1f}" y="{17 - height:.1f}" width="{width - 1.5:.1f}" height="{height:.1f}"/>'
            for place, height in enumerate(heights)
        )
    )


def _svg(shapes: str) -> Markup:
    return Markup(f'<svg class="mini" viewBox="0 0 120 18" aria-hidden="true">{shapes}</svg>')


def _short(value: float) -> str:
    """A number with at most four significant digits."""
    text = formats.count(value) if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _periods(days: Sequence[Day], labelled: bool) -> list[Row]:
    return [
        {
            "name": _name(period),
            "rows": formats.count(sum(day.rows for day in period)),
            "positives": formats.count(sum(day.positives for day in period)) if labelled else formats.NOTHING,
            "base_rate": formats.percent(sum(d.positives for d in period) / max(1, sum(d.rows for d in period)), 2)
            if labelled
            else formats.NOTHING,
        }
        for period in _grouped(days)
    ]


def _plot(days: Sequence[Day]) -> Markup | None:
    """The base rate of each period; None for fewer than two periods with enough rows."""
    periods = [period for period in _grouped(days) if sum(day.rows for day in period) >= _ROWS_OF_PERIOD]
    if len(periods) < 2:
        return None
    from pipeline.report import plots  # imports matplotlib

    counts = [(sum(day.positives for day in period), sum(day.rows for day in period)) for period in periods]
    points = [plots.rate_with_half_width(positives, rows) for positives, rows in counts]
    return plots.base_rates(
        [str(period[0].date) for period in periods], {"all rows": points}, "First day of the period"
    )


def _grouped(days: Sequence[Day]) -> Iterator[Sequence[Day]]:
    """The days in order, in periods of equally many days on the calendar."""
    if not days:
        return
    ordered = sorted(days, key=lambda day: day.date)
    span = (ordered[-1].date - ordered[0].date).days + 1
    length = datetime.timedelta(days=-(-span // SHOWN_PERIODS))
    start, period = ordered[0].date, []
    for day in ordered:
        while day.date >= start + length:
            if period:
                yield period
            start, period = start + length, []
        period.append(day)
    yield period


def _name(period: Sequence[Day]) -> str:
    first, last = period[0].date, period[-1].date
    return str(first) if first == last else f"{first} to {last}"
