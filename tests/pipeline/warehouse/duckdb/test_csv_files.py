import pytest

from pipeline.warehouse.duckdb.csv_files import find_bad_row, find_delimiter
from pipeline.warehouse.interface import WarehouseError


@pytest.mark.parametrize(
    ("header", "delimiter"), [("a,b", ","), ("a;b", ";"), ("a\tb", "\t"), ("a|b", "|"), ("a", ",")]
)
def test_delimiter_comes_from_the_header(tmp_path, header, delimiter):
    path = tmp_path / "x.csv"
    path.write_text(f"\ufeff{header}\n", encoding="utf-8")
    assert find_delimiter(path) == delimiter


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "row 1 is empty"),
        (b"0,0.5,Feb\n1,2,Mar\n", "row 1 has no name for column 1"),
        (b"a,,c\n", "no name for column 2"),
        (b"a,b,A\n", "column 3 like an earlier one"),
        (b"\xff\xfea\x00\n", "row 1 is not UTF-8"),
    ],
)
def test_unusable_header(tmp_path, content, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=problem):
        find_delimiter(path)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (b"1,2\nsecret,4\n", None),
        (b"1,2\nsecret\n5,6\n", "row 3 has 1 fields, the header 2"),
        (b"1,2\nsecret,4,9\n", "row 3 has 3 fields"),
        (b"1,\xe9secret\n", "row 2 is not UTF-8"),
        (b'1,"secret\n3,4\n', "row 2 has a quote"),
    ],
)
def test_bad_row_is_named_by_its_number_alone(tmp_path, rows, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" + rows)
    found = find_bad_row(path, ",")
    assert found is problem if problem is None else problem in found
    assert "secret" not in (found or "")
