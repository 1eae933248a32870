"""Exact TreeSHAP by table look-ups, some ten times as fast as walking the paths of each row.

Path-dependent TreeSHAP (Lundberg et al. 2020) sums the contributions of the leaves. Those of a leaf depend only on the
decisions on its path. So a tree is cut into groups of leaves with at most eight decisions on all their paths: a subtree
and the path to it. The decisions of a row are then a byte, and a table holds the contributions of all leaves of the
group for each byte. A row's contributions are the sum of one table row a group.

For a leaf of value v whose path splits on the features F, let o_j be 1 where the row meets all decisions on feature j,
else 0, and z_j the product of the shares of training rows that meet them. The leaf's Shapley value for feature i is

    v (o_i - z_i) * integral from 0 to 1 of the product over j in F without i of (t o_j + (1 - t) z_j) dt,

since the integral of t^s (1 - t)^(n - 1 - s) is s! (n - 1 - s)! / n!, the weight of a coalition of s features. The
integrand is a polynomial in t, which Gauss-Legendre quadrature integrates exactly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from models.families.xgboost.booster_format import Ensemble, Tree

_BITS = 8  # decisions of a group
_ROWS = 1 << _BITS  # of a group's table
#: Most bytes of the tables with which the reasons of a booster are computed. Larger boosters are walked path by path,
#: which gives the same and takes longer.
MOST_TABLE_BYTES = 2**28
_LEAVES_AT_ONCE = 512
_ROWS_AT_ONCE = 1_024  # so that a block's decisions fit into the processor's cache


class TooLargeError(ValueError):
    """A booster's trees are too large for tables."""


@dataclasses.dataclass(frozen=True)
class _Group:
    """Leaves of a tree with at most eight decisions on their paths: `nodes`, one a bit."""

    tree: Tree
    parents: np.ndarray
    nodes: list[int]
    leaves: list[int]


@dataclasses.dataclass(frozen=True)
class _Leaf:
    """A leaf of a group: its value, the columns on its path, and for each column what _shapley takes."""

    group: int
    columns: list[int]
    met: list[np.ndarray]
    shares: np.ndarray
    value: float


class ShapTables:
    """Contributions of a booster's columns.

    Attributes:
        baseline: the mean of the trees over the training rows, in log odds.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        """Computes the tables. Raises TooLargeError."""
        self._columns = ensemble.columns
        groups = [group for tree in ensemble.trees for group in _groups(tree)]
        size = len(groups) * _ROWS * ensemble.columns * 4
        if size > MOST_TABLE_BYTES:
            raise TooLargeError(f"tables of {size:,} bytes; at most {MOST_TABLE_BYTES:,} are used")
        table = np.zeros((len(groups), _ROWS, ensemble.columns))
        self.baseline = ensemble.base_margin
        by_features: dict[int, list[_Leaf]] = {}
        for number, group in enumerate(groups):
            for leaf in _leaves(number, group):
                by_features.setdefault(len(leaf.columns), []).append(leaf)
                self.baseline += leaf.value * float(leaf.shares.prod())
        for features, leaves in by_features.items():
            for start in range(0, len(leaves) if features else 0, _LEAVES_AT_ONCE):
                _add(table, leaves[start : start + _LEAVES_AT_ONCE])
        self._table = table.reshape(-1, ensemble.columns).astype(np.float32)
        self._decisions = _Decisions(groups, ensemble.columns)

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Contributions.

        Args:
            cells: the booster's columns, float32 `[rows, columns]`; NaN is missing.

        Returns:
            float32 `[rows, columns]`.
        """
        found = np.empty((len(cells), self._columns), np.float32)
        for start in range(0, len(cells), _ROWS_AT_ONCE):
            places = self._decisions(cells[start : start + _ROWS_AT_ONCE])
            rows, groups = places.shape
            chosen = sparse.csr_matrix(
                (np.ones(places.size, np.float32), places.reshape(-1), np.arange(0, places.size + 1, groups)),
                shape=(rows, len(self._table)),
            )
            found[start : start + rows] = chosen @ self._table
        return found


class _Decisions:
    """Maps rows to their places in the tables."""

    def __init__(self, groups: list[_Group], columns: int) -> None:
        shape = (_BITS, len(groups))
        # Without a decision, a column of zeros is compared with infinity, as in tree_graph.py.
        column, threshold = np.full(shape, 2 * columns, np.int64), np.full(shape, np.inf, np.float32)
        for number, group in enumerate(groups):
            tree = group.tree
            for bit, node in enumerate(group.nodes):
                column[bit, number] = tree.column[node] + (0 if tree.missing_left[node] else columns)
                threshold[bit, number] = tree.value[node]
        self._splits, slots = _distinct_splits(groups)
        for bit, number in slots:
            column[bit, number], threshold[bit, number] = 2 * columns + 1 + slots[bit, number], 0.5
        self._column, self._threshold = column.reshape(-1), threshold.reshape(-1, 1)
        self._first = (np.arange(len(groups), dtype=np.int32) * _ROWS)[:, np.newaxis]

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """Columns, float32 `[rows, columns]`, to row numbers of the table, int32 `[rows, groups]`."""
        by_column = np.ascontiguousarray(cells.T)
        missing = np.isnan(by_column)
        wide = [
            np.where(missing, np.float32(-np.inf), by_column),
            np.where(missing, np.float32(np.inf), by_column),
            np.zeros((1, len(cells)), np.float32),
        ]
        for column, goes_right, missing_left in self._splits:
            codes = by_column[column]
            known = (codes >= 0) & (codes < len(goes_right))
            right = goes_right[np.where(known, codes, 0).astype(np.int64)] & known
            right = np.where(missing[column], not missing_left, right)
            wide.append(right[np.newaxis].astype(np.float32))
        bits = np.concatenate(wide)[self._column] >= self._threshold
        bits = bits.reshape(_BITS, -1, len(cells)).view(np.uint8)
        pattern = bits[0].copy()
        for bit in range(1, _BITS):
            pattern |= bits[bit] << np.uint8(bit)
        return np.ascontiguousarray((pattern + self._first).T)


