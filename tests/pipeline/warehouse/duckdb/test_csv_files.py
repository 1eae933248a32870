import pytest

from pipeline.warehouse.duckdb.csv_files import rewrite
from pipeline.warehouse.duckdb.csv_header import Layout
from pipeline.warehouse.interface import WarehouseError

TWO = Layout(",", ("a", "b"), header_fields=2)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (b"1,2\nsecret\n5,6\n", "row 3 has 1 fields, the header 2"),
        (b"1,2\nsecret,4,9\n", "row 3 has 3 fields"),
        (b'1,"secret\n3,4\n', "row 2 has a quote that is not closed"),
        (b'1,2\n\n1,"secret" x\n', "row 3 has a quote"),
        (b"1,2\n# secret\n", "row 3 has 1 fields, the header 2; it is a comment: delete it"),
    ],
)
def test_a_bad_row_is_named_by_its_number_alone(tmp_path, rows, problem):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" + rows)
    with pytest.raises(WarehouseError, match=problem) as error:
        rewrite(path, tmp_path / "copy.csv", TWO)
    assert "secret" not in str(error.value)


def test_a_file_is_written_again_with_the_same_cells(tmp_path):
    path, copy = tmp_path / "x.csv", tmp_path / "copy.csv"
    path.write_bytes('a;b\r\n"x\ny";"q ""z"""\n\n1;ä\r5" pipe;2'.encode())
    longest = rewrite(path, copy, Layout(";", ("a", "b"), header_fields=2))
    assert copy.read_text() == '"a";"b"\n"x\ny";"q ""z"""\n"1";"ä"\n"5"" pipe";"2"\n'
    assert longest >= len(b'"x\ny";"q ""z"""\n')


def test_empty_fields_at_the_end_are_cut_or_added(tmp_path):
    path, copy = tmp_path / "x.csv", tmp_path / "copy.csv"
    path.write_text("a,b\n1,2,\n3,4,,\n5,6\n")
    rewrite(path, copy, Layout(",", ("a", "b", "column_3"), unnamed=1, header_fields=2))
    assert copy.read_text() == '"a","b","column_3"\n"1","2",""\n"3","4",""\n"5","6",""\n'
    rewrite(path, copy, TWO)
    assert copy.read_text() == '"a","b"\n"1","2"\n"3","4"\n"5","6"\n'


def test_lines_above_the_header_and_blanks_before_quotes(tmp_path):
    path, copy = tmp_path / "x.csv", tmp_path / "copy.csv"
    path.write_text('\nsep=,\na, "b"\n1, "x, y"\n')
    rewrite(path, copy, Layout(",", ("a", "b"), header_fields=2, lines_above=2, has_blanks=True))
    assert copy.read_text() == '"a","b"\n"1","x, y"\n'
