import pytest

from pipeline.listing import listed


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more"), (range(9), "0, 1 and 7 more")],
)
def test_long_lists_are_cut(names, text):
    assert listed(names, 2) == text
