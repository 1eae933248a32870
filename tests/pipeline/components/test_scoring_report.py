"""The report of a scoring run from its artifacts: what it says, and that it shows no key."""

import datetime
import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline import artifacts
from pipeline.champion import training_record
from pipeline.components.score_writer import write
from pipeline.components.scoring_report import Executor
from pipeline.components.specification import settings_property
from pipeline.data_gate import anomalies
from pipeline.data_gate.comparison import drift
from pipeline.evaluation.test_scores import write_test_scores
from pipeline.examples import files
from pipeline.examples.list_columns import to_lists
from pipeline.raw_schema import raw_schema
from pipeline.scores.opening import open_table
from pipeline.settings.gate import DataGateSettings
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.report.pages import Page
from tests.pipeline.scores.scored_rows import CONSTANTS, DAY, NEXT_DAY, ranked, write_scored

FEATURES = FeatureSet.from_config([{"name": "carts", "kind": "numeric"}, {"name": "source", "kind": "categorical"}])
HOSTILE = "<script>alert(1)</script>"
ROWS = 400
SETTINGS = {"holdout_percent": 10}
ENGINE = DuckDBSettings(engine="duckdb", memory_limit="100MB", threads=1)


def frame(seed, rows=ROWS, shift=0.0):
    rng = np.random.default_rng(seed)
    carts = rng.poisson(1, rows).astype(np.float32) + np.float32(shift)
    return pd.DataFrame({"carts": carts, "source": rng.choice(["ad", "mail", HOSTILE], rows)})


def key(number):
    return f"customer-{number:06d}"


def artifact(kind, uri, *splits):
    made = kind()
    made.uri = str(uri)
    uri.mkdir(parents=True, exist_ok=True)
    if splits:
        made.split_names = artifact_utils.encode_split_names(list(splits))
    return made


@pytest.fixture
def champion(tmp_path):
    trained = frame(0).assign(y=np.arange(ROWS) % 2)
    model = artifact(standard_artifacts.Model, tmp_path / "model")
    statistics = tfdv.generate_statistics_from_dataframe(trained)
    training_record.write(model.uri, statistics=statistics, schema=raw_schema(FEATURES, "y"), summary={})
    return model


def run(folder, champion, days, *, test=True, with_key=True, constants=None, table="scores.duckdb"):
    """Scores days (frames by date), writes them into a score table and makes the report.

    Each day's probability is carts / 20; its customers are numbers 0 to ROWS - 1 in the order of the frame.
    """
    folder.mkdir()
    rows = pd.concat(days.values())
    keys = [key(number) for frame in days.values() for number in range(len(frame))]
    dates = [str(date) for date, frame in days.items() for _ in range(len(frame))]
    numbers = {"unit": [f"{abs(hash(k)):032x}" for k in keys]}
    columns = {
        "unit": pa.array(keys if not with_key else numbers["unit"]).cast(pa.large_binary()),
        **({"user_id": pa.array(keys).cast(pa.large_binary())} if with_key else {}),
        "day": pa.array(dates).cast(pa.large_binary()),
        "carts": pa.array(rows["carts"].to_numpy()),
        "source": pa.array(rows["source"].to_list()).cast(pa.large_binary()),
    }
    examples = artifact(standard_artifacts.Examples, folder / "examples", "score")
    table_ = pa.table({name: to_lists(values) for name, values in columns.items()})
    with files.parquet_writer(f"{examples.uri}/Split-score/data-00000.parquet", table_.schema) as writer:
        writer.write_table(table_)

    computed = tfdv.generate_statistics_from_dataframe(rows)
    statistics = artifact(standard_artifacts.ExampleStatistics, folder / "statistics", "score")
    (folder / "statistics" / "Split-score").mkdir()
    (folder / "statistics" / "Split-score" / "FeatureStats.pb").write_bytes(computed.SerializeToString())
    drifted = artifact(standard_artifacts.ExampleAnomalies, folder / "drift", "score")
    trained, schema = training_record.read_statistics(champion.uri), raw_schema(FEATURES, "y")
    del schema.feature[-1]
    anomalies.save(drifted, {"score": drift(trained, computed, schema, DataGateSettings(max_drift=0.3))})
    (folder / "drift" / "far_off.json").write_text(json.dumps([f"feature 'source': {HOSTILE} is new"]))

    scores = artifact(artifacts.Scores, folder / "scores")
    reasons = [[f"carts = {value:g}, {'up' if value > 1 else 'down'}"] for value in rows["carts"]]
    scored = folder / "scored.parquet"
    write_scored(scored, keys, (rows["carts"] / 20).to_list(), [pd.Timestamp(date).date() for date in dates], reasons)
    figures, _ = ranked(folder / "scores", str(scored), constants=constants, **SETTINGS)
    if not with_key:
        for date in figures:
            path = folder / "scores" / f"{date}.parquet"
            read = pa.parquet.read_table(path)
            pa.parquet.write_table(read.rename_columns(["unit", *read.column_names[1:]]), path)
    constants = {**CONSTANTS, **(constants or {})}
    summary = {
        "model": {
            "version": constants["model_version"], "digest": constants["model_digest"], "family": "keras",
            "trained_at": "2026-01-01T02:03:04+00:00", "trained_through": "2025-12-29",
        },
        "run_id": constants["run_id"], "scored_at": constants["scored_at"],
        "dates": [found.to_json() for found in figures.values()],
        "reasons": {"method": "Sums of leaves.", "baseline": -3.0, "largest_error": 1.2e-6, "rows": len(rows)},
    }  # fmt: skip
    (folder / "scores" / "scores.json").write_text(json.dumps(summary))
    settings = ScoringSettings(**SETTINGS)
    database = str(folder.parent / table)
    with open_table(ENGINE, "scores_shop", settings, database) as opened:
        written = artifact(artifacts.WrittenScores, folder / "written")
        (folder / "written" / "written.json").write_text(json.dumps(write(opened, scores.uri, settings, replace=True)))

    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
    if test:
        probability = np.linspace(0.01, 0.6, 100)
        write_test_scores(blessing, (probability > 0.5).astype(int), probability)
    report = artifact(artifacts.Report, folder / "report")
    inputs = {
        "examples": examples, "statistics": statistics, "drift": drifted, "model": champion, "scores": scores,
        "written": written, "blessing": blessing,
    }  # fmt: skip
    Executor().Do(
        {name: [one] for name, one in inputs.items()},
        {"report": [report]},
        {
            "title": "shop",
            "features": settings_property(FEATURES),
            "settings": settings_property(settings),
            "warehouse": settings_property(ENGINE),
            "table_path": database,
        },
    )
    source = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert not any(one in source for one in keys + numbers["unit"])
    assert HOSTILE not in source and "&lt;script&gt;" in source
    return Page(source)


