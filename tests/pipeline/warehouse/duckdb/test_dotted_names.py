import csv

import duckdb
import pytest

from pipeline.settings.run import DuckDBSettings
from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.dotted_names import flat_names
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Query

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
DOTTED = ["x", "x.1", "Nr.", ".a", "a..b", "total", "Total.day.calls", "q.r", "Q.s", "price in U.S. dollars"]


@pytest.fixture(params=["csv", "parquet"])
def table_of(request, tmp_path):
    """Opens a file whose columns hold `0 v`, `1 v`, ..."""
    opened = []

    def open_names(names):
        path = tmp_path / f"rows.{request.param}"
        values = [f"{place} v" for place in range(len(names))]
        if request.param == "csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([names, values])
        else:
            quoted = [name.replace('"', '""') for name in names]
            selected = ", ".join(f"'{value}' AS \"{name}\"" for value, name in zip(values, quoted, strict=True))
            duckdb.execute(f"COPY (SELECT {selected}) TO '{path}' (FORMAT parquet)")
        opened.append(DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")))
        return opened[-1]

    yield open_names
    for warehouse in opened:
        warehouse.close()


def test_a_name_is_flat_where_it_cannot_be_a_field():
    assert flat_names(["x", "x.1", "y.1", "Y.2", "a.b", "a.b.c", "Nr.", ".n", "T", "t.u"]) == [
        "x.1",
        "a.b.c",
        "Nr.",
        ".n",
        "t.u",
    ]


@pytest.mark.parametrize("place", range(len(DOTTED)))
@pytest.mark.parametrize("in_parts", [False, True])
def test_every_name_with_dots_can_be_read(table_of, place, in_parts):
    name = DOTTED[place]
    back_ticked = "`.`".join(name.split(".")) if in_parts else name
    column = f"t.`{back_ticked}`"
    sql = f"SELECT {column} AS v FROM `rows` AS t WHERE {column} = '{place} v' GROUP BY {column}"
    assert table_of(DOTTED).select(Query(sql)) == [{"v": f"{place} v"}]


def test_stars_and_outputs_without_an_alias(table_of):
    warehouse = table_of(DOTTED)
    names = [column.name for column in warehouse.columns(Query("SELECT * FROM rows"))]
    assert names == ["x", "x.1", "Nr.", ".a", "a..b", "total", "Total.day.calls", "q", "price in U"]
    assert warehouse.select(Query("SELECT t.`x.1`, `Nr.` FROM rows AS t")) == [{"1": "1 v", "Nr": "2 v"}]
    without = warehouse.columns(Query("SELECT * EXCEPT (`x.1`) FROM rows"))
    assert [column.name for column in without] == [name for name in names if name != "x.1"]
    through = "WITH a AS (SELECT * FROM rows) SELECT b.`x.1` AS v, b.`q.r` AS w FROM (SELECT a.* FROM a) AS b"
    assert warehouse.select(Query(through)) == [{"v": "1 v", "w": "7 v"}]


NAMES = [
    *("with space", "가격", "straße", 'a"b', "a'b", "a`b", "1st", "😀 x", "x" * 300, "a-b", "a\nb", "a\\b"),
    *("a,b", "a;b", "a:b", "a\tb", "--", "/*", "(a)", "a/b", "%", "{0}", "$x", "@x", "?", "_", "*", "#"),
    *("select", "order", "from", "CASE", "null", "true", "unit", "t", "rows"),
]


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_names_that_are_no_identifiers_work_in_back_ticks(table_of, place):
    name = NAMES[place].replace("\\", "\\\\").replace("`", "\\`").replace("\n", "\\n")
    sql = f"SELECT t.`{name}` AS v, `{name}` AS w FROM `rows` AS t WHERE t.`{name}` = '{place} v'"
    warehouse = table_of(NAMES)
    assert [column.type for column in warehouse.columns(Query(sql))] == ["STRING", "STRING"]
    assert warehouse.select(Query(sql)) == [{"v": f"{place} v", "w": f"{place} v"}]
