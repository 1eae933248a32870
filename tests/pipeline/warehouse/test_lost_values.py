"""Values that SAFE_CAST loses."""

import pytest

from models.features import FeatureSet
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.features_table import inner_query
from pipeline.warehouse.lost_values import lost_values


def warnings_of(tmp_path, query):
    rows = [f'{i},"{i * 10:,}.50",{i},{"" if i % 2 else i},yes' for i in range(1, 401)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,amount,plain,sparse,y", *rows]))
    dataset = Dataset(
        source={"kind": "table", "table": "rows"},
        columns={"label": "y"},
        split={"test_percent": 20, "eval_percent": 10},
    )
    features = FeatureSet(features=[{"name": "amount", "kind": "numeric"}])
    folder = DatasetFolder(name="mine", dataset=dataset, features=features, query=query)
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path / "rows.csv", dataset.source) as warehouse:
        return lost_values(warehouse, inner_query(folder, None))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT SAFE_CAST(t.amount AS FLOAT64) AS amount, 1 AS y FROM rows AS t",
        "WITH a AS (SELECT SAFE_CAST(t.amount AS FLOAT64) AS x, t.id FROM rows AS t) SELECT a.x AS amount FROM a",
        "SELECT MAX(SAFE_CAST(t.amount AS FLOAT64)) AS amount, 1 AS y FROM rows AS t GROUP BY t.id",
        "WITH b AS (SELECT * FROM rows) SELECT SAFE_CAST(t.amount AS FLOAT64) AS a FROM b AS t JOIN b ON b.id = t.id",
    ],
)
def test_lost_values_are_counted(tmp_path, query):
    [warning] = warnings_of(tmp_path, query)
    assert warning.startswith("query.sql: SAFE_CAST(t.amount AS FLOAT64) is NULL in 301 of 400 rows that hold a value")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT SAFE_CAST(t.plain AS FLOAT64) AS amount FROM rows AS t",
        "SELECT SAFE_CAST(t.sparse AS FLOAT64) AS amount FROM rows AS t",
        "SELECT SAFE_CAST(t.amount AS FLOAT64) AS amount FROM rows AS t WHERE t.plain < 100",
        "SELECT CAST(REPLACE(t.amount, ',', '') AS FLOAT64) AS amount FROM rows AS t",
        "SELECT SAFE_CAST(MAX(t.amount) AS FLOAT64) AS amount FROM rows AS t",
        "SELECT t.id, (SELECT SAFE_CAST(t.amount AS FLOAT64) FROM UNNEST([1])) AS amount FROM rows AS t",
    ],
)
def test_what_loses_nothing_or_cannot_be_counted_is_not_warned_of(tmp_path, query):
    assert warnings_of(tmp_path, query) == []