def _distinct_splits(groups: list[_Group]) -> tuple[list[tuple[int, np.ndarray, bool]], dict[tuple[int, int], int]]:
    """The distinct splits of categories, and for each bit and group with one its number.

    A split is the column, whether each code goes right, and whether a missing value goes left.
    """
    numbers: dict[tuple[int, tuple[int, ...], bool], int] = {}
    slots = {}
    for number, group in enumerate(groups):
        tree = group.tree
        for bit, node in enumerate(group.nodes):
            if node in tree.categories:
                split = (int(tree.column[node]), tree.categories[node], bool(tree.missing_left[node]))
                slots[bit, number] = numbers.setdefault(split, len(numbers))
    splits = []
    for column, codes, missing_left in numbers:
        goes_right = np.zeros(max(codes) + 1, bool)
        goes_right[list(codes)] = True
        splits.append((column, goes_right, missing_left))
    return splits, slots


def _parents(tree: Tree) -> np.ndarray:
    """Each node's parent, int64 `[nodes]`; -1 for the root."""
    parents = np.full(len(tree.left), -1)
    inner = np.flatnonzero(tree.left >= 0)
    parents[tree.left[inner]] = parents[tree.left[inner] + 1] = inner
    return parents


def _groups(tree: Tree) -> list[_Group]:
    """Cuts a tree into groups, each as large as possible. Raises TooLargeError if a path is too long."""
    parents = _parents(tree)
    inner = np.zeros(len(tree.left), np.int64)  # decisions at and below a node
    for node in reversed(range(len(tree.left))):  # children come after their parents
        if tree.left[node] >= 0:
            inner[node] = 1 + inner[tree.left[node]] + inner[tree.left[node] + 1]
    groups, waiting = [], [(0, [])]
    while waiting:
        root, path = waiting.pop()
        if len(path) + inner[root] <= _BITS:
            below = _below(tree, root)
            nodes = [node for node in below if tree.left[node] >= 0]
            groups.append(_Group(tree, parents, path + nodes, [node for node in below if tree.left[node] < 0]))
        elif tree.left[root] < 0:
            raise TooLargeError(f"a path of {len(path)} decisions; at most {_BITS} fit into a table")
        else:
            waiting += [(int(tree.left[root]) + side, [*path, root]) for side in (0, 1)]
    return groups


def _below(tree: Tree, root: int) -> list[int]:
    """A node and all nodes below it."""
    found = [root]
    for node in found:  # which grows
        if tree.left[node] >= 0:
            found += [int(tree.left[node]), int(tree.left[node]) + 1]
    return found


def _leaves(number: int, group: _Group) -> Iterator[_Leaf]:
    """The leaves of a group."""
    tree = group.tree
    bit_of = {node: bit for bit, node in enumerate(group.nodes)}
    goes_right = ((np.arange(_ROWS) >> np.arange(_BITS)[:, np.newaxis]) & 1).astype(bool)  # by bit and pattern
    for leaf in group.leaves:
        met: dict[int, np.ndarray] = {}
        share: dict[int, float] = {}
        node, parent = leaf, int(group.parents[leaf])
        while parent >= 0:
            column, bit = int(tree.column[parent]), bit_of[parent]
            meets = goes_right[bit] if node != tree.left[parent] else ~goes_right[bit]
            met[column] = met[column] & meets if column in met else meets
            share[column] = share.get(column, 1.0) * float(tree.cover[node]) / float(tree.cover[parent])
            node, parent = parent, int(group.parents[parent])
        yield _Leaf(number, list(met), list(met.values()), np.array(list(share.values())), float(tree.value[leaf]))


def _add(table: np.ndarray, leaves: list[_Leaf]) -> None:
    """Adds the contributions of leaves, whose paths split on equally many features, to the table of all groups."""
    values = np.array([leaf.value for leaf in leaves])[:, np.newaxis, np.newaxis]
    one = np.array([leaf.met for leaf in leaves], np.float64)
    found = values * _shapley(one, np.array([leaf.shares for leaf in leaves])[:, :, np.newaxis])
    for leaf, contributions in zip(leaves, found, strict=True):
        for column, of_patterns in zip(leaf.columns, contributions, strict=True):
            table[leaf.group, :, column] += of_patterns


def _shapley(one: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """Shapley values of leaves of value 1; see the module's docstring.

    Args:
        one: 1 where a pattern meets the decisions on a feature, else 0: `[leaves, features, patterns]`.
        zero: share of the training rows that meet them, `[leaves, features, 1]`.

    Returns:
        `[leaves, features, patterns]`.
    """
    features = one.shape[1]
    points, weights = np.polynomial.legendre.leggauss((features + 1) // 2)  # exact up to degree `features`
    found = np.zeros_like(one)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = point * one + (1 - point) * zero
        before, after = np.ones_like(factors), np.ones_like(factors)
        np.cumprod(factors[:, :-1], axis=1, out=before[:, 1:])
        after[:, :-1] = np.cumprod(factors[:, :0:-1], axis=1)[:, ::-1]
        found += weight * before * after
    return found * (one - zero)
