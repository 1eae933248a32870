import itertools
import math

import numpy as np
import pytest

from models.families.xgboost import shap_tables
from models.families.xgboost.booster_format import Ensemble, Tree
from models.families.xgboost.shap_tables import ShapTables, TooLargeError


def tree(left, column, value, missing_left, cover, categories=None):
    return Tree(
        left=np.int32(left),
        column=np.int32(column),
        value=np.float32(value),
        missing_left=np.array(missing_left, bool),
        cover=np.float32(cover),
        categories=categories or {},
        depth=len(left) // 2,
    )


# Column 0 is split twice on one path; column 2 is a category.
SMALL = tree(
    left=[1, 3, -1, 5, -1, 7, -1, -1, -1],
    column=[0, 2, 0, 0, 0, 1, 0, 0, 0],
    value=[0.5, 0, 3.0, -1.0, -2.0, 0.0, 4.0, 1.5, -0.5],
    missing_left=[True, False, 0, True, 0, False, 0, 0, 0],
    cover=[10, 7, 3, 5, 2, 2, 3, 0.5, 1.5],
    categories={1: (1, 4)},
)


def expected_value(tree, cells, known, node=0):
    """What a tree says of a row of which some columns are known: elsewhere, the mean of both ways by their cover."""
    if tree.left[node] < 0:
        return float(tree.value[node])
    ways = int(tree.left[node]), int(tree.left[node]) + 1
    column = tree.column[node]
    if column not in known:
        return sum(expected_value(tree, cells, known, way) * tree.cover[way] / tree.cover[node] for way in ways)
    cell = cells[column]
    if np.isnan(cell):
        right = not tree.missing_left[node]
    else:
        right = int(cell) in tree.categories[node] if node in tree.categories else cell >= tree.value[node]
    return expected_value(tree, cells, known, ways[int(right)])


def shapley(value, columns):
    """Shapley values by their definition: all subsets of all columns."""
    found = np.zeros(columns)
    for column in range(columns):
        others = [other for other in range(columns) if other != column]
        for size in range(columns):
            weight = math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns)
            for subset in itertools.combinations(others, size):
                found[column] += weight * (value({*subset, column}) - value(set(subset)))
    return found


FULL = tree(
    left=[1, 3, 5, 7, 9, 11, 13, *[-1] * 8],
    column=[1, 0, 0, 1, 0, 1, 1, *[0] * 8],
    value=[0.0, 0.1, -0.5, -0.9, 0.6, 0.4, 0.3, *range(8)],
    missing_left=[False, True, False, True, False, True, False, *[0] * 8],
    cover=[20, 12, 8, 5, 7, 6, 2, 1, 4, 3, 4, 5, 1, 0.5, 1.5],
)


@pytest.mark.parametrize("bits, groups", [(8, 2), (4, 3)])
def test_contributions_equal_shapley_values_by_definition(bits, groups, monkeypatch):
    monkeypatch.setattr(shap_tables, "_BITS", bits)
    monkeypatch.setattr(shap_tables, "_ROWS", 1 << bits)
    tables = ShapTables(Ensemble((SMALL, FULL), columns=3, base_margin=-1.0))
    assert sum(len(shap_tables._groups(one)) for one in (SMALL, FULL)) == groups
    numbers = [-2.0, 0.2, 0.7, np.nan]
    rows = np.float32(list(itertools.product(numbers, [-1.0, 0.1, 0.5, np.nan], [0, 1, 4, 9, np.nan])))
    found = tables(rows)
    assert found.dtype == np.float32
    for cells, contributions in zip(rows, found, strict=True):

        def value(known, cells=cells):
            return sum(expected_value(one, cells, known) for one in (SMALL, FULL))

        np.testing.assert_allclose(contributions, shapley(value, 3), atol=1e-6)
        assert tables.baseline == pytest.approx(value(set()) - 1, abs=1e-6)


def test_a_tree_without_splits_has_no_contributions():
    tables = ShapTables(Ensemble((tree([-1], [0], [0.7], [0], [5]),), columns=2, base_margin=0.5))
    assert tables.baseline == pytest.approx(1.2)
    assert not tables(np.zeros((3, 2), np.float32)).any()


def chain(depth):
    """A tree whose nodes all have a leaf on their right."""
    left = [1 + 2 * level for level in range(depth)]
    nodes = [left[0]]
    for level in range(1, depth):
        nodes += [left[level], -1]
    nodes += [-1, -1]
    size = len(nodes)
    return tree(nodes, [0] * size, [0.0] * size, [False] * size, list(range(size, 0, -1)))


def test_trees_that_do_not_fit_are_refused(monkeypatch):
    assert ShapTables(Ensemble((chain(8),), 1, 0.0)).baseline == 0
    with pytest.raises(TooLargeError, match="a path of 9 decisions"):
        ShapTables(Ensemble((chain(9),), 1, 0.0))
    monkeypatch.setattr(shap_tables, "MOST_TABLE_BYTES", 1000)
    with pytest.raises(TooLargeError, match="tables of 1,024 bytes; at most 1,000 are used"):
        ShapTables(Ensemble((chain(2),), 1, 0.0))
