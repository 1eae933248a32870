"""Writes a sample: daily tables of a GA4 export as Parquet files, with purchases of known probability.

A sample's folder holds `events_YYYYMMDD.parquet`, a table of the probabilities with which the labels were drawn (tests
use it; the pipeline never reads it), and `sample.json`, which lists what is there.
"""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.config import SettingsError
from pipeline.sample.calendar import DEFAULT_END, DEFAULT_SEED, DEFAULT_USERS, SampleParameters, date_of_day
from pipeline.sample.schema import SCHEMA_FILE
from pipeline.sample.tables import DayTables
from pipeline.sample.truth import UNKNOWN, Drawn, draw_purchases
from pipeline.sample.users import Users, draw_users_and_sessions
from pipeline.settings.dataset import Dataset, EventSource

MANIFEST = "sample.json"
PROBABILITIES = "drawn_probabilities.parquet"
PROBABILITIES_SCHEMA = pa.schema(
    [
        ("user_pseudo_id", pa.string()),
        ("snapshot_date", pa.date32()),
        ("probability", pa.float64()),
        ("label", pa.int64()),  # NULL where the label window is not over and settled
    ]
)
ROW_GROUP_ROWS = 122_880  # DuckDB's own


@dataclass(frozen=True)
class Sample:
    """The contents of a sample's folder.

    Attributes:
        events: rows of all daily tables.
        days: number of daily tables.
        megabytes: size of all files, in 10^6 bytes.
        made: False if the sample was already there.
    """

    events: int
    days: int
    megabytes: float
    made: bool


def write_sample(folder: Path, parameters: SampleParameters, *, force: bool = False) -> Sample:
    """Makes a sample, unless the folder already holds one with the same parameters and generator.

    The folder appears, or is replaced, only after everything has been written.

    Args:
        folder: the sample's folder; an existing sample in it is replaced.
        parameters: the same parameters give the same bytes.
        force: replace the folder whatever it holds.

    Raises:
        SettingsError: the folder holds anything other than a finished sample.
        OSError: it cannot be written.
    """
    folder = folder.resolve()
    made_from = {"parameters": parameters.to_json(), "generator": generator_digest()}
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file, not a folder; choose another path for the sample")
    if folder.exists() and not force:
        manifest = _read_manifest(folder)
        if manifest is not None and manifest["made_from"] == made_from:
            return Sample(manifest["events"], manifest["days"], _megabytes(folder), made=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        finished = Path(beside) / "finished"
        finished.mkdir()
        events = _write_tables(finished, parameters)
        manifest = {"made_from": made_from, "events": events, "days": len(parameters.table_days)}
        (finished / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(Path(beside) / "replaced")
        finished.rename(folder)
    return Sample(events, manifest["days"], _megabytes(folder), made=True)


def generator_digest() -> str:
    """A digest of the generator's modules and of the schema it writes; a changed generator makes a new sample."""
    digest = hashlib.sha256()
    here = resources.files("pipeline.sample")
    sources = {entry.name: entry for entry in here.iterdir()}
    for name in sorted(sources):
        if fnmatch.fnmatch(name, "*.py") or name == SCHEMA_FILE:
            digest.update(sources[name].read_bytes())
    return digest.hexdigest()


def _read_manifest(folder: Path) -> dict | None:
    """The manifest of a finished sample; None for an empty folder. Raises SettingsError for any other."""
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return None
    tables = {name for name in names if name.startswith("events_") and name.endswith(".parquet")}
    if MANIFEST not in names or names - tables - {MANIFEST, PROBABILITIES}:
        raise SettingsError(
            f"{folder} is not empty and does not hold a finished sample; choose another folder, or pass --force to "
            "replace it"
        )
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))


def _write_tables(folder: Path, parameters: SampleParameters) -> int:
    """Writes all tables to an empty folder and returns the number of events."""
    rng = np.random.default_rng(parameters.seed)
    users, browsing = draw_users_and_sessions(parameters, rng)
    bought, drawn = draw_purchases(parameters, users, browsing, rng)
    tables = DayTables(parameters, users, np.concatenate([browsing, bought]))
    events = 0
    for day in parameters.table_days:
        table = tables.table(day)
        _write_parquet(table, folder / f"events_{date_of_day(day):%Y%m%d}.parquet")
        events += table.num_rows
    _write_parquet(_probabilities(drawn, users, tables.user_pseudo_id), folder / PROBABILITIES)
    return events


def _probabilities(drawn: Sequence[Drawn], users: Users, user_pseudo_id: pa.Array) -> pa.Table:
    """The drawn probabilities and labels, without users who have no key in the export."""

    def columns() -> Iterator[pa.RecordBatch]:
        for snapshot in drawn:
            kept = users.has_consent[snapshot.user]
            label = snapshot.label[kept]
            day = np.full(len(label), snapshot.snapshot_day, np.int32)
            yield pa.RecordBatch.from_arrays(
                [
                    user_pseudo_id.take(pa.array(snapshot.user[kept])),
                    pa.array(day).cast(pa.date32()),
                    pa.array(snapshot.probability[kept]),
                    pa.array(label, mask=label == UNKNOWN),
                ],
                schema=PROBABILITIES_SCHEMA,
            )

    return pa.Table.from_batches(columns(), schema=PROBABILITIES_SCHEMA)


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(
        table, path, compression="zstd", row_group_size=ROW_GROUP_ROWS, use_compliant_nested_type=True, version="2.6"
    )


def _megabytes(folder: Path) -> float:
    return sum(entry.stat().st_size for entry in folder.iterdir()) / 1e6


def parameters_for(
    dataset: Dataset, *, users: int = DEFAULT_USERS, seed: int = DEFAULT_SEED, end: datetime.date = DEFAULT_END
) -> SampleParameters:
    """The parameters that match a GA4 data set's windows, snapshots and time zone. Raises SettingsError."""
    if not isinstance(dataset.source, EventSource) or dataset.source.kind != "ga4":
        raise SettingsError("sample events exist for GA4 exports only; source.kind must be ga4")
    windows, snapshots = dataset.windows, dataset.snapshots
    return SampleParameters(
        users=users,
        seed=seed,
        end=end,
        time_zone=dataset.source.time_zone,
        lookback_days=windows.lookback_days,
        gap_days=windows.gap_days,
        horizon_days=windows.horizon_days,
        settle_days=windows.settle_days,
        every_days=snapshots.every_days,
        train_snapshots=snapshots.train,
        test_snapshots=snapshots.test,
    )
