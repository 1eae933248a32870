"""Text files as people have them: read right, or refused by one line."""

import bz2
import gzip
import lzma
import random
import tracemalloc

import pyarrow as pa
import pytest

from pipeline.settings.run import DuckDBSettings
from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.compressed_files import unpacked
from pipeline.warehouse.duckdb.csv_files import rewrite
from pipeline.warehouse.duckdb.csv_header import read_layout
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.duckdb.text_encoding import as_utf8
from pipeline.warehouse.interface import Query, WarehouseError

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
PLAIN = b"a,b\n1,x\n2,y\n"


def zstd(content):
    return pa.compress(content, codec="zstd", asbytes=True)


@pytest.fixture
def rows_of(tmp_path):
    """The rows of a file, or of a folder of files, as `SELECT * FROM rows` returns them."""

    def read(content, name="rows.csv", **settings):
        path = tmp_path / name
        if isinstance(content, dict):
            path = tmp_path / "parts"
            path.mkdir()
            for part, bytes_ in content.items():
                (path / part).write_bytes(bytes_)
        else:
            path.write_bytes(content)
        with DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows", **settings)) as warehouse:
            query = Query("SELECT * FROM `rows` AS r ORDER BY r.a")
            names = [column.name for column in warehouse.columns(query)]
            rows = warehouse.select(query)
            assert all(list(row) == names for row in rows)
            return rows

    return read


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN, id="plain"),
        pytest.param(b"\xef\xbb\xbf" + PLAIN, id="byte-order mark"),
        pytest.param(PLAIN.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(PLAIN.replace(b"\n", b"\r"), id="CR"),
        pytest.param(b"a,b\n1,x\r\n2,y\r", id="three line ends"),
        pytest.param(b"\n  \r\n,\na,b\n1,x\n2,y\n", id="blank lines above the header"),
        pytest.param(b"\n\na,b\n\n1,x\n\n2,y\n\n", id="blank lines everywhere"),
        pytest.param(b"sep=;\r\na;b\r\n1;x\r\n2;y\r\n", id="sep line"),
        pytest.param(b"\xef\xbb\xbfsep=\t\na\tb\n1\tx\n2\ty\n", id="sep line of a tab, byte-order mark"),
        pytest.param(b"sep=;\na;b\r\n1;x\r\n2;y\r\n", id="sep line that ends otherwise"),
        pytest.param(b"a^b\n1^x\n2^y\n", id="caret"),
        pytest.param("a¦b\n1¦x\n2¦y\n".encode(), id="broken bar"),
        pytest.param(b"a,b,\n1,x,\n2,y,\n", id="trailing separators"),
        pytest.param(b"a,b\n1,x,\n2,y,\n", id="trailing separators, not in the header"),
        pytest.param(b"a,b,\n1,x\n2,y\n", id="trailing separator, in the header only"),
        pytest.param(b"a,b,\n1,x,\n2,y\n", id="trailing separator, not in every row"),
        pytest.param(b"a,b\n1,x\n2,y,\n", id="trailing separator, in one row"),
        pytest.param(b"a,b,,,\n1,x,,,\n2,y,,,\n", id="empty columns of a spreadsheet"),
        pytest.param(b'a, "b"\n1, "x"\n2, "y"\n', id="blanks before quotes"),
        pytest.param(b'a;b\n;\n1;x\n"";""\n2;y\n;\n;\n', id="rows of delimiters alone"),
        pytest.param(b"a;b\n1;x\n;\r2;y\r\nNA;\n", id="rows of delimiters alone, and three line ends"),
    ],
)
def test_the_same_table_in_many_forms(rows_of, content):
    assert rows_of(content) == ROWS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv.gz", gzip.compress(PLAIN)),
        ("rows.TSV.GZ", gzip.compress(b"a\tb\n1\tx\n") + gzip.compress(b"2\ty\n")),
        ("rows.csv.bz2", bz2.compress(PLAIN)),
        ("rows.txt.xz", lzma.compress(PLAIN)),
        ("rows.csv.zst", zstd(PLAIN)),
        ("rows.csv.zst", zstd(PLAIN[:8]) + zstd(PLAIN[8:])),
        ("rows.csv", gzip.compress(PLAIN)),
        ("rows.csv.gz", PLAIN),
        ("ROWS.TXT", PLAIN),
        ("rows.psv", PLAIN.replace(b",", b"|")),
        ("rows.csv.gz", gzip.compress(PLAIN.decode().encode("utf-16"))),
    ],
)
def test_compressed_files_and_other_names(rows_of, name, content):
    assert rows_of(content, name) == ROWS


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
@pytest.mark.parametrize("cut", [2, 100])
def test_an_incomplete_compressed_file_is_refused(rows_of, pack, cut):
    numbers = random.Random(1)
    packed = pack(b"a,b\n" + b"".join(b"%d,%d\n" % (i, numbers.randrange(10**9)) for i in range(20_000)))
    with pytest.raises(WarehouseError, match=r"rows.csv.zst: compressed, and incomplete or damaged"):
        rows_of(packed[: -(len(packed) // cut)], "rows.csv.zst")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("rows.zip", b"PK\x03\x04", r"a zip archive; unpack its file first: unzip -p \S*rows.zip > \S*rows.csv$"),
        ("rows.csv.zip", b"PK\x03\x04", r"unzip -p \S*rows.csv.zip > \S*rows.csv$"),
        ("rows.csv", b"PK\x03\x04", "zip archive or an Excel workbook; unpack it .* or save the sheet as 'CSV UTF-8'"),
        ("rows.xlsx", b"PK\x03\x04", "a spreadsheet; save the sheet as 'CSV UTF-8'"),
        ("rows.csv", b"\xd0\xcf\x11\xe0", "it is an Excel workbook"),
        ("rows.csv", b"PAR1", "it is a Parquet file; let its name end in .parquet"),
        ("rows.json", b"{}", r"it must end in .csv, .tsv, .txt or .parquet \(a text file may be compressed"),
        ("rows.gz", gzip.compress(PLAIN), "it must end in .csv"),
    ],
)
def test_what_is_no_text_is_refused(rows_of, name, content, problem):
    with pytest.raises(WarehouseError, match=problem) as error:
        rows_of(content, name)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        (b'a,b\n1,"x\ny"\n', "x\ny"),
        (b'a,b\n1,"x\r\ny"\n', "x\r\ny"),
        (b'a,b\n1,"say ""hi"", ok"\n', 'say "hi", ok'),
        (b'a,b\n1,5" pipe\n', '5" pipe'),
        (b'a,b\n1,say "hi"\n', 'say "hi"'),
        (b'a,b\n1,""""\n', '"'),
        (b'a,b\n1," x "\n', " x "),
        (b"a,b\n1, x \n", " x "),
        ('a,b\n1,"가,나"\n'.encode(), "가,나"),
    ],
)
@pytest.mark.parametrize("written_again", [False, True])
def test_quotes(rows_of, content, cells, written_again):
    more = b"2,z\r3,z\r\n" if written_again else b""
    assert rows_of(content + more)[0]["b"] == cells


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b,\n1,x,\n2,y,z\n", "row 1 has no name for column 3, and row 3 has a value in it; name it, or set source"),
        (b"a,b\n" + b"1,x,\n" * 60 + b"2,y,z\n", "row 62 has 3 fields, the header 2; quote fields that hold ','"),
        (b"a,b\n1,x\n\n(1 row)\n", "row 3 has 1 fields, the header 2; complete it or delete it"),
        (b"a,b\n1,x\n# note\n", "row 3 has 1 fields, the header 2; it is a comment: delete it"),
        (b'a,b\n1,"x"y\n', "row 2 has a quote that is not closed, or one within a quoted field that is not doubled"),
        (b'a,b\n1,x\n2,"x \\"y\\" z"\n', "row 3 has a quote"),
        (b'a,b\n\n1,x\n\n2,"y\n', "row 3 has a quote that is not closed"),
        (b"a,b\n1,x\x00\n2,y\r3,z\n4\n", "row [25] has|row 2 holds a zero byte"),
        (b"a,b\n" + b'1,"x\n' + b"1,x\n" * 5_000_000, "row 2 has a quote .* over 16,000,000 characters"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(rows_of, content, problem):
    with pytest.raises(WarehouseError, match=problem) as error:
        rows_of(content)
    assert len(str(error.value).splitlines()) == 1


def test_an_unnamed_column_with_values_can_be_numbered(rows_of):
    rows = rows_of(b"a,,b,\n1,p,x,\n2,q,y,z\n", repeated_names="number")
    assert rows[1] == {"a": 2, "column_2": "q", "b": "y", "column_4": "z"}


def test_texts_that_stand_for_missing_values(rows_of):
    texts = ["-", "?", ".", "#N/A", "n;a", "x,y", '"', "''", " ", "none"]
    cells = "".join(f'{number},"{text.replace(chr(34), chr(34) * 2)}"\n' for number, text in enumerate(texts))
    rows = rows_of(f"a,b\n{cells}98,NA\n99,\n".encode(), missing_values=texts)
    assert [row["b"] for row in rows] == [None] * len(texts) + ["NA", None]


def test_a_folder_of_text_files_is_one_table(rows_of, caplog):
    parts = {
        "a.csv": PLAIN,
        "b.csv.gz": gzip.compress(b"b;a;\nz;3;\n"),
        "c.txt": "a,b\n4,caf\xe9\n".encode("latin-1"),
        "d.csv": b"a,b\n",
        "_SUCCESS": b"",
        ".a.csv.crc": b"?",
        ".hidden.csv": b"?",
    }
    assert rows_of(parts) == [*ROWS, {"a": 3, "b": "z"}, {"a": 4, "b": "café"}]
    assert "c.txt: row 2 is not UTF-8, so the file is read as Windows-1252" in caplog.text


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"a.csv": PLAIN, "b.csv": b"a,c\n1,2\n"}, r"b.csv: column 'b' is not in every file of the folder"),
        ({"a.csv": PLAIN, "b.csv": b"a,b\n1,2\n3\n"}, r"b.csv: row 3 has 1 fields, the header 2"),
        ({"a.csv": b"a,b\n", "b.csv": b"a,b\n"}, "parts: the file holds a header and no rows"),
        ({"a.csv": PLAIN, "b.parquet": b""}, "the folder holds b.parquet and a.csv; name one of the files"),
        ({"a.json": b""}, "no .parquet file and no text file in this folder"),
        ({"a.xlsx": b""}, r"a.xlsx: a spreadsheet"),
    ],
)
def test_a_folder_that_is_no_table(rows_of, parts, problem):
    with pytest.raises(WarehouseError, match=problem):
        rows_of(parts)


