"""Scored rows for tests, as the step that scores writes them, and the files that ranking makes of them."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scores.ranking import rank
from pipeline.settings.scoring import ScoringSettings

DAY, NEXT_DAY = datetime.date(2026, 1, 5), datetime.date(2026, 1, 6)
CONSTANTS = {
    "model_version": "7",
    "model_digest": "d" * 64,
    "run_id": "run-1",
    "scored_at": "2026-01-06T03:04:05+00:00",
}


def write_scored(path, keys, probabilities, dates=DAY, reasons=None):
    """A file of scored rows; one date may stand for all."""
    if isinstance(dates, datetime.date):
        dates = [dates] * len(keys)
    columns = {
        "user_id": pa.array(keys),
        "snapshot_date": pa.array(dates),
        "probability": pa.array(probabilities, pa.float64()),
    }
    if reasons is not None:
        columns["reasons"] = pa.array(reasons, pa.list_(pa.string()))
    pq.write_table(pa.table(columns), path)
    return str(path)


def ranked(folder, *files, key_type=None, constants=None, **settings):
    """The figures, and by date the columns of the file that was written to the folder."""
    folder.mkdir(exist_ok=True)
    figures = rank(
        files,
        str(folder),
        key="user_id",
        key_type=key_type or pa.string(),
        settings=ScoringSettings(**settings),
        constants={**CONSTANTS, **(constants or {})},
    )
    return figures, {date: pq.read_table(folder / f"{date}.parquet") for date in figures}
