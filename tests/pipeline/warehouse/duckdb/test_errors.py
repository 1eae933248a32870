import duckdb
import pytest

from pipeline.warehouse.duckdb.errors import describe


@pytest.mark.parametrize("content", [b"", b"abc", b"PAR1" + b"x" * 100])
def test_a_broken_parquet_file_is_named(tmp_path, content):
    file = tmp_path / "it's events_20250101.parquet"
    file.write_bytes(content)
    quoted = str(file).replace("'", "''")
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql(f"SELECT * FROM read_parquet(['{quoted}'])")
    assert describe(caught.value) == f"{file}: the file is incomplete (still being written), or is not Parquet"


def test_values_are_not_shown():
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql("SELECT CAST('customer-17' AS INTEGER)").fetchall()
    assert "customer" not in describe(caught.value) and "17" not in describe(caught.value)