def test_a_row_of_a_folder_is_named_with_its_file(tmp_path):
    for name, cells in {"a.csv": "1\n2\n3\n", "b.csv": "4\nsoon\n"}.items():
        (tmp_path / name).write_text("n,x\n" + "".join(f"0,{cell}\n" for cell in cells.split()))
    query = Query("SELECT r.x FROM `rows` AS r", {}, {"x": "numeric"})
    source = TableSource(kind="table", table="rows")
    with DuckDBWarehouse(SETTINGS, tmp_path, source) as warehouse, pytest.raises(WarehouseError) as error:
        warehouse.columns(query)
    assert "column 'x', a numeric feature, is text: row 3 of b.csv holds no plain number" in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_told_from_the_file(rows_of, caplog, encoding):
    text = 'a,b\n1,"é\n가"\n2,y\n'
    assert rows_of(text.encode(encoding)) == [{"a": 1, "b": "é\n가"}, {"a": 2, "b": "y"}]
    assert not caplog.text


def test_utf_16_of_other_scripts_and_with_a_big_endian_mark(rows_of):
    rows = [{"a": "김", "나이": "이"}, {"a": "홍", "나이": "십"}]
    text = "a,나이\n홍,십\n김,이\n"
    for content in (b"\xfe\xff" + text.encode("utf-16-be"), text.encode("utf-16-le"), text.encode("utf-16-be")):
        assert rows_of(content) == rows


