import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from pipeline.examples import work_units
from pipeline.examples.work_units import read_batches
from pipeline.fast.scoring import stream
from pipeline.fast.scoring.identity import UnscorableError, identify
from pipeline.fast.scoring.model import ScoringError, ScoringModel
from pipeline.fast.scoring.score import score_split
from pipeline.settings.dataset import Columns
from tests.pipeline.small_models import (
    raw_rows,
    save_altered_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])
COLUMNS = Columns(label="bought", key="user", date="day")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "saved")


def customers(rows):
    return [{**row, "user": f"user-{number}"} for number, row in enumerate(raw_rows(rows))]


def score(examples, folder, path):
    units = work_units.work_units(examples, "eval")
    identity = identify(next(read_batches(units[0], rows=1)), COLUMNS, "")
    return stream.score_to_file(units, ScoringModel("champion", folder), identity, str(path))


@each_format
def test_all_rows_are_written_in_order_as_a_row_group_for_each_batch(tmp_path, model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)
    monkeypatch.setattr(stream, "ROWS_PER_CALL", 3)
    rows = customers(40)
    examples = write(tmp_path / "examples", rows, files=3)
    assert score(examples, model, tmp_path / "scored.parquet") == 40
    written = pq.ParquetFile(tmp_path / "scored.parquet")
    assert written.num_row_groups == 6  # batches of 7 rows from files of 14, 13 and 13
    table = written.read()
    assert table["user"].to_pylist() == [row["user"] for row in rows]
    expected = score_split(examples, "eval", {"champion": model}, label="bought").predictions["champion"]
    np.testing.assert_allclose(table["probability"].to_numpy(), expected, atol=1e-6)


@each_format
def test_rows_without_a_probability_are_counted_over_all_batches(tmp_path, model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)

    def spoil(values):
        return tf.where(values > 0.4, np.nan, tf.where(values < 0.13, -values, values))

    bad_model = save_altered_model(model, tmp_path / "bad", serving_default=spoil, predict=spoil)
    examples = write(tmp_path / "examples", customers(40), files=2)
    good = score_split(examples, "eval", {"champion": model}, label="bought").predictions["champion"]
    bad = int(np.sum((good > 0.4) | (good < 0.13)))
    assert 0 < bad < 40
    with pytest.raises(ScoringError, match=rf"no probability between 0 and 1 for {bad} of 40 rows"):
        score(examples, bad_model, tmp_path / "scored.parquet")


@each_format
def test_a_fault_in_a_later_batch_ends_the_run(tmp_path, model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)
    rows = customers(40)
    rows[33]["user"] = None
    with pytest.raises(UnscorableError, match=re.escape("'user' (columns.key) has no value in 1 of")):
        score(write(tmp_path / "examples", rows), model, tmp_path / "scored.parquet")


def test_only_the_columns_that_are_needed_are_read(tmp_path, model, monkeypatch):
    read = []

    def spy(unit, columns=None, rows=None):
        read.append(columns)
        return read_batches(unit, columns, rows)

    monkeypatch.setattr(stream, "read_batches", spy)
    score(write_parquet_examples(tmp_path / "e", customers(5)), model, tmp_path / "scored.parquet")
    assert read == [["country", "day", "user", "visits"]]


def test_few_batches_are_read_before_their_scores_are_asked_for(model, tmp_path, monkeypatch):
    monkeypatch.setattr(work_units, "_BATCH", 2)
    examples = write_parquet_examples(tmp_path / "e", customers(60))
    taken = 0

    def counted():
        nonlocal taken
        for unit in work_units.work_units(examples, "eval"):
            for batch in read_batches(unit):
                taken += 1
                yield batch

    for number, (batch, probabilities) in enumerate(stream.predictions(ScoringModel("champion", model), counted())):
        assert taken <= number + 4
        assert isinstance(batch.values("unit", pa.binary()), pa.Array) and len(probabilities) == batch.rows
