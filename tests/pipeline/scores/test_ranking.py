"""Percentiles, deciles and arms, against a plain computation; the order of rows; memory."""

import datetime
import hashlib
import math
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.scores import ranking
from pipeline.scores.layout import ScoresError, score_schema
from tests.pipeline.scores.scored_rows import CONSTANTS, DAY, NEXT_DAY, ranked, write_scored

MEMORY_PROBE = """
import resource, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pipeline.scores.ranking import rank
from pipeline.settings.scoring import ScoringSettings
file, out, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
random = np.random.default_rng(5)
with pq.ParquetWriter(file, pa.schema([("key", pa.string()), ("snapshot_date", pa.date32()),
                                       ("probability", pa.float64())])) as writer:
    for start in range(0, rows, 50_000):
        keys = [f"user-{number * 7919}" for number in range(start, start + 50_000)]
        days = pa.array([20_000] * 50_000, pa.int32()).cast(pa.date32())
        writer.write_table(pa.table([pa.array(keys), days, random.beta(1, 20, 50_000)], schema=writer.schema))
constants = {"model_version": "1", "model_digest": "d", "run_id": "r", "scored_at": "2026-01-01T00:00:00"}
found = rank([file], out, key="key", key_type=pa.string(), settings=ScoringSettings(), constants=constants)
assert sum(day.rows for day in found.values()) == rows
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def digits(text, start):
    return int(hashlib.md5(text.encode()).hexdigest()[start : start + 15], 16)


def by_hand(keys, probabilities):
    """Rank by key: probability downwards, then the MD5 of the key."""
    order = sorted(zip(keys, probabilities, strict=True), key=lambda row: (-row[1], digits(str(row[0]), 0)))
    return {key: place for place, (key, _) in enumerate(order, start=1)}


@pytest.mark.parametrize("rows", [1, 7, 10, 1003])
def test_percentile_and_decile(tmp_path, rows):
    draws = random.Random(rows)
    keys = [f"user {number}" for number in range(rows)]
    probabilities = [draws.randrange(20) / 20 for _ in keys]  # with many ties
    _, days = ranked(tmp_path / "out", write_scored(tmp_path / "in.parquet", keys, probabilities))
    ranks = by_hand(keys, probabilities)
    table = days[DAY].to_pydict()
    assert table["user_id"] == sorted(keys, key=ranks.get)
    assert table["decile"] == [math.ceil(10 * ranks[key] / rows) for key in table["user_id"]]
    assert table["percentile"] == [100 * (rows - ranks[key] + 1) / rows for key in table["user_id"]]
    assert table["percentile"][0] == 100
    assert table["probability"] == sorted(probabilities, reverse=True)


def test_numbers_as_keys_are_hashed_as_their_text(tmp_path):
    keys = list(range(-200, 200))
    file = write_scored(tmp_path / "in.parquet", keys, [0.5] * 400)
    _, days = ranked(tmp_path / "out", file, key_type=pa.int64())
    assert days[DAY]["user_id"].to_pylist() == sorted(keys, key=by_hand(keys, [0.5] * 400).get)
    assert days[DAY].schema.field("user_id").type == pa.int64()


def test_any_order_of_rows_and_files_gives_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK_ROWS", 700)  # so that blocks and batches do not fall together
    draws = random.Random(3)
    rows = [(f"k{n}", draws.choice([DAY, NEXT_DAY]), draws.randrange(50) / 50, [f"a = {n}"]) for n in range(5000)]

    def files(name, parts):
        paths = []
        for number, part in enumerate(parts):
            keys, dates, probabilities, reasons = zip(*part, strict=True)
            paths.append(write_scored(tmp_path / f"{name}{number}.parquet", keys, probabilities, dates, reasons))
        return paths

    first, _ = ranked(tmp_path / "first", *files("a", [rows]), holdout_percent=10)
    shuffled = draws.sample(rows, len(rows))
    second, _ = ranked(tmp_path / "second", *files("b", [shuffled[:17], shuffled[17:]]), holdout_percent=10)
    assert first == second
    for day in (DAY, NEXT_DAY):
        name = f"{day}.parquet"
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_all_columns_of_the_table_in_their_types(tmp_path):
    file = write_scored(tmp_path / "in.parquet", ["a", "b"], [0.25, 0.75], [NEXT_DAY, DAY])
    _, days = ranked(tmp_path / "out", file)
    assert list(days) == [DAY, NEXT_DAY]
    assert days[DAY].schema.equals(score_schema("user_id", pa.string()))
    assert days[DAY].to_pylist() == [
        {
            "user_id": "b",
            "snapshot_date": DAY,
            "probability": 0.75,
            "percentile": 100.0,
            "decile": 10,
            "arm": "treated",
            "reasons": [],
            "model_version": CONSTANTS["model_version"],
            "model_digest": CONSTANTS["model_digest"],
            "run_id": CONSTANTS["run_id"],
            "scored_at": datetime.datetime(2026, 1, 6, 3, 4, 5, tzinfo=datetime.timezone.utc),
        }
    ]


@pytest.mark.parametrize("text", ["2026-01-06T04:04:05+01:00", "2026-01-06T03:04:05Z", "2026-01-06T03:04:05"])
def test_scored_at_becomes_utc(tmp_path, text):
    file = write_scored(tmp_path / "in.parquet", ["a"], [0.25])
    _, days = ranked(tmp_path / "out", file, constants={"scored_at": text})
    expected = datetime.datetime(2026, 1, 6, 3, 4, 5, tzinfo=datetime.timezone.utc)
    assert days[DAY]["scored_at"].to_pylist() == [expected]


def test_dates_may_be_text(tmp_path):
    file = write_scored(tmp_path / "in.parquet", ["a"], [0.25], ["2026-01-05"])
    figures, _ = ranked(tmp_path / "out", file)
    assert list(figures) == [DAY]


def test_reasons_go_with_their_rows_up_to_a_decile(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK_ROWS", 30)
    keys = [f"k{n}" for n in range(100)]
    reasons = [[f"carts = {n}, up", "x"] if n % 3 else None for n in range(100)]
    file = write_scored(tmp_path / "in.parquet", keys, [n / 100 for n in range(100)], reasons=reasons)
    _, days = ranked(tmp_path / "out", file, reasons_deciles=4)
    expected = [(reasons[n] or []) if n >= 60 else [] for n in range(99, -1, -1)]
    assert days[DAY]["reasons"].to_pylist() == expected


def test_arms_follow_from_the_salted_key_alone(tmp_path):
    keys = [f"k{n}" for n in range(20_000)]
    file = write_scored(tmp_path / "in.parquet", keys * 2, [0.5] * 40_000, [DAY] * 20_000 + [NEXT_DAY] * 20_000)
    figures, days = ranked(tmp_path / "out", file, holdout_percent=2.25, holdout_salt="it's:")
    held = [{row["user_id"] for row in days[day].to_pylist() if row["arm"] == "holdout"} for day in (DAY, NEXT_DAY)]
    assert held[0] == held[1] == {key for key in keys if digits(f"it's:{key}", 16) % 1_000_000 < 22_500}
    assert figures[DAY].arms == {"treated": 20_000 - len(held[0]), "holdout": len(held[0])}
    assert abs(len(held[0]) - 450) < 4 * math.sqrt(450)

    _, others = ranked(tmp_path / "other", file, holdout_percent=2.25, holdout_salt="other:")
    other = {row["user_id"] for row in others[DAY].to_pylist() if row["arm"] == "holdout"}
    assert len(other & held[0]) < 30  # 10 by chance


@pytest.mark.parametrize("salt", ["", "v1:"])
def test_arms_do_not_depend_on_the_order_of_ties_or_on_the_split(tmp_path, salt):
    keys = [f"k{n}" for n in range(20_000)]
    file = write_scored(tmp_path / "in.parquet", keys, [0.5] * len(keys))
    _, days = ranked(tmp_path / "out", file, holdout_percent=20, holdout_salt=salt)
    table = days[DAY].to_pylist()
    held = np.array([row["arm"] == "holdout" for row in table])
    decile = np.array([row["decile"] for row in table])
    split = np.array([digits(salt + row["user_id"], 0) % 100 for row in table])
    for group in [decile == number for number in range(1, 11)] + [split < 10, split < 20, split >= 80]:
        assert abs(held[group].mean() - 0.2) < 4 * math.sqrt(0.2 * 0.8 / group.sum())


def test_without_a_holdout_everyone_is_treated(tmp_path):
    file = write_scored(tmp_path / "in.parquet", ["a", "b"], [0.1, 0.2])
    figures, _ = ranked(tmp_path / "out", file)
    assert figures[DAY].arms == {"treated": 2, "holdout": 0}


def test_half_of_the_keys_can_be_held_out(tmp_path):
    file = write_scored(tmp_path / "in.parquet", [f"k{n}" for n in range(10_000)], [0.1] * 10_000)
    figures, _ = ranked(tmp_path / "out", file, holdout_percent=50)
    assert abs(figures[DAY].arms["holdout"] - 5000) < 200


def test_no_rows_give_no_days(tmp_path):
    file = write_scored(tmp_path / "in.parquet", pa.array([], pa.string()), [], pa.array([], pa.date32()))
    assert ranked(tmp_path / "out", file) == ({}, {})


@pytest.mark.parametrize("decile", [1, 3, 10])
def test_reasons_floors_miss_no_row(tmp_path, decile):
    draws = np.random.default_rng(decile)
    keys = [f"k{n}" for n in range(4000)]
    probabilities = np.round(draws.beta(1, 30, 4000), 4)
    dates = [DAY if n % 3 else NEXT_DAY for n in range(4000)]
    file = write_scored(tmp_path / "in.parquet", keys, probabilities, dates)
    figures, _ = ranked(tmp_path / "out", file)
    floors = ranking.reasons_floors([file], key="user_id", decile=decile)
    assert list(floors) == [DAY, NEXT_DAY]
    for day, figure in figures.items():
        lowest = figure.deciles[decile - 1].lowest
        assert lowest - 2**-20 <= floors[day] <= lowest


def test_with_few_rows_the_first_deciles_are_empty(tmp_path):
    file = write_scored(tmp_path / "in.parquet", ["a", "b"], [0.25, 0.5])
    assert ranking.reasons_floors([file], key="user_id", decile=4) == {DAY: math.inf}
    assert ranking.reasons_floors([file], key="user_id", decile=5) == {DAY: 0.5}


SECRET = "secret-user-42"


@pytest.mark.parametrize("wrong", [float("nan"), None, 1.5, -0.1, float("inf")])
def test_a_row_without_a_probability_is_refused(tmp_path, wrong):
    file = write_scored(tmp_path / "in.parquet", [SECRET, "b"], [wrong, 0.2])
    with pytest.raises(
        ScoresError, match=r"2026-01-05: the model gave 1 of 2 rows no probability from 0 to 1"
    ) as error:
        ranked(tmp_path / "out", file)
    assert SECRET not in str(error.value)


def test_a_row_without_a_key_is_refused(tmp_path):
    file = write_scored(tmp_path / "in.parquet", ["a", None, SECRET], [0.1, 0.2, 0.3])
    with pytest.raises(ScoresError, match=r"2026-01-05: 1 of 3 rows have no key \('user_id'\)"):
        ranked(tmp_path / "out", file)


@pytest.mark.parametrize("wrong", [None, "05.01.2026"])
def test_a_row_without_a_date_is_refused(tmp_path, wrong):
    file = write_scored(tmp_path / "in.parquet", ["a", "b"], [0.1, 0.2], ["2026-01-05", wrong])
    with pytest.raises(ScoresError, match="1 scored rows have no 'snapshot_date'"):
        ranked(tmp_path / "out", file)


def test_a_column_that_is_absent_is_named(tmp_path):
    file = str(tmp_path / "in.parquet")
    pq.write_table(pa.table({"user_id": ["a"], "probability": [0.5]}), file)
    with pytest.raises(ScoresError, match="no column 'snapshot_date'; they have: user_id, probability"):
        ranked(tmp_path / "out", file)


def test_keys_of_another_type_are_refused_without_their_values(tmp_path):
    file = write_scored(tmp_path / "in.parquet", [SECRET], [0.5])
    with pytest.raises(ScoresError, match="cannot be ranked") as error:
        ranked(tmp_path / "out", file, key_type=pa.int64())
    assert SECRET not in str(error.value)


def test_reasons_that_need_too_much_memory_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking, "_REASONS_MB", -100)
    reasons = [[f"{'feature' * 20}_{n} = {n}" for _ in range(10)] for n in range(20_000)]
    file = write_scored(tmp_path / "in.parquet", [f"k{n}" for n in range(20_000)], [0.5] * 20_000, reasons=reasons)
    with pytest.raises(ScoresError, match=r"their reasons are too long; set scoring.reasons to fewer"):
        ranked(tmp_path / "out", file)


def test_a_key_with_the_name_of_another_column_is_refused():
    with pytest.raises(ScoresError, match="a column of its own named 'decile'"):
        score_schema("Decile", pa.string())


def test_peak_memory_does_not_grow_with_the_rows(tmp_path):
    """DuckDB reaches its limit at about a million rows; without one, the larger file would take 200 MiB more."""

    def peak(rows):
        arguments = [sys.executable, "-c", MEMORY_PROBE, tmp_path / "in.parquet", tmp_path, str(rows)]
        return int(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)

    small, large = peak(800_000), peak(3_000_000)
    assert large < small + 100