@pytest.mark.parametrize(
    ("value", "encoding"),
    [("caf\xe9", "latin-1"), ("5 € “x”", "cp1252"), ("äöüß", "latin-1"), ("ÄÖÜ: Füße", "latin-1"), ("ñandú", "cp1252")],
)
def test_western_text_is_read_with_a_warning(rows_of, caplog, value, encoding):
    content = f"a,b\n1,x\n\n2,{value}\n".encode(encoding)
    assert rows_of(content)[1]["b"] == value
    assert "rows.csv: row 3 is not UTF-8, so the file is read as Windows-1252; set source.encoding" in caplog.text
    caplog.clear()
    assert rows_of(content, encoding="windows-1252")[1]["b"] == value
    assert not caplog.text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("a,이름\n1,홍길동\n", "cp949"),
        ("a,имя\n1,Анна Денисова\n", "cp1251"),
        ("a,名前\n1,カタカナ\n", "shift_jis"),
        ("a,姓名\n1,张三丰\n", "gb18030"),
        ("a,όνομα\n1,Μαρία\n", "cp1253"),
    ],
)
def test_other_scripts_need_the_setting(rows_of, text, encoding):
    with pytest.raises(WarehouseError, match=r"rows.csv: row 1 is not UTF-8, and .*name the file's encoding in source"):
        rows_of(text.encode(encoding))
    header, row = (line.split(",") for line in text.splitlines())
    assert rows_of(text.encode(encoding), encoding=encoding) == [{"a": 1, header[1]: row[1]}]


