import datetime
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.types import standard_artifacts

from pipeline.artifacts import Scores
from pipeline.champion import challenger, training_record
from pipeline.champion.identity import model_digest
from pipeline.components.champion_schema import ChampionError
from pipeline.components.scorer import Executor, Scorer
from pipeline.components.specification import settings_property
from pipeline.fast import placement
from pipeline.fast.scoring.model import ScoringError
from pipeline.fast.scoring.score import score_split
from pipeline.scores.layout import score_schema
from pipeline.settings.dataset import Columns
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.components.examples import IN_MEMORY, executor_of
from tests.pipeline.small_models import (
    FEATURES,
    raw_rows,
    save_altered_model,
    save_explained_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])
COLUMNS = Columns(label="bought", key="user", date="day")
ROWS = [{**row, "user": f"user-{number}", "day": f"2025-11-0{3 + number % 2}"} for number, row in enumerate(raw_rows())]


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    return model_artifact(tmp_path_factory.mktemp("champion"), save_small_model)


def model_artifact(folder, save):
    """A Model as SelectModel makes it."""
    model = standard_artifacts.Model()
    model.uri, model.id = str(folder), 12
    model.set_string_custom_property(challenger.FAMILY, "logistic")
    save(folder / "Format-Serving")
    summary = {"trained_through": "2025-10-27"}
    training_record.write(
        model.uri,
        statistics=statistics_pb2.DatasetFeatureStatisticsList(),
        schema=schema_pb2.Schema(),
        summary=summary,
    )
    return model


def run(folder, examples, models, *beam_args, settings=None, columns=COLUMNS, snapshot_date="2026-01-05"):
    settings = settings or ScoringSettings(reasons=0)
    scores = Scores()
    scores.uri = str(folder / "scores")
    properties = {
        "settings": settings_property(settings),
        "columns": settings_property(columns),
        "features": settings_property(FEATURES),
        "snapshot_date": snapshot_date,
        "run_id": "run-7",
    }
    executor_of(Executor, folder, [*IN_MEMORY, *beam_args]).Do(
        {"examples": [examples], "model": models}, {"scores": [scores]}, properties
    )
    return folder / "scores"


def tables(scores):
    return {file.name: pq.read_table(file) for file in sorted(scores.glob("*.parquet"))}


