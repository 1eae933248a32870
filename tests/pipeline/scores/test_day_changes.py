"""Two days of scores side by side."""

import pyarrow.parquet as pq

from pipeline.scores.day_changes import DayChanges, day_changes
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY, ranked, write_scored

KEYS = [f"u{n}" for n in range(20)]


def test_rows_means_overlap_and_movers_are_counted(tmp_path):
    before = [1 - n / 100 for n in range(20)]
    ranked(tmp_path / "before", write_scored(tmp_path / "before.parquet", KEYS, before))
    # u19 jumps from decile 10 to 1; all others slip by one rank. u20 is new, and u0 is gone.
    keys = ["u19", *KEYS[1:19], "u20"]
    now = [0.99, *[0.9 - n / 100 for n in range(18)], 0.01]
    ranked(tmp_path / "now", write_scored(tmp_path / "now.parquet", keys, now, NEXT_DAY))
    batches = pq.ParquetFile(tmp_path / "before" / f"{DAY}.parquet").iter_batches(3)
    found = day_changes(batches, str(tmp_path / "now" / f"{NEXT_DAY}.parquet"), "user_id")
    assert found == DayChanges(
        rows=(20, 20),
        mean=(found.mean[0], found.mean[1]),
        top=(2, 2),
        both=19,
        top_both=1,
        up=1,
        down=0,
    )
    assert abs(found.mean[0] - sum(before) / 20) < 1e-12 and abs(found.mean[1] - sum(now) / 20) < 1e-12


def test_a_day_that_was_not_scored_has_no_changes(tmp_path):
    assert day_changes([], str(tmp_path / "none.parquet"), "user_id") is None