def test_a_damaged_utf_8_file_is_not_taken_for_another(rows_of):
    content = b"a,b\n" + "1,가나다\n".encode() * 20 + b"2,caf\xe9\n"
    with pytest.raises(WarehouseError, match="row 22 is not UTF-8, and the file does not look like Windows-1252; mend"):
        rows_of(content)
    with pytest.raises(WarehouseError, match="row 22 is not UTF-8, the encoding of the file by its byte-order mark"):
        rows_of(b"\xef\xbb\xbf" + content)
    with pytest.raises(WarehouseError, match=r"row 22 is not UTF-8, the encoding of the file in source\.encoding"):
        rows_of(content, encoding="UTF-8")


def test_a_utf_8_file_that_is_set_to_another_encoding_is_told_of(rows_of, caplog):
    assert rows_of("a,b\n1,é\n".encode(), encoding="windows-1252")[0]["b"] == "Ã©"
    assert "is valid UTF-8, but is read as windows-1252" in caplog.text


def test_a_damaged_utf_16_file_is_refused_by_its_row(rows_of):
    with pytest.raises(WarehouseError, match="row 4 is not UTF-16, the encoding of the file by its byte-order mark"):
        rows_of("a,b\n1,2\n3,4\n".encode("utf-16") + b"x")


@pytest.mark.parametrize("encoding", ["none", "base64", "utf8-sig-x"])
def test_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(ValueError, match="not an encoding that Python knows"):
        TableSource(kind="table", table="rows", encoding=encoding)


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n"])
def test_an_unusable_delimiter_is_refused(delimiter):
    with pytest.raises(ValueError, match="delimiter"):
        TableSource(kind="table", table="rows", delimiter=delimiter)


def test_no_step_before_duckdb_holds_the_file_in_memory(tmp_path):
    path = tmp_path / "rows.csv.gz"
    row = "{0},caf\xe9 au lait {0},2024-01-31 10:00:00,{0}.5,some text that is long enough to count\n"
    part = "".join(row.format(number) for number in range(10_000)).encode("latin-1")
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"id,drink,at,price,note\n")
        for _ in range(24):
            file.write(part)
    tracemalloc.start()
    try:
        plain = unpacked(path, tmp_path)
        text = as_utf8(plain, None, tmp_path, path)
        layout = read_layout(text, TableSource(kind="table", table="rows"), path)
        rewrite(text, tmp_path / "copy.csv", layout)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert plain.stat().st_size > 18_000_000
    assert peak < 12_000_000  # a few pieces of a megabyte, and the header's
