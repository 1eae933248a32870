import pytest

from pipeline.warehouse.duckdb.csv_files import find_bad_row, find_twice, normalise, read_header
from pipeline.warehouse.interface import WarehouseError


@pytest.mark.parametrize(
    ("header", "delimiter", "names"),
    [
        ("a,b", ",", ["a", "b"]),
        ("a;b", ";", ["a", "b"]),
        ("a\tb", "\t", ["a", "b"]),
        ("a|b", "|", ["a", "b"]),
        ("a", ",", ["a"]),
        ('"id";"city, town, village, place";"x";"y"', ";", ["id", "city, town, village, place", "x", "y"]),
        ('"a""b, c, d";e', ";", ['a"b, c, d', "e"]),
        ('"a\nb", c', ",", ["a\nb", "c"]),
        ("id,2022,2023", ",", ["id", "2022", "2023"]),
        ("id,0,1,2", ",", ["id", "0", "1", "2"]),
        ("Inf,nan,x", ",", ["Inf", "nan", "x"]),
    ],
)
def test_delimiter_and_names_come_from_the_header(tmp_path, header, delimiter, names):
    path = tmp_path / "x.csv"
    path.write_text(f"\ufeff{header}\n1{delimiter}2\n", encoding="utf-8")
    assert read_header(path) == (delimiter, names)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "row 1 is empty"),
        (b"\n\n", "row 1 is empty"),
        (b"0,0.5,Feb\n1,2,Mar\n", "row 1 holds a number in column 1"),
        (b"10001,2025-06-03,team,14\n", "row 1 holds a number in column 1"),
        (b"2023\n", "row 1 holds a number in column 1"),
        (b"a,,c\n", "no name for column 2"),
        (b"a,b,A\n", r"row 1 names column 3 like column 1 \(upper and lower case count as equal\)"),
        (b"\xff\xfea\x00\n", "the file is UTF-16; save it as UTF-8"),
        (b"caf\xe9,b\n", "row 1 is not UTF-8"),
        (b'"a,b\n1,2\n', "row 1 has a quote that is not closed"),
    ],
)
def test_unusable_header(tmp_path, content, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(WarehouseError, match=problem):
        read_header(path)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (b"1,2\nsecret,4\n", None),
        (b"1,2\nsecret\n5,6\n", "row 3 has 1 fields, the header 2"),
        (b"1,2\nsecret,4,9\n", "row 3 has 3 fields"),
        (b"1,\xe9secret\n", "row 2 is not UTF-8"),
        (b'1,"secret\n3,4\n', "row 2 has a quote"),
        (b"1,2\n1," + b"z" * 3_000_000 + b"\n\n1,\xe9secret\n", "row 5 is not UTF-8"),
    ],
)
def test_bad_row_is_named_by_its_number_alone(tmp_path, rows, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" + rows)
    found = find_bad_row(path, ",")
    assert found is problem if problem is None else problem in found
    assert "secret" not in (found or "")


def test_a_file_is_written_again_with_the_same_cells(tmp_path):
    path, copy = tmp_path / "x.csv", tmp_path / "copy.csv"
    path.write_bytes('a;b\r\n"x\ny";"q ""z"""\n\n1;ä\r'.encode())
    longest = normalise(path, copy, ";")
    assert copy.read_text() == '"a";"b"\n"x\ny";"q ""z"""\n"1";"ä"\n'
    assert longest == len(b'"x\ny";"q ""z"""\n')


def test_names_that_differ_by_case_alone_are_found():
    assert find_twice(["a", "B", "c", "b", "A"]) == (2, 4)
    assert find_twice(["a", "b"]) is None
