import json

import pyarrow.parquet as pq
import pytest

from benchmarks import scoring
from benchmarks.speed.data import KEY, LABEL
from benchmarks.speed.measure import RECORD, Cost
from pipeline.examples.splits import count_rows, split_files
from tests.support import tf_examples


def test_each_program_is_compared_with_stock_and_the_floor_on_the_same_rows():
    costs = {
        ("floor", 1000): Cost("floor", 2.0, 3.0, 800),
        ("scorer", 200): Cost("scorer", 0.5, 0.6, 890),
        ("scorer", 1000): Cost("scorer", 2.5, 3.5, 900),
        ("stock", 1000): Cost("stock", 50.0, 51.0, 2000),
    }
    table = scoring.summary(costs, 1000)
    assert table.rows == (
        ("floor", "1,000", "2.0", "3.0", "500", "25.0 x", "1.00 x", "800"),
        ("scorer", "200", "0.5", "0.6", "400", "-", "-", "890"),
        ("scorer", "1,000", "2.5", "3.5", "400", "20.0 x", "1.25 x", "900"),
        ("stock", "1,000", "50.0", "51.0", "20", "1.0 x", "25.00 x", "2,000"),
    )
    assert len(table.header) == 8
    alone = scoring.summary({("scorer", 1000): costs["scorer", 1000]}, 1000)
    assert alone.rows[0][5:7] == ("-", "-")


def test_both_formats_hold_the_same_rows_with_their_key_and_without_a_label(tmp_path, monkeypatch):
    monkeypatch.setenv(RECORD, str(tmp_path / "steps.jsonl"))
    for _ in range(2):  # the second time, they are there
        scoring.write_examples(tmp_path / "model", tmp_path, 70)
    parquet, tfrecord = (scoring._examples(tmp_path, 70, name) for name in ("parquet", "tfrecord"))
    assert count_rows(parquet, ["score"]) == 70
    [file] = split_files(parquet, "score")
    table = pq.read_table(file)
    assert {KEY, "unit", "visits", "city"} < set(table.column_names) and LABEL not in table.column_names
    found = [tf_examples(f"{examples.uri}/Split-score") for examples in (parquet, tfrecord)]
    assert found[0] == found[1] and len(found[0]) == 70
    assert [json.loads(line)["name"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()] == [
        "examples"
    ] * 2


def test_a_program_that_fails_is_named_with_the_end_of_its_log(tmp_path):
    with pytest.raises(scoring.BenchmarkError, match=r"floor on 50 rows failed with exit code 1(.|\n)*its log: "):
        scoring._in_child("floor", tmp_path / "no model", tmp_path, 50)
