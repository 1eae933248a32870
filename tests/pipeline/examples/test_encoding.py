import datetime
import math

import pyarrow as pa

from pipeline.examples import encoding
from tests.support import NUMBERS_AND_CATEGORIES, folder_of

FOLDER = folder_of([*NUMBERS_AND_CATEGORIES, {"name": "flag", "kind": "numeric"}])
BATCH = pa.RecordBatch.from_pydict(
    {
        "unit": pa.array(["aa", "bb", "cc"]),
        "day": pa.array([datetime.date(2025, 1, 6)] * 3),
        "y": pa.array([0, 1, 0], pa.int32()),
        "count": pa.array([3, None, 5], pa.int64()),
        "ratio": pa.array([0.5, math.nan, None], pa.float64()),
        "flag": pa.array([True, None, False]),
        "country": pa.array(["DE", None, "FR"]),
        "city": pa.array(["Ulm", None, "Lyon"]),
        "split": pa.array(["train", "test", "train"]),
    }
)


def test_rows_go_to_their_split_and_the_column_is_dropped():
    parts = dict(encoding.by_split(BATCH))
    assert {split: part.num_rows for split, part in parts.items()} == {"train": 2, "test": 1}
    assert "split" not in parts["train"].schema.names
    assert parts["train"].column(0).to_pylist() == ["aa", "cc"]


def test_values_become_what_the_examples_hold():
    [(_, train), (_, test)] = encoding.by_split(BATCH)
    lists = encoding.to_feature_lists(train, FOLDER)
    assert lists.to_pydict() == {
        "unit": [[b"aa"], [b"cc"]],
        "day": [[b"2025-01-06"], [b"2025-01-06"]],
        "y": [[0], [0]],
        "count": [[3.0], [5.0]],
        "ratio": [[0.5], None],
        "flag": [[1.0], [0.0]],
        "country": [[b"DE"], [b"FR"]],
        "city": [[b"Ulm"], [b"Lyon"]],
    }
    missing = encoding.to_feature_lists(test, FOLDER).to_pydict()
    assert missing["count"] == [[0.0]], "policy zero"
    assert missing["ratio"] == [None], "NaN is missing"
    assert missing["country"] == [[b"(not set)"]], "a slice feature is never missing"
    assert missing["city"] == [None]


def test_types_are_those_that_tfx_decodes_examples_to():
    [(_, train), _] = encoding.by_split(BATCH)
    schema = encoding.to_feature_lists(train, FOLDER).schema
    types = {field.name: field.type.value_type for field in schema}
    assert types["y"] == pa.int64()
    assert types["count"] == types["ratio"] == types["flag"] == pa.float32()
    assert types["unit"] == types["day"] == types["country"] == types["city"] == pa.large_binary()
    assert all(pa.types.is_large_list(field.type) for field in schema)
    assert encoding.example_schema(train.schema.names, FOLDER) == schema
