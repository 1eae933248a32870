"""What the text of a CSV file becomes."""

import datetime

import pytest

from pipeline.settings.dataset import TableSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Query, WarehouseError

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)


@pytest.fixture
def opened(tmp_path):
    """Opens a CSV file with a column `x`, of these cells, beside a column `n` of row numbers."""
    warehouses = []

    def open_cells(cells, name="rows.csv", **source):
        lines = [f'{number},"{cell}"' for number, cell in enumerate(cells, start=1)]
        path = tmp_path / name
        path.write_text("\n".join(["n,x", *lines, ""]), encoding="utf-8")
        warehouses.append(DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows", **source)))
        return warehouses[-1]

    yield open_cells
    for warehouse in warehouses:
        warehouse.close()


def column_of(warehouse, role=None, sql="SELECT r.x AS x, r.n FROM `rows` AS r ORDER BY r.n"):
    """The BigQuery type and the values of the query's column `x`."""
    query = Query(sql, {}, {"x": role} if role else {})
    [kind] = [column.type for column in warehouse.columns(query) if column.name == "x"]
    return kind, [row["x"] for row in warehouse.select(query)]


LOOKS_LIKE_SOMETHING = [
    ["1.1", "1.10"],
    ["True", "False", "TRUE"],
    ["true", "false"],
    ["10:30", "9:05"],
    ["10:30:00", "09:05:00"],
    ["1e5", "100000"],
    ["10-12-14", "01-02-03"],
    ["31.12.2024", "01.01.2025"],
    ["2024-12-31", "2025-01-01"],
    ["2024-12-31 10:00:00", "2024-12-31T10:00:00"],
    ["007", "7", "07"],
    ["7", "8"],
    ["-0", "0"],
    ["1_000", "1000"],
    ["0x1A", "26"],
    [" 5", "5"],
    ["+5", "5"],
    ["Infinity", "1"],
    ["5.0", "5"],
    ["12345678901234567890", "12345678901234567891"],
]


@pytest.mark.parametrize("cells", LOOKS_LIKE_SOMETHING, ids=str)
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT r.x AS x, r.n FROM `rows` AS r ORDER BY r.n",
        "SELECT r.* FROM `rows` AS r ORDER BY r.n",
        "SELECT CAST(r.x AS STRING) AS x, r.n FROM `rows` AS r ORDER BY r.n",
        "WITH a AS (SELECT * FROM rows) SELECT x, n FROM (SELECT a.x, a.n FROM a) AS b ORDER BY n",
        "SELECT IF(r.n > 0, r.x, NULL) AS x, r.n FROM `rows` AS r ORDER BY r.n",
    ],
)
def test_a_category_is_the_text_in_the_file(opened, cells, sql):
    kind, values = column_of(opened(cells), "categorical", sql)
    assert (kind, values) == ("STRING", cells)


@pytest.mark.parametrize("cells", LOOKS_LIKE_SOMETHING, ids=str)
def test_a_key_that_is_cast_is_the_text_in_the_file(opened, cells):
    _, values = column_of(opened(cells), "key", "SELECT CAST(r.x AS STRING) AS x, r.n FROM `rows` AS r ORDER BY r.n")
    assert values == cells


def test_twenty_digits_are_text_in_any_use(opened):
    cells = [str(10**19 + i) for i in range(3)]
    assert column_of(opened(cells)) == ("STRING", cells)
    assert column_of(opened([*cells, "1.5"])) == ("STRING", [*cells, "1.5"])


def test_an_integer_key_stays_an_integer(opened):
    assert column_of(opened(["10", "11"]), "key") == ("INT64", [10, 11])
    assert column_of(opened(["010", "11"]), "key") == ("STRING", ["010", "11"])


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", "", "NA"], "INT64", [1, -2, None, None]),
        (["1.10", "2", ".5", "1e3", "-7."], "FLOAT64", [1.1, 2.0, 0.5, 1000.0, -7.0]),
        (["12.50", "1.00"], "FLOAT64", [12.5, 1.0]),
        (["TRUE", "false", "NULL"], "BOOL", [True, False, None]),
        (["2024-02-29", ""], "DATE", [datetime.date(2024, 2, 29), None]),
        (["31.12.2024", "01.02.2025"], "DATE", [datetime.date(2024, 12, 31), datetime.date(2025, 2, 1)]),
        (["2024-02-29 10:00:00"], "DATETIME", [datetime.datetime(2024, 2, 29, 10)]),
        (["yes", "no"], "STRING", ["yes", "no"]),
        (["1", "x"], "STRING", ["1", "x"]),
        (["2024-02-30"], "STRING", ["2024-02-30"]),
        (["", "NA"], "STRING", [None, None]),
    ],
    ids=str,
)
def test_a_column_of_no_declared_use_has_the_type_that_all_values_fit(opened, cells, kind, values):
    assert column_of(opened(cells)) == (kind, values)


