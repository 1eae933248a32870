import pytest

from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.csv_header import read_layout
from pipeline.warehouse.interface import WarehouseError


@pytest.fixture
def layout_of(tmp_path):
    def read(content, **settings):
        path = tmp_path / "x.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_layout(path, TableSource(kind="table", table="rows", **settings), path)

    return read


@pytest.mark.parametrize(
    ("header", "delimiter", "names"),
    [
        ("a,b", ",", ["a", "b"]),
        ("a;b", ";", ["a", "b"]),
        ("a\tb", "\t", ["a", "b"]),
        ("a|b", "|", ["a", "b"]),
        ("a^b", "^", ["a", "b"]),
        ("a~b", "~", ["a", "b"]),
        ("a\x01b", "\x01", ["a", "b"]),
        ("a¦b", "¦", ["a", "b"]),
        ("a:b", ":", ["a", "b"]),
        ('"id";"city, town, village, place";"x";"y"', ";", ["id", "city, town, village, place", "x", "y"]),
        ('"a""b, c, d";e', ";", ['a"b, c, d', "e"]),
        ('"a\nb", "c"', ",", ["a\nb", "c"]),
        ("id,2022,2023", ",", ["id", "2022", "2023"]),
        ("id,0,1,2", ",", ["id", "0", "1", "2"]),
        ("Inf,nan,x", ",", ["Inf", "nan", "x"]),
        ("#id,x", ",", ["#id", "x"]),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_delimiter_and_names(layout_of, header, delimiter, names, rows):
    layout = layout_of(f"\ufeff{header}\n" + (delimiter.join("1" * len(names)) + "\n") * rows)
    assert (layout.delimiter, list(layout.names)) == (delimiter, names)


@pytest.mark.parametrize(
    ("content", "delimiter", "names"),
    [
        ("id;city, town, village, place\n1;Bonn\n2;Ulm\n", ";", ["id", "city, town, village, place"]),
        ("x, y;z\n1,5;2\n3,5;4\n", ";", ["x, y", "z"]),
        ("a,b;c,d\n1,2,3\n", ",", ["a", "b;c", "d"]),
        ("a|b, c, d\n1|x\n2|y, z\n", "|", ["a", "b, c, d"]),
        ("a\tb,c,d\n1\tx\n", "\t", ["a", "b,c,d"]),
        ("a,b\n1,10:30\n2,11:15\n", ",", ["a", "b"]),
        ("a^b, c\n1^2\n3^4\n", "^", ["a", "b, c"]),
        ("time of day\n10:30\n", ",", ["time of day"]),
    ],
)
def test_the_rows_decide_between_delimiters(layout_of, content, delimiter, names):
    layout = layout_of(content)
    assert (layout.delimiter, list(layout.names)) == (delimiter, names)


def test_a_set_delimiter_counts(layout_of):
    layout = layout_of("x, y;z\n1,5;2\n", delimiter=",")
    assert (layout.delimiter, layout.names) == (",", ("x", "y;z"))


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("sep=;\n", 1),
        ("SEP=;\r\n", 1),
        ('"sep=;"\n', 1),
        ("\n\n", 2),
        ("  \n;;\n", 2),
        ("sep=;\n\n", 2),
        ("\nsep=;\n", 2),
        ("", 0),
    ],
)
def test_what_stands_above_the_header_is_no_row(layout_of, above, lines):
    layout = layout_of(f"{above}a, b;c\n1,5;2\n")
    assert (layout.delimiter, layout.names, layout.lines_above) == (";", ("a, b", "c"), lines)


@pytest.mark.parametrize(
    ("content", "unnamed"),
    [
        ("a,b\n1,2\n", 0),
        ("a,b,\n1,2,\n", 1),
        ("a,b\n1,2,\n3,4,\n", 1),
        ("a,b,\n1,2\n", 0),
        ("a,b,,,\n1,2,,,\n", 3),
        ("a,b,\n", 1),
    ],
)
def test_columns_without_a_name_at_the_end(layout_of, content, unnamed):
    layout = layout_of(content)
    assert (layout.names[:2], layout.unnamed, len(layout.names)) == (("a", "b"), unnamed, 2 + unnamed)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "row 1 is empty"),
        (b"\n\n", "row 1 is empty"),
        (b"\xef\xbb\xbf", "row 1 is empty"),
        (b"sep=;\n", "row 1 is empty"),
        (b"0,0.5,Feb\n1,2,Mar\n", "row 1 holds a number in column 1"),
        (b"10001,2025-06-03,team,14\n", "row 1 holds a number in column 1"),
        (b"2023\n", "row 1 holds a number in column 1"),
        (b"a,,c\n", "no name for column 2; name it, or set source.repeated_names: number .*column_2"),
        (b'""\n1\n', "no name for column 1"),
        (b"a,b,A\n", r"row 1 names column 3 like column 1 \(upper and lower case count as equal\)"),
        (b"a,b,a\n", "rename one of them, or set source.repeated_names: number"),
        (b'"a,b\n1,2\n', "row 1 has a quote that is not closed"),
        (b"Sales\n\na,b,c\n1,2,3\n", "row 2 has 3 fields by ',', row 1 has 1; row 1 must name every column"),
        (b'"a","b"\n"1",2,3\n', "row 2 has 3 fields by ',', row 1 has 2"),
        (b"# made by x\na,b\n1,2\n", "row 1 begins with # and is no header; delete the comments: grep -v '.#' "),
        (b"a    b   c\n1    2   3\n10   20  30\n", "blanks separate its columns; write a delimiter instead: awk"),
        (b"  a    b\n  1,5  2\n", "blanks separate its columns"),
    ],
)
def test_unusable_header(layout_of, content, problem):
    with pytest.raises(WarehouseError, match=problem) as error:
        layout_of(content)
    assert len(str(error.value).splitlines()) == 1


def test_repeated_and_empty_names_are_numbered_if_wanted(layout_of):
    layout = layout_of("x,X,x_2,x,,y\n1,2,3,4,5,6\n", repeated_names="number")
    assert layout.names == ("x", "X_3", "x_2", "x_4", "column_5", "y")
