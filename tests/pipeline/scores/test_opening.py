"""The settings choose the score table."""

from pipeline.scores.bigquery_table import BigQueryScoreTable
from pipeline.scores.duckdb_table import DuckDBScoreTable
from pipeline.scores.opening import open_table, table_name
from pipeline.settings.run import BigQuerySettings, DuckDBSettings
from pipeline.settings.scoring import ScoringSettings

BIGQUERY = BigQuerySettings(
    engine="bigquery", project="my-project", location="EU", source="my-project.shop", features_dataset="features"
)


def test_a_database_file(tmp_path):
    with open_table(DuckDBSettings(engine="duckdb"), "s", ScoringSettings(), str(tmp_path / "x.duckdb")) as table:
        assert isinstance(table, DuckDBScoreTable)
        assert table.name == f"s in {tmp_path / 'x.duckdb'}"
    assert list(tmp_path.iterdir()) == []


def test_bigquery_in_the_features_dataset_or_one_of_its_own():
    table = open_table(BIGQUERY, "s", ScoringSettings(), "")
    assert isinstance(table, BigQueryScoreTable)
    assert table.name == "my-project.features.s"
    own = BIGQUERY.model_copy(update={"scores_dataset": "marketing"})
    assert open_table(own, "s", ScoringSettings(), "").name == "my-project.marketing.s"


def test_the_name():
    assert table_name("shop", ScoringSettings()) == "scores_shop"
    assert table_name("shop", ScoringSettings(table="mine")) == "mine"
