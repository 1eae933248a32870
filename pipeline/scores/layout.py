"""The columns of the score table and of the files that Scorer writes. One file a date, highest probability first.

<scores>/<YYYY-MM-DD>.parquet    the rows of a date, with all columns of score_schema
<scores>/scores.json             what a report says about them
"""

from __future__ import annotations

import datetime

import pyarrow as pa

SUMMARY = "scores.json"

UNCACHED = ("ScoreWriter",)  # steps that every run executes: it changes the score table, which is no artifact

DATE, PROBABILITY, PERCENTILE, DECILE = "snapshot_date", "probability", "percentile", "decile"
ARM, REASONS = "arm", "reasons"
MODEL_VERSION, MODEL_DIGEST, RUN_ID, SCORED_AT = "model_version", "model_digest", "run_id", "scored_at"

TREATED, HOLDOUT = "treated", "holdout"  # the values of ARM

ROW_KEY = "unit"  # the key's name where the data set declares none: the digest of the row


class ScoresError(RuntimeError):
    """Scores cannot be ranked, written or read. The message names the table, column or date and says what to do."""


def score_schema(key: str, key_type: pa.DataType) -> pa.Schema:
    """The columns of the score table.

    Args:
        key: name of the key, `columns.key` of the data set or ROW_KEY.
        key_type: int64 or string.

    Returns:
        The key; the snapshot date; the probability, 0 to 1; the percentile, above 0 up to 100, which is highest for the
        highest score; the decile, 1 (highest) to 10; the arm; the reasons, texts in the order of their effect; and
        which model scored the row, by which run, and when (UTC).

    Raises:
        ScoresError: the key has the name of one of the other columns.
    """
    schema = pa.schema(
        [
            pa.field(key, key_type, nullable=False),
            pa.field(DATE, pa.date32(), nullable=False),
            (PROBABILITY, pa.float64()),
            (PERCENTILE, pa.float64()),
            (DECILE, pa.int64()),
            (ARM, pa.string()),
            (REASONS, pa.list_(pa.field("element", pa.string()))),  # as Parquet names it
            (MODEL_VERSION, pa.string()),
            (MODEL_DIGEST, pa.string()),
            (RUN_ID, pa.string()),
            (SCORED_AT, pa.timestamp("us", tz="UTC")),
        ]
    )
    if key.lower() in schema.names[1:]:  # in a warehouse, case does not count
        raise ScoresError(f"the score table has a column of its own named '{key.lower()}'; give the key another name")
    return schema


def day_file(date: datetime.date) -> str:
    """The name of a date's file."""
    return f"{date.isoformat()}.parquet"
