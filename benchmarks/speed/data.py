"""Synthetic propensity rows: a customer's key and 25 columns of many shapes. The same seed gives the same rows.

Rows are made in chunks, each with its own random generator. So a small table is the beginning of a large one, and a
million rows need little memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

KEY, LABEL = "customer", "converted"
CHUNK_ROWS = 50_000
_LOG_ODDS = -4.05  # of an average customer; with the effects below about 5 % convert
_STRENGTH = 1.6  # of all effects: enough for a model of 10,000 rows to beat the base rate
_EFFECTS_SEED = 100

Draw = Callable[[np.random.Generator, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Number:
    """A numeric column.

    Attributes:
        name: the column.
        draw: draws float64 `[rows]` values.
        effect: how much the log-odds grow per standard deviation, times _STRENGTH.
        moments: mean and standard deviation of `draw`, by which the effect is scaled.
        missing: share of rows without a value.
        integer: whether the column is INT64 instead of FLOAT64.
    """

    name: str
    draw: Draw
    effect: float
    moments: tuple[float, float]
    missing: float = 0.0
    integer: bool = False


@dataclasses.dataclass(frozen=True)
class Category:
    """A categorical column with `values` names; their frequencies fall like 1 / rank ** `decay`."""

    name: str
    values: int
    decay: float
    missing: float = 0.0
    slice: bool = False

    def names(self) -> pa.Array:
        """All its values."""
        return pa.array([f"{self.name}_{rank:04d}" for rank in range(self.values)])

    def shares(self) -> np.ndarray:
        """The frequency of each value: float64 `[values]`, summing to 1."""
        weight = np.arange(1, self.values + 1) ** -self.decay
        return weight / weight.sum()

    def effects(self) -> np.ndarray:
        """The effect of each value on the log-odds, times _STRENGTH: float64 `[values]`."""
        return np.random.default_rng([_EFFECTS_SEED, self.values]).normal(0, 0.3, self.values)


def _or_zero(draw: Draw, share: float) -> Draw:
    """Values of `draw` in a share of the rows, 0 in the others."""
    return lambda random, rows: draw(random, rows) * (random.random(rows) < share)


NUMBERS = (
    Number("age", lambda r, n: r.normal(42, 14, n).clip(18, 95), 0.1, (42, 14), missing=0.05),
    Number("income", lambda r, n: r.lognormal(10, 0.6, n), 0.25, (26_000, 17_000), missing=0.08),
    Number("revenue_30d", _or_zero(lambda r, n: r.exponential(40, n), 0.3), 0.4, (12, 31)),
    Number("revenue_90d", _or_zero(lambda r, n: r.exponential(90, n), 0.5), 0.2, (45, 78)),
    Number("seconds_on_site", lambda r, n: r.gamma(2, 120, n), 0.3, (240, 170)),
    Number("pages_per_visit", lambda r, n: 1 + r.pareto(3, n), 0.05, (1.5, 0.87)),
    Number("bounce_rate", lambda r, n: r.beta(2, 5, n), -0.2, (0.286, 0.16), missing=0.03),
    Number("discount_share", _or_zero(lambda r, n: r.random(n), 0.2), 0.1, (0.1, 0.24)),
    Number("balance", lambda r, n: r.normal(0, 500, n), 0.05, (0, 500)),
    Number("engagement", lambda r, n: r.logistic(0, 1, n), 0.35, (0, 1.81)),
    Number("basket_value", _or_zero(lambda r, n: r.lognormal(3, 1, n), 0.4), 0.2, (13, 34)),
    Number("hour_of_day", lambda r, n: 24 * r.random(n), 0.0, (12, 6.9)),
    Number("visits", lambda r, n: r.geometric(0.15, n), 0.3, (6.7, 6.2), integer=True),
    Number("days_since_visit", lambda r, n: r.integers(0, 365, n), -0.3, (182, 105), integer=True),
    Number("orders", lambda r, n: r.poisson(0.7, n), 0.3, (0.7, 0.84), integer=True),
    Number("is_subscriber", lambda r, n: r.random(n) < 0.3, 0.2, (0.3, 0.46), integer=True),
)
CATEGORIES = (
    Category("device", 5, 0.5, slice=True),
    Category("channel", 8, 0.5, slice=True),
    Category("segment", 12, 0.5, slice=True),
    Category("browser", 30, 1.0, missing=0.03),
    Category("region", 100, 1.0),
    Category("campaign", 400, 1.0),
    Category("city", 1500, 1.0, missing=0.03),
    Category("product", 5000, 1.0),
)


def write_rows(path: Path, rows: int, seed: int = 7) -> None:
    """Writes a Parquet file with this number of rows, unless the file already has it.

    The columns are the key, the label (INT64, 0 or 1), NUMBERS (FLOAT64 or INT64) and CATEGORIES (STRING). A missing
    value is null.
    """
    if path.is_file() and pq.read_metadata(path).num_rows == rows:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    starts = range(0, rows, CHUNK_ROWS)
    first = chunk(0, min(CHUNK_ROWS, rows), seed)
    with pq.ParquetWriter(unfinished, first.schema, compression="snappy") as writer:
        for start in starts:
            writer.write_batch(chunk(start, min(CHUNK_ROWS, rows - start), seed) if start else first)
    unfinished.replace(path)


def chunk(start: int, rows: int, seed: int) -> pa.RecordBatch:
    """The rows from `start` on, at most CHUNK_ROWS; `start` is a multiple of CHUNK_ROWS."""
    random = np.random.default_rng([seed, start // CHUNK_ROWS])
    # Always draw a whole chunk, so that a row does not depend on the number of rows.
    drawn, log_odds = {}, np.full(CHUNK_ROWS, _LOG_ODDS)
    for number in NUMBERS:
        values = np.asarray(number.draw(random, CHUNK_ROWS), np.float64)
        mean, deviation = number.moments
        log_odds += _STRENGTH * number.effect * np.clip((values - mean) / deviation, -4, 4)
        missing = random.random(CHUNK_ROWS) < number.missing
        drawn[number.name] = pa.array(values.astype(np.int64) if number.integer else values, mask=missing)
    for category in CATEGORIES:
        ranks = random.choice(category.values, CHUNK_ROWS, p=category.shares())
        log_odds += _STRENGTH * category.effects()[ranks]
        missing = random.random(CHUNK_ROWS) < category.missing
        drawn[category.name] = category.names().take(pa.array(ranks, mask=missing))
    label = random.random(CHUNK_ROWS) < 1 / (1 + np.exp(-log_odds))
    keys = pa.array([f"C{number:09d}" for number in range(start, start + CHUNK_ROWS)])
    columns = {KEY: keys, LABEL: pa.array(label.astype(np.int64)), **drawn}
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns)).slice(0, rows)