def test_the_last_of_many_rows_counts(opened):
    cells = ["1"] * 5000 + ["x"]
    assert column_of(opened(cells))[0] == "STRING"
    assert column_of(opened(["1.5"] * 5000 + ["1.50"]), "categorical")[1][-1] == "1.50"


def test_queries_that_calculate_and_test_still_work(opened):
    warehouse = opened(["1.10", "2.50"])
    assert column_of(warehouse, "numeric", "SELECT r.x * 2 AS x, r.n FROM rows AS r ORDER BY r.n")[1] == [2.2, 5.0]
    assert column_of(warehouse, "numeric", "SELECT SUM(r.x) AS x FROM rows AS r")[1] == [3.6]
    assert column_of(warehouse, None, "SELECT IF(r.x = '1.10', 1, 0) AS x, r.n FROM rows AS r ORDER BY r.n")[1] == [
        1,
        0,
    ]
    truth = opened(["TRUE", "FALSE"])
    assert column_of(truth, "label", "SELECT IF(r.x, 1, 0) AS x, r.n FROM rows AS r ORDER BY r.n")[1] == [1, 0]
    weekend = "SELECT IF(r.x, 'weekend', 'weekday') AS x, r.n FROM rows AS r ORDER BY r.n"
    assert column_of(truth, "categorical", weekend)[1] == ["weekend", "weekday"]
    day = opened(["2025-01-01", "2025-01-03"])
    assert column_of(day, None, "SELECT COUNT(*) AS x FROM rows AS r WHERE r.x >= '2025-01-02'")[1] == [1]


def test_one_file_serves_queries_that_use_a_column_in_different_ways(opened):
    warehouse = opened(["1.10", "2.50"])
    assert column_of(warehouse, "categorical")[1] == ["1.10", "2.50"]
    assert column_of(warehouse, "numeric")[1] == [1.1, 2.5]


JANUARY = [f"{day:02}.01.25" for day in (1, 2, 12)]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["01.02.2025", "31.12.2024"], datetime.date(2025, 2, 1)),
        (["1/2/2025", "13/2/2025"], datetime.date(2025, 2, 1)),
        (["1/2/2025", "2/13/2025"], datetime.date(2025, 1, 2)),
        (["2025/02/01", "2024/12/31"], datetime.date(2025, 2, 1)),
        (["2025-2-1", "2024-12-31"], datetime.date(2025, 2, 1)),
        (["01.02.25", "31.12.99"], datetime.date(2025, 2, 1)),
        (["20250201", "20241231"], datetime.date(2025, 2, 1)),
        (["2025-02-01"], datetime.date(2025, 2, 1)),
    ],
    ids=str,
)
def test_the_order_of_dates_is_settled_from_the_whole_column(opened, cells, first):
    kind, values = column_of(opened(cells), "date")
    assert (kind, values[0]) == ("DATE", first)


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["1/2/2025", "3/4/2025"], "d/m/yyyy (source.date_order: dmy) and m/d/yyyy (source.date_order: mdy)"),
        (["01.01.25", "31.12.25"], "d.m.yy (source.date_order: dmy) and y"),
    ],
)
def test_two_readings_are_asked_for_and_never_guessed(opened, cells, shown):
    with pytest.raises(WarehouseError, match="the dates of column 'x' can be read as") as error:
        column_of(opened(cells), "date")
    assert shown in str(error.value)


def test_the_order_can_be_set(opened):
    cells = ["1/2/2025", "3/4/2025"]
    assert column_of(opened(cells, date_order="dmy"), "date")[1][0] == datetime.date(2025, 2, 1)
    assert column_of(opened(cells, date_order="mdy"), "date")[1][0] == datetime.date(2025, 1, 2)
    assert column_of(opened(["01.01.25", "31.12.25"], date_order="dmy"), "date")[1][1] == datetime.date(2025, 12, 31)


def test_an_odd_date_is_named_by_its_row(opened):
    cells = ["31.12.2024"] * 3000 + ["30.02.2025"] + ["01.01.2025"] * 5
    with pytest.raises(WarehouseError) as error:
        column_of(opened(cells), "date")
    assert "rows.csv: column 'x', the date: row 3002 is no date d.m.yyyy, unlike 3,005 others" in str(error.value)
    assert "30.02" not in str(error.value)
    with pytest.raises(WarehouseError, match=r"row 2 is no date; write PARSE_DATE\('<format>', x\)"):
        column_of(opened(["Jan 5, 2025"]), "date")
    with pytest.raises(WarehouseError, match="row 4 is no date yyyy-mm-dd, unlike 2 others"):
        column_of(opened(["2025-01-01", "2025-01-02", "soon"]), "date")


