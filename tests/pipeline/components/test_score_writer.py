"""ScoreWriter: what it writes and says, and what it refuses with the table as it was."""

import json
import logging
from pathlib import Path

import pytest

from pipeline.artifacts import Scores, WrittenScores
from pipeline.components import score_writer
from pipeline.components.specification import settings_property
from pipeline.scores.layout import ScoresError
from pipeline.scores.opening import open_table
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.scores.scored_rows import CONSTANTS, DAY, NEXT_DAY, ranked, write_scored

ENGINE = DuckDBSettings(engine="duckdb", memory_limit="500MB")


def scores_of(folder, model="7", days=(DAY, NEXT_DAY), rows=20):
    """A Scores artifact as Scorer writes it."""
    folder.mkdir()
    keys = [f"secret-user-{n}" for n in range(rows)] * len(days)
    file = write_scored(folder / "in.parquet", keys, [0.5] * len(keys), [day for day in days for _ in range(rows)])
    own = {"model_version": model, "model_digest": f"digest-{model}", "run_id": f"run-{model}"}
    figures, _ = ranked(folder, file, constants=own)
    summary = {
        "model": {"version": model, "digest": f"digest-{model}"},
        "run_id": f"run-{model}",
        "scored_at": CONSTANTS["scored_at"],
        "dates": [day.to_json() for day in figures.values()],
    }
    (folder / "scores.json").write_text(json.dumps(summary))
    artifact = Scores()
    artifact.uri = str(folder)
    return artifact


@pytest.fixture
def write(tmp_path):
    """Runs the executor; returns written.json."""

    def write(scores, *, replace=0, **settings):
        written = WrittenScores()
        written.uri = str(tmp_path / "written")
        properties = {
            "dataset": "shop",
            "settings": settings_property(ScoringSettings(**settings)),
            "warehouse": settings_property(ENGINE),
            "table_path": str(tmp_path / "scores.duckdb"),
            "replace": replace,
        }
        score_writer.Executor().Do({"scores": [scores]}, {"written": [written]}, properties)
        return json.loads(Path(written.uri, "written.json").read_text())

    return write


def days_of(tmp_path, name="scores_shop"):
    with open_table(ENGINE, name, ScoringSettings(), str(tmp_path / "scores.duckdb")) as table:
        return {str(day.date): (day.rows, day.model_version) for day in table.scored_days()}


def test_days_are_written_and_told(tmp_path, write, caplog):
    with caplog.at_level(logging.INFO, logger="propensity.progress"):
        written = write(scores_of(tmp_path / "scores"))
    name = f"scores_shop in {tmp_path / 'scores.duckdb'}"
    assert written == {
        "table": name,
        "run_id": "run-7",
        "days": [
            {"date": "2026-01-05", "rows": 20, "replaced": None},
            {"date": "2026-01-06", "rows": 20, "replaced": None},
        ],
    }
    assert days_of(tmp_path) == {"2026-01-05": (20, "7"), "2026-01-06": (20, "7")}
    assert f"2026-01-05: 20 scores written to {name}" in caplog.text


def test_the_same_model_replaces_its_days(tmp_path, write):
    write(scores_of(tmp_path / "first", rows=30))
    written = write(scores_of(tmp_path / "second", days=[NEXT_DAY]))
    assert written["days"] == [
        {
            "date": "2026-01-06",
            "rows": 20,
            "replaced": {
                "rows": 30,
                "model_version": "7",
                "model_digest": "digest-7",
                "run_id": "run-7",
                "scored_at": CONSTANTS["scored_at"],
            },
        }
    ]
    assert days_of(tmp_path) == {"2026-01-05": (30, "7"), "2026-01-06": (20, "7")}


@pytest.mark.parametrize("allowed", [{"replace": 1}, {"replace_other_models": True}])
def test_another_model_replaces_only_if_it_may(tmp_path, write, allowed):
    write(scores_of(tmp_path / "first"))
    other = scores_of(tmp_path / "second", model="8")
    with pytest.raises(ScoresError, match=r"scored by model 7 \(digest digest-7\) before, .* REPLACE=1") as error:
        write(other)
    assert "secret-user" not in str(error.value)
    assert days_of(tmp_path) == {"2026-01-05": (20, "7"), "2026-01-06": (20, "7")}
    written = write(other, **allowed)
    assert [day["replaced"]["model_version"] for day in written["days"]] == ["7", "7"]
    assert days_of(tmp_path) == {"2026-01-05": (20, "8"), "2026-01-06": (20, "8")}


def test_the_table_may_have_another_name(tmp_path, write):
    write(scores_of(tmp_path / "scores"), table="my_scores")
    assert list(days_of(tmp_path, "my_scores")) == ["2026-01-05", "2026-01-06"]
    assert days_of(tmp_path) == {}


def test_no_scores_are_refused_before_there_is_a_table(tmp_path, write):
    scores = scores_of(tmp_path / "scores")
    summary = Path(scores.uri, "scores.json")
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "dates": []}))
    with pytest.raises(ScoresError, match="there are no scores to write"):
        write(scores)
    assert not (tmp_path / "scores.duckdb").exists()


def test_a_table_with_other_columns_is_refused(tmp_path, write):
    import duckdb

    with duckdb.connect(str(tmp_path / "scores.duckdb")) as connection:
        connection.execute("CREATE TABLE scores_shop AS SELECT 1 AS user_id")
    with pytest.raises(ScoresError, match="has 'user_id' as INTEGER; it must be VARCHAR; name another table"):
        write(scores_of(tmp_path / "scores"))


def test_a_file_that_is_absent_is_named(tmp_path, write):
    scores = scores_of(tmp_path / "scores")
    Path(scores.uri, "2026-01-06.parquet").unlink()
    with pytest.raises(ScoresError, match=r"2026-01-06.parquet: no such file, though scores.json names its day"):
        write(scores)


def test_the_component_has_the_node_id_that_runners_leave_uncached(tmp_path):
    from tfx.types import channel_utils

    writer = score_writer.ScoreWriter(
        scores=channel_utils.as_channel([scores_of(tmp_path / "scores")]),
        dataset="shop",
        settings=ScoringSettings(),
        warehouse=ENGINE,
        table_path="x",
        replace=0,
    )
    assert writer.id == score_writer.NODE_ID
    assert json.loads(writer.exec_properties["warehouse"])["engine"] == "duckdb"