@each_format
def test_each_date_has_a_file_with_all_columns(tmp_path, champion, write):
    examples = write(tmp_path / "examples", ROWS, split="score", files=2)
    scores = run(tmp_path, examples, [champion], settings=ScoringSettings(reasons=0, holdout_percent=40))
    found = tables(scores)
    assert list(found) == ["2025-11-03.parquet", "2025-11-04.parquet"]
    assert sorted(path.name for path in scores.iterdir()) == [*found, "scores.json"]
    expected = score_split(examples, "score", {"c": f"{champion.uri}/Format-Serving"}, label="bought").predictions["c"]
    by_user = {row["user"]: chance for row, chance in zip(ROWS, expected, strict=True)}
    for name, table in found.items():
        assert table.schema.names == score_schema("user", table.schema.field("user").type).names
        assert str(table.schema.field("user").type) == "string"
        rows = table.to_pylist()
        assert {row["user"] for row in rows} == {row["user"] for row in ROWS if row["day"] == name[:10]}
        np.testing.assert_allclose([row["probability"] for row in rows], [by_user[row["user"]] for row in rows])
        assert [row["decile"] for row in rows] == [1 + place // 2 for place in range(20)]
        assert {row["arm"] for row in rows} == {"treated", "holdout"}
        assert {row["model_version"] for row in rows} == {"12"}
        assert {row["model_digest"] for row in rows} == {model_digest(f"{champion.uri}/Format-Serving")}
        assert {row["run_id"] for row in rows} == {"run-7"}
        assert all(row["reasons"] == [] for row in rows)


def test_the_summary_says_which_model_scored_what(tmp_path, champion):
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    scores = run(tmp_path, write_parquet_examples(tmp_path / "e", ROWS, split="score"), [champion])
    summary = json.loads((scores / "scores.json").read_text())
    assert summary["model"] == {
        "version": "12",
        "digest": model_digest(f"{champion.uri}/Format-Serving"),
        "family": "logistic",
        "trained_at": training_record.read_summary(champion.uri)["trained_at"],
        "trained_through": "2025-10-27",
    }
    assert summary["run_id"] == "run-7" and summary["reasons"] is None
    assert (
        before <= datetime.datetime.fromisoformat(summary["scored_at"]) <= datetime.datetime.now(datetime.timezone.utc)
    )
    assert [(day["date"], day["rows"], day["arms"]) for day in summary["dates"]] == [
        ("2025-11-03", 20, {"treated": 20, "holdout": 0}),
        ("2025-11-04", 20, {"treated": 20, "holdout": 0}),
    ]
    [table, _] = tables(scores).values()
    assert summary["dates"][0]["mean"] == pytest.approx(np.mean(table["probability"].to_numpy()))
    assert sum(decile["expected"] for decile in summary["dates"][0]["deciles"]) == pytest.approx(
        np.sum(table["probability"].to_numpy())
    )


@each_format
def test_above_the_bound_beam_gives_the_same_files(tmp_path, champion, write):
    examples = write(tmp_path / "examples", ROWS, split="score", files=2)
    here = run(tmp_path / "here", examples, [champion])
    placement.taken.clear()
    there = run(tmp_path / "there", examples, [champion], "--in_process_rows=5")
    assert placement.taken == {("Scorer", placement.Place.BEAM): 1}
    assert sorted(path.name for path in there.iterdir()) == sorted(path.name for path in here.iterdir())
    for name, table in tables(here).items():
        drop = ["probability", "scored_at"]
        other = tables(there)[name]
        assert other.drop(drop) == table.drop(drop)
        np.testing.assert_allclose(other["probability"].to_numpy(), table["probability"].to_numpy(), rtol=1e-6)


@pytest.mark.parametrize("beam_args", [(), ("--in_process_rows=5",)])
def test_reasons_reach_the_table_for_the_deciles_that_are_asked_for(tmp_path, beam_args):
    model = model_artifact(tmp_path / "model", save_explained_model)
    examples = write_parquet_examples(tmp_path / "examples", ROWS, split="score")
    settings = ScoringSettings(reasons=1, reasons_deciles=4)
    scores = run(tmp_path, examples, [model], *beam_args, settings=settings)
    for table in tables(scores).values():
        assert [len(row["reasons"]) for row in table.to_pylist()] == [1] * 8 + [0] * 12
    summary = json.loads((scores / "scores.json").read_text())["reasons"]
    assert summary.pop("largest_error") < 1e-5
    assert summary.pop("rows") >= 16  # and those that tie with the last of them
    assert summary == {"method": "Exact.", "baseline": -2.0}


def test_without_key_and_date_the_digest_of_the_row_and_the_given_day_are_written(tmp_path, champion):
    examples = write_parquet_examples(tmp_path / "e", [{"visits": 1.0, "country": "de", "unit": "ab12"}], split="score")
    scores = run(tmp_path, examples, [champion], columns=Columns(label="bought"))
    [row] = tables(scores)["2026-01-05.parquet"].to_pylist()
    assert row["unit"] == "ab12" and row["percentile"] == 100


def test_without_a_date_rows_are_of_the_day_of_the_run(tmp_path, champion):
    row = {"visits": 1.0, "country": "de", "unit": "ab12"}
    before = datetime.datetime.now(datetime.timezone.utc).date()
    examples = write_parquet_examples(tmp_path / "e", [row], split="score")
    [name] = tables(run(tmp_path, examples, [champion], columns=Columns(label="bought"), snapshot_date=""))
    after = datetime.datetime.now(datetime.timezone.utc).date()
    assert name in {f"{before}.parquet", f"{after}.parquet"}


def test_without_a_champion_the_message_says_what_to_do(tmp_path, champion):
    examples = write_parquet_examples(tmp_path / "e", ROWS, split="score")
    with pytest.raises(ChampionError, match=r"no champion yet.*make run"):
        run(tmp_path, examples, [])
    gone = standard_artifacts.Model()
    gone.uri, gone.id = str(tmp_path / "gone"), 3
    with pytest.raises(ChampionError, match=r"champion \(model 3\) are gone"):
        run(tmp_path, examples, [gone])


@pytest.mark.parametrize("beam_args", [(), ("--in_process_rows=5",)])
def test_nothing_is_left_for_others_to_read_if_a_probability_is_missing(tmp_path, champion, beam_args):
    def spoilt(folder):
        save_altered_model(f"{champion.uri}/Format-Serving", folder, predict=lambda values: values * np.nan)

    model = model_artifact(tmp_path / "model", spoilt)
    with pytest.raises(ScoringError, match="no probability between 0 and 1 for 40 of 40 rows"):
        run(tmp_path, write_parquet_examples(tmp_path / "e", ROWS, split="score"), [model], *beam_args)
    assert list((tmp_path / "scores").rglob("*")) == []


def test_the_component_takes_what_the_pipeline_passes():
    from tfx.types import Channel

    scorer = Scorer(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        settings=ScoringSettings(),
        columns=COLUMNS,
        features=FEATURES,
        snapshot_date="",
        run_id="run-7",
    )
    assert scorer.outputs["scores"].type is Scores
