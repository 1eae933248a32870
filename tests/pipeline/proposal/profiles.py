"""Profiles made by hand."""

from pipeline.profiling.profile import QUANTILES, ColumnProfile, Dates, Frequency, Lengths, Numbers, TableProfile


def column(name, values=None, *, type="STRING", filled=None, distinct=None, length=8, **more):
    """A column with these values and their rows."""
    values = values or {}
    listed = sorted(values.items(), key=lambda item: -item[1])
    longest = max([length, *map(len, values)])
    return ColumnProfile(
        name=name,
        type=type,
        filled=sum(values.values()) if filled is None else filled,
        distinct=len(values) if distinct is None else distinct,
        values=tuple(Frequency(value, rows) for value, rows in listed),
        lengths=Lengths(1, float(length), longest),
        **more,
    )


def numbers(
    name, lowest, highest, *, distinct, rows=100, filled=None, zero=0, negative=0, whole=True, type="INT64", **more
):
    """A column of numbers from `lowest` to `highest`."""
    filled = rows if filled is None else filled
    step = (highest - lowest) / (len(QUANTILES) - 1)
    found = Numbers(
        tuple(lowest + step * place for place in range(len(QUANTILES))),
        (lowest + highest) / 2,
        negative,
        zero,
        filled if whole else filled // 10,
    )
    return column(name, type=type, filled=filled, distinct=distinct, numbers=found, **more)


def dates(name, first, last, *, distinct, rows=100, filled=None, type="DATE", **more):
    """A column of dates."""
    filled = rows if filled is None else filled
    return column(name, type=type, filled=filled, distinct=distinct, dates=Dates(first, last, distinct), **more)


def table(*columns, rows=None, is_text=True):
    """A table of these columns."""
    rows = max([column.filled for column in columns]) if rows is None else rows
    return TableProfile("sessions.csv", "sessions", is_text, rows, tuple(columns))
