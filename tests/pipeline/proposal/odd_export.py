"""A small export that is not like the sample: sign-ups instead of purchases, no sessions, any time zone, any gaps."""

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.sample.schema import export_schema
from tests.schema.ga4_events import GA4_SCHEMA, event

DAY = datetime.timedelta(days=1)
SCHEMA = GA4_SCHEMA.append(export_schema().field("user_properties"))
FIRST = datetime.date(2024, 3, 4)  # a Monday

Row = dict[str, Any]


def odd_events(
    days: int = 45,
    users: int = 300,
    zone: str = "Asia/Seoul",
    first: datetime.date = FIRST,
    conversion: str = "sign_up",
    sessions: bool = False,
) -> list[Row]:
    """Users who come every few days; those who come often convert once, more often if they were asked by a friend."""
    rng = np.random.default_rng(7)
    rows = []
    for number in range(users):
        rate, converted = rng.uniform(0.05, 0.5), False
        for day in (first + offset * DAY for offset in range(days)):
            if rng.random() > rate:
                continue
            for _ in range(rng.integers(1, 4)):
                minute = int(rng.integers(0, 24 * 60))
                at = datetime.time(minute // 60, minute % 60).isoformat()
                row = event(f"user-{number}", day, "page_view", at=at, zone=zone, country="KR", device="mobile")
                if sessions:
                    add(row, ga_session_id=int(day.toordinal()), ga_session_number=1)
                method = ["friend", "search", "advertisement"][number % 3]
                add(row, method=method, member_email=f"person{number}@example.com", depth=float(rng.uniform(0, 90)))
                add(row, plan="free", build=str(rng.integers(1, 5)))
                rows.append(row)
            if not converted and rng.random() < rate * (0.3 if number % 3 == 0 else 0.15):
                converted = True
                done = event(f"user-{number}", day, conversion, at="12:34:56", zone=zone, country="KR", device="mobile")
                rows.append(add(done, method="form"))
    return rows


def add(row: Row, **parameters: Any) -> Row:
    """The event with more parameters."""
    fields = {str: "string_value", int: "int_value", float: "double_value"}
    row["event_params"] += [{"key": key, "value": {fields[type(value)]: value}} for key, value in parameters.items()]
    return row


def write_export(
    folder: Path,
    rows: Iterable[Row],
    *,
    left_out: Iterable[datetime.date] = (),
    name: Callable[[datetime.date], str] = lambda day: f"events_{day:%Y%m%d}",
    schema: pa.Schema = SCHEMA,
) -> Path:
    """Writes the daily tables, but those of the days that are left out; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    by_day: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[row["event_date"]].append(row)
    first, last = (datetime.datetime.strptime(day, "%Y%m%d").date() for day in (min(by_day), max(by_day)))
    for offset in range((last - first).days + 1):
        day = first + offset * DAY
        if day not in set(left_out):
            table = pa.Table.from_pylist(by_day[f"{day:%Y%m%d}"], schema=schema)
            pq.write_table(table, folder / f"{name(day)}.parquet")
    return folder
