"""Whatever differs between two scoring runs must be found, and no line shows a key."""

import datetime
import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.scores.layout import score_schema
from tests.tools.local_vertex import runs
from tools.local_vertex.compare import MODEL_TOLERANCE, compare_scoring, local_run, main, vertex_run

DAY = datetime.date(2026, 1, 5)
NOW = datetime.datetime(2026, 1, 6, 7, 30, tzinfo=datetime.timezone.utc)
KEYS = ("ada.lovelace", "grace.hopper", "mary.jackson")


def scored(run_id, **changes):
    """The rows of a day; `changes` are of the first one."""
    rows = []
    for place, key in enumerate(KEYS):
        rows.append(
            {
                "user_id": key,
                "snapshot_date": DAY,
                "probability": 0.25 * place,
                "percentile": 100.0 * (place + 1) / 3,
                "decile": 10 - place,
                "arm": "treated",
                "reasons": [f"visits = {place}, up"],
                "model_version": "7",
                "model_digest": "c0ffee",
                "run_id": run_id,
                "scored_at": NOW,
            }
        )
    rows[0] |= changes
    return pa.Table.from_pylist(rows, score_schema("user_id", pa.string()))


def write_scores(folder, database, table, *, written=None):
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / f"{DAY}.parquet")
    database.unlink(missing_ok=True)
    held = database.with_suffix(".parquet")
    pq.write_table(table if written is None else written, held)
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.execute(f"CREATE TABLE scores_shop AS SELECT * FROM read_parquet('{held}')")
        connection.execute("CREATE TABLE scores_shop_runs AS SELECT 1 AS rows")
        connection.execute("CREATE TABLE scores_shop_features AS SELECT 1 AS features")
        connection.execute("CREATE VIEW scores_shop_latest AS SELECT * FROM scores_shop")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    places = {"local": folder / "local" / "artifacts", "vertex": folder / "vertex"}
    for name, place in places.items():
        number = "3" if name == "local" else ""
        runs.write_split(place / "BigQueryExampleGen/examples" / number / "Split-score", runs.rows("test"))
        schema, statistics = place / "ChampionSchema/schema" / number, place / "StatisticsGen/statistics" / number
        for folder_of in (schema, statistics):
            folder_of.mkdir(parents=True)
        runs.write_schema(schema)
        runs.write_statistics(statistics, splits={"score": 4})
        write_scores(place / "Scorer/scores" / number, folder / f"{name}.duckdb", scored(f"run-{name}"))
    return folder


@pytest.fixture
def pair(written, tmp_path):
    shutil.copytree(written, tmp_path / "runs")
    return tmp_path / "runs"


def failed(pair):
    tables = pair / "local.duckdb", pair / "vertex.duckdb"
    found = compare_scoring(local_run(pair / "local"), vertex_run(pair / "vertex"), *tables)
    return {comparison.what: comparison.line() for comparison in found if not comparison.passed}


def test_two_runs_with_the_same_scores_are_equal(pair, capsys):
    tables = [str(pair / "local.duckdb"), str(pair / "vertex.duckdb")]
    assert main([str(pair / "local"), str(pair / "vertex"), "--scores", *tables]) == 0
    shown = capsys.readouterr().out
    assert "15 of 15 are equal" in shown
    assert "scores: decile                            3 rows " in shown


def test_probabilities_may_differ_by_what_two_trainings_may(pair):
    change(pair, probability=0.9 * MODEL_TOLERANCE)
    assert failed(pair) == {}


def change(pair, **changes):
    write_scores(pair / "vertex/Scorer/scores", pair / "vertex.duckdb", scored("run-vertex", **changes))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("probability", 2 * MODEL_TOLERANCE),
        ("percentile", 33.0),
        ("decile", 9),
        ("arm", "holdout"),
        ("reasons", ["visits = 0, down"]),
    ],
)
def test_another_value_of_a_column_is_found_without_a_key(pair, column, value):
    change(pair, **{column: value})
    found = failed(pair)
    assert set(found) == {f"scores: {column}", f"score table: {column}"}
    for line in found.values():
        assert "2026-01-05" in line and "locally" in line
        assert not any(key in line for key in KEYS)


def test_another_customer_is_found(pair):
    change(pair, user_id="dorothy.vaughan")
    assert "is missing on Vertex" in failed(pair)["scores: decile"]


def test_a_table_that_does_not_hold_the_scores_is_found(pair):
    folder, database = pair / "vertex/Scorer/scores", pair / "vertex.duckdb"
    write_scores(folder, database, scored("run-vertex"), written=scored("another-run"))
    assert set(failed(pair)) == {"table and scores on Vertex"}


def test_no_table_is_no_evidence_of_equality(pair):
    (pair / "vertex.duckdb").unlink()
    assert {"score table: decile", "table and scores on Vertex"} <= set(failed(pair))


def test_two_runs_without_scores_are_not_equal(tmp_path):
    found = compare_scoring(local_run(tmp_path), vertex_run(tmp_path), tmp_path / "a", tmp_path / "b")
    assert not any(comparison.passed for comparison in found)
