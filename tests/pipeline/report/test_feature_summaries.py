"""Features summed up by decile, in batches, over files of scores."""

import math

import pyarrow as pa
import pytest

from models.features import FeatureSet
from pipeline.examples.list_columns import to_lists
from pipeline.report.feature_summaries import RankedDays, first_reasons, summarise
from pipeline.report.scoring_data import FeatureSummary
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY, ranked, write_scored

FEATURES = FeatureSet.from_config([{"name": "carts", "kind": "numeric"}, {"name": "source", "kind": "categorical"}])
KEYS = [f"u{n}" for n in range(20)]


def reader(columns):
    """Reads columns of the examples in batches of 7 rows."""
    table = pa.table({name: to_lists(values) for name, values in columns.items()})

    def read(names):
        return table.select(list(names)).to_batches(max_chunksize=7)

    return read


def examples(keys=KEYS, **more):
    carts = [5.0, 7.0, *[1.0] * 8, math.nan, None, *[0.0] * 8]
    source = [b"ad", None, *[b"mail"] * 18]
    return {
        "user_id": pa.array(keys).cast(pa.large_binary()) if isinstance(keys[0], str) else pa.array(keys),
        "carts": pa.array(carts, pa.float32(), from_pandas=False),
        "source": pa.array(source, pa.large_binary()),
        **more,
    }


def files(folder, keys=KEYS, key_type=None, **more):
    """One day whose first two keys are decile 1."""
    scored = write_scored(folder / "scored.parquet", keys, [0.9, 0.8, *[0.1] * 18], **more)
    ranked(folder / "ranked", scored, key_type=key_type)
    return folder / "ranked"


def test_top_decile_and_rest_are_summed_up(tmp_path):
    days = RankedDays(str(files(tmp_path) / f"{DAY}.parquet"), None, "user_id", None)
    found = summarise(days, FEATURES, reader(examples()))
    assert found.top["carts"] == FeatureSummary(2, 2, 6.0, 1.0)
    assert (found.rest["carts"].rows, found.rest["carts"].present, found.rest["carts"].mean) == (18, 16, 0.5)
    top, rest = found.top["source"], found.rest["source"]  # their means are NaN, which equals nothing
    assert (top.rows, top.present, top.values) == (2, 1, {"mail": 0, "ad": 1})
    assert (rest.rows, rest.present, rest.values) == (18, 18, {"mail": 18, "ad": 0})
    assert found.earlier is None
    newest = found.newest
    assert (newest["carts"].rows, newest["carts"].present) == (20, 18)
    assert newest["carts"].mean == pytest.approx(20 / 18)
    assert newest["carts"].deviation == pytest.approx(math.sqrt((25 + 49 + 8) / 18 - (20 / 18) ** 2))
    assert newest["source"].values == {"mail": 18, "ad": 1}


def test_of_two_dates_each_has_its_own_rows(tmp_path):
    scored = write_scored(
        tmp_path / "scored.parquet", KEYS, [0.9, 0.8, *[0.1] * 18], [DAY if n >= 10 else NEXT_DAY for n in range(20)]
    )
    ranked(tmp_path / "ranked", scored)
    dates = pa.array([str(DAY) if n >= 10 else str(NEXT_DAY) for n in range(20)]).cast(pa.large_binary())
    days = RankedDays(*(str(tmp_path / "ranked" / f"{day}.parquet") for day in (NEXT_DAY, DAY)), "user_id", "day")
    found = summarise(days, FEATURES, reader(examples(day=dates)))
    assert (found.top["carts"].rows, found.rest["carts"].rows, found.earlier["carts"].rows) == (1, 9, 10)
    assert found.top["carts"].mean == 5
    assert found.earlier["source"].values["mail"] == 10


def test_keys_may_be_numbers_and_a_feature_may_have_no_value_at_all(tmp_path):
    keys = list(range(20))
    days = RankedDays(str(files(tmp_path, keys=keys, key_type=pa.int64()) / f"{DAY}.parquet"), None, "user_id", None)
    columns = examples(keys) | {"source": pa.nulls(20), "carts": pa.nulls(20)}
    found = summarise(days, FEATURES, reader(columns))
    assert (found.top["source"].present, found.rest["source"].present, found.rest["source"].values) == (0, 0, {})
    assert (found.rest["carts"].rows, found.rest["carts"].present) == (18, 0) and math.isnan(found.rest["carts"].mean)
    assert found.newest["carts"].missing == 1


def test_only_the_most_frequent_values_are_listed_and_all_rows_count(tmp_path):
    keys = [f"u{n}" for n in range(200)]
    scored = write_scored(tmp_path / "scored.parquet", keys, [n / 200 for n in range(200)])
    ranked(tmp_path / "ranked", scored)
    days = RankedDays(str(tmp_path / "ranked" / f"{DAY}.parquet"), None, "user_id", None)
    values = pa.array([f"v{n}".encode() if n % 2 else b"often" for n in range(200)], pa.large_binary())
    only = FeatureSet.from_config([{"name": "source", "kind": "categorical"}])
    found = summarise(days, only, reader({"user_id": pa.array(keys).cast(pa.large_binary()), "source": values})).newest[
        "source"
    ]
    assert (found.rows, found.present, len(found.values), found.values["often"]) == (200, 200, 50, 100)


def test_first_reasons_are_counted_by_feature_and_direction(tmp_path):
    reasons = [["carts = 5, up", "source = ad, up"], ["source missing, down"], ["carts = 1, up"], *[[]] * 17]
    folder = files(tmp_path, reasons=reasons)
    found = first_reasons(str(folder / f"{DAY}.parquet"))
    assert {name: (reason.up, reason.down) for name, reason in found.items()} == {"carts": (2, 0), "source": (0, 1)}