def test_the_first_run_says_what_was_scored_and_what_is_not_known(tmp_path, champion):
    page = run(tmp_path / "first", champion, {DAY: frame(1)}, test=False)
    assert page.text.index("far off the training rows") < page.text.index("What was scored")
    for expected in (
        f"scores_shop in {tmp_path}/scores.duckdb",
        "Model 7, keras, digest dddddddddddd",
        "Trained through 2025-12-29",
        "Trained at 2026-01-01 02:03 UTC",
        "Nothing: the table had no scores of this date",
        "Customers scored 400",
        "The scores of the test rows are not known",
        "There are no figures of an earlier date",
        "The table has no scores of a date before 2026-01-05",
        "carts: mean",
        "Sums of leaves. Contributions and baseline add up to the log odds within 1e-06",
        "are in the arm holdout ( scoring.holdout_percent: 10)",
        "+5 %",
    ):
        assert expected in page.text, expected
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert "nan" not in page.text and "None" not in page.text


def test_a_later_day_is_compared_with_the_earlier_one_and_with_test(tmp_path, champion):
    run(tmp_path / "first", champion, {DAY: frame(1)})
    shifted = frame(1, shift=3.0)
    page = run(tmp_path / "second", champion, {NEXT_DAY: shifted})
    for expected in (
        "100 test rows, on which the gate judged this model, it was 30.50 %",
        "compare 2026-01-06 with 2026-01-05",
        "400 customers have a score on both dates",
        "40 customers are in decile 1 on both dates: 100.0 % of those who were in it on 2026-01-05",
        "0 customers (0.0 % of those on both dates) moved by 3 deciles or more",
        "The data gate reported 1 feature: carts",
        "as before",
    ):
        assert expected in page.text, expected
    assert re.search(r"mean 4\.\d+ against 1\.\d+|mean 3\.\d+ against 0\.\d+", page.text)


def test_a_day_scored_again_by_another_model_says_what_it_replaced(tmp_path, champion):
    run(tmp_path / "first", champion, {DAY: frame(1)})
    page = run(
        tmp_path / "again", champion, {DAY: frame(1)}, constants={"model_version": "9", "model_digest": "e" * 64}
    )
    assert "Replaced 400 scores of model 7, made 2026-01-06 03:04 UTC." in page.text


def test_a_back_fill_has_a_table_by_date_and_details_of_the_newest(tmp_path, champion):
    page = run(tmp_path / "both", champion, {DAY: frame(1), NEXT_DAY: frame(2, 300)})
    assert "This run scored 700 rows of 2 dates" in page.text
    assert "Customers scored 300" in page.text
    assert "compare 2026-01-06 with 2026-01-05" in page.text
    assert "300 customers have a score on both dates" in page.text
    with open_table(ENGINE, "scores_shop", ScoringSettings(), str(tmp_path / "scores.duckdb")) as table:
        kept_of, kept = table.features_before(datetime.date(2026, 1, 7))
    assert kept_of == NEXT_DAY and json.loads(kept)["carts"]["rows"] == 300


def test_customers_without_a_key_are_not_followed(tmp_path, champion):
    run(tmp_path / "first", champion, {DAY: frame(1)}, with_key=False)
    page = run(tmp_path / "second", champion, {NEXT_DAY: frame(2)}, with_key=False)
    assert "The data set has no key, so customers cannot be followed" in page.text
    assert "carts: mean" in page.text