@pytest.mark.parametrize(
    ("cells", "advice", "values"),
    [
        (["12,5", "3", "1,25"], "CAST(REPLACE(x, ',', '.') AS FLOAT64)", [12.5, 3.0, 1.25]),
        (["1,234.50", "7", "1,000,000"], "CAST(REPLACE(x, ',', '') AS FLOAT64)", [1234.5, 7.0, 1e6]),
        (["1.234,50", "1.000.000"], "CAST(REPLACE(REPLACE(x, '.', ''), ',', '.') AS FLOAT64)", [1234.5, 1e6]),
        ([str(10**19), "1"], "CAST(x AS FLOAT64)", [1e19, 1.0]),
        (
            ["1 234,5", "12\u00a0345", "7", "1\u202f000\u202f000.25"],
            r"CAST(REPLACE(REGEXP_REPLACE(x, r'[ \x{A0}\x{202F}]', ''), ',', '.') AS FLOAT64)",
            [1234.5, 12345.0, 7.0, 1000000.25],
        ),
        (
            ["1'234.50", "7", "1\u2019000\u2019000"],
            r"CAST(REGEXP_REPLACE(x, r'[\x{27}\x{2019}]', '') AS FLOAT64)",
            [1234.5, 7.0, 1e6],
        ),
    ],
    ids=str,
)
def test_the_advice_for_written_numbers_keeps_the_values(opened, cells, advice, values):
    with pytest.raises(WarehouseError) as error:
        column_of(opened(cells), "numeric")
    assert f"write {advice} AS x" in str(error.value)
    assert column_of(opened(cells), "numeric", f"SELECT {advice} AS x, n FROM rows ORDER BY n") == ("FLOAT64", values)


def test_commas_that_can_be_either_are_left_to_you(opened):
    with pytest.raises(WarehouseError, match="may be decimal commas or stand between thousands"):
        column_of(opened(["1,234", "2,500"]), "numeric")


def test_a_number_that_is_none_is_named_by_its_row(opened):
    with pytest.raises(WarehouseError) as error:
        column_of(opened(["1", "2", "secret", "4"]), "numeric")
    assert "column 'x', a numeric feature, is text: row 4 holds no plain number" in str(error.value)
    assert "source.missing_values" in str(error.value)
    assert "secret" not in str(error.value)
    assert column_of(opened(["1", "secret"], missing_values=["secret"]), "numeric") == ("INT64", [1, None])


def test_missing_values(opened):
    cells = ["a", "NA", "NULL", "\\N", "N/A", "", "Na", "none"]
    expected = ["a", None, None, None, None, None, "Na", "none"]
    assert column_of(opened(cells), "categorical") == ("STRING", expected)
    assert column_of(opened(["DE", "NA"], missing_values=[]), "categorical")[1] == ["DE", "NA"]


def test_a_column_without_values_has_the_type_that_is_wanted(opened):
    cells = ["", "NA"]
    assert column_of(opened(cells), "numeric") == ("FLOAT64", [None, None])
    assert column_of(opened(cells), "categorical") == ("STRING", [None, None])
    assert column_of(opened(cells), "date") == ("DATE", [None, None])


def file_of(tmp_path, content, name="rows.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,\xb0\xa1\xb3\xaa\n", "row 2 is not UTF-8"),
        (b"a,b\n", "holds a header and no rows"),
        (b"a,b\n\n\n", "holds a header and no rows"),
        (b"a,b\n1,2\n1,2,3\n", "row 3 has 3 fields, the header 2"),
        (b'a,b\n1,"x\n', "row 2 has a quote that is not closed"),
    ],
)
def test_a_file_that_cannot_be_read_has_one_true_line(tmp_path, content, problem):
    with file_of(tmp_path, content) as warehouse, pytest.raises(WarehouseError, match=problem) as error:
        warehouse.columns(Query("SELECT * FROM rows"))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1," + b"z" * 3_000_000 + b"\n2,x\n", 2),
        (b"a,b\r\n1,x\n2,y\r\n", 2),
        (b"a,b\r1,x\r2,y\r", 2),
        (b'a,b\r\n1,"x\ny"\r\n2,z\r\n', 2),
        (b"\xef\xbb\xbfa,b\n1,x\n\n2,y", 2),
        (b'"a\nz";"b, c, d, e"\n1;x\n', 1),
    ],
    ids=["long field", "mixed line ends", "old Mac", "line break in quotes", "BOM and empty row", "quoted header"],
)
def test_a_file_that_is_unusual_works(tmp_path, content, rows):
    with file_of(tmp_path, content) as warehouse:
        assert len(warehouse.columns(Query("SELECT * FROM rows"))) == 2
        assert warehouse.select(Query("SELECT COUNT(*) AS n FROM rows")) == [{"n": rows}]


def test_names_with_dots_quotes_and_digits(tmp_path):
    content = b"it's,device.category,device.os,2023,Inf\n1,mobile,iOS,5,6\n"
    with file_of(tmp_path, content, name="it's here.csv") as warehouse:
        row = (
            "SELECT `it's` AS a, t.`device.category` AS b, t.device.os AS c, t.`2023` AS d, t.`Inf` AS e FROM rows AS t"
        )
        assert warehouse.select(Query(row)) == [{"a": 1, "b": "mobile", "c": "iOS", "d": 5, "e": 6}]
