import pytest

from pipeline.warehouse.duckdb.names import find_twice, numbered


def test_names_that_differ_by_case_alone_are_found():
    assert find_twice(["a", "B", "c", "b", "A"]) == (2, 4)
    assert find_twice(["a", "b"]) is None


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        (["x", "x", "x"], ["x", "x_2", "x_3"]),
        (["x", "X"], ["x", "X_2"]),
        (["x", "x", "x_2"], ["x", "x_3", "x_2"]),
        (["x_2", "x", "x", "x"], ["x_2", "x", "x_3", "x_4"]),
        (["x", "x", "x_2", "x_2"], ["x", "x_3", "x_2", "x_2_2"]),
        (["", "a", ""], ["column_1", "a", "column_3"]),
        (["column_2", ""], ["column_2", "column_2_2"]),
        (["Column_2", ""], ["Column_2", "column_2_2"]),
    ],
)
def test_numbered_names_are_unique(names, expected):
    found = numbered(names)
    assert found == expected
    assert find_twice(found) is None
