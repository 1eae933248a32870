import datetime

import numpy as np
import pyarrow as pa
import pytest

from pipeline.examples.work_units import WorkUnit, read_batches
from pipeline.fast.scoring.identity import UnscorableError, identify
from pipeline.settings.dataset import Columns
from tests.pipeline.small_models import raw_rows, write_examples, write_parquet_examples

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])
DAY = datetime.date(2025, 11, 3)


def batch_of(write, folder, rows):
    write(folder, rows)
    [file] = [path for path in (folder / "Split-eval").iterdir() if not path.name.startswith(".")]
    [batch] = read_batches(WorkUnit(str(file)))
    return batch


def with_key(rows, make):
    return [{**row, "user": make(number)} for number, row in enumerate(rows)]


@each_format
@pytest.mark.parametrize(("make", "kind"), [(lambda n: 7 * n - 3, pa.int64()), (lambda n: f"ü{n}", pa.string())])
def test_key_and_date_come_from_the_columns(tmp_path, write, make, kind):
    batch = batch_of(write, tmp_path, with_key(raw_rows(5), make))
    identity = identify(batch, Columns(label="bought", key="user", date="day"), "2026-01-01")
    assert (identity.name, identity.key_type, identity.columns) == ("user", kind, ["user", "day"])
    scored = identity.scored(batch, np.linspace(0, 1, 5))
    assert scored.schema == identity.schema
    assert scored.schema.names == ["user", "snapshot_date", "probability"]
    assert scored.column(0).to_pylist() == [make(number) for number in range(5)]
    assert scored.column(1).to_pylist() == [DAY] * 5
    assert scored.column(2).to_pylist() == [0, 0.25, 0.5, 0.75, 1]


@each_format
def test_without_a_key_the_digest_of_the_row_stands_for_it(tmp_path, write):
    rows = raw_rows(3)
    batch = batch_of(write, tmp_path, rows)
    identity = identify(batch, Columns(label="bought"), "2026-01-01")
    assert identity.name == "unit" and identity.key_type == pa.string()
    scored = identity.scored(batch, np.zeros(3))
    assert scored.column(0).to_pylist() == [row["unit"] for row in rows]
    assert scored.column(1).to_pylist() == [datetime.date(2026, 1, 1)] * 3


@each_format
def test_a_declared_date_that_the_examples_lack_is_the_given_one(tmp_path, write):
    batch = batch_of(write, tmp_path, [{"unit": "a", "visits": 1.0}])
    columns = Columns(label="bought", date="day")
    assert identify(batch, columns, "2026-01-01").snapshot_date == datetime.date(2026, 1, 1)
    with pytest.raises(UnscorableError, match=r"no column 'day' \(columns.date\): say of which day"):
        identify(batch, columns, "")
    with pytest.raises(UnscorableError, match="no date: say of which day"):
        identify(batch, Columns(label="bought"), "")
    with pytest.raises(UnscorableError, match="snapshot_date 'monday' is no date"):
        identify(batch, columns, "monday")


@each_format
def test_a_key_that_cannot_be_used_is_refused(tmp_path, write):
    batch = batch_of(write, tmp_path, raw_rows(3))
    with pytest.raises(UnscorableError, match="no column 'user'"):
        identify(batch, Columns(label="bought", key="user", date="day"), "")
    with pytest.raises(UnscorableError, match=r"column 'visits'.*must hold whole numbers or text"):
        identify(batch, Columns(label="bought", key="visits", date="day"), "")


@each_format
def test_missing_keys_and_unreadable_dates_are_counted_and_no_key_is_shown(tmp_path, write):
    rows = with_key(raw_rows(4), lambda n: None if n == 2 else f"secret{n}")
    batch = batch_of(write, tmp_path / "key", rows)
    identity = identify(batch, Columns(label="bought", key="user", date="day"), "")
    with pytest.raises(UnscorableError, match=r"'user' \(columns.key\) has no value in 1 of 4 rows") as error:
        identity.scored(batch, np.zeros(4))
    assert "secret" not in str(error.value)
    batch = batch_of(write, tmp_path / "date", [{**row, "day": "3.11.2025"} for row in raw_rows(4)])
    identity = identify(batch, Columns(label="bought", date="day"), "")
    with pytest.raises(UnscorableError, match=r"'day' \(columns.date\) holds a text that is no date"):
        identity.scored(batch, np.zeros(4))
