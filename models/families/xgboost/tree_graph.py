"""A booster as TensorFlow ops: all rows go down all trees at once, one level per step.

At every inner node a row compares one column with one threshold: below it goes left, else right. To cover missing
values and categories as well, the input is widened first. It holds each column twice: with missing values as -inf,
which go left, and as +inf, which go right. For each distinct set of categories it has a column that is 1 where the row
goes right and 0 elsewhere. A leaf compares a column of zeros with +inf and is its own left child.

A denormal input could go another way here than in the booster, because TensorFlow flushes it to zero. The transform
graph has no such outputs; see preprocessing.to_normal.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from models.families.xgboost.booster_format import Ensemble, Tree, UnsupportedBoosterError

# Cells of the largest intermediate tensor. Rows are handled in blocks, so that it fits into the processor's cache.
_CELLS = 2**18
# Most bytes of the sets of categories. They are constants in saved_model.pb, which cannot exceed 2 GiB.
_MEMBERSHIP_BYTES = 2**28


@dataclasses.dataclass(frozen=True, order=True)
class _CategorySplit:
    """The decision at a node that splits a category. Nodes with equal decisions share a column.

    Attributes:
        column: the input column.
        right: codes that go right.
        missing_left: whether a missing value goes left.
    """

    column: int
    right: tuple[int, ...]
    missing_left: bool


class TreeGraph(tf.Module):
    """Maps columns to probabilities as the booster does."""

    def __init__(self, ensemble: Ensemble) -> None:
        """Lays out the trees.

        Raises:
            UnsupportedBoosterError: the sets of categories would not fit into a SavedModel.
        """
        super().__init__()
        columns, trees = ensemble.columns, ensemble.trees
        splits = sorted({_category_split(tree, node) for tree in trees for node in tree.categories})
        places = {split: 2 * columns + 1 + number for number, split in enumerate(splits)}
        self._memberships = [(column, tf.constant(table)) for column, table in _membership_tables(splits)]
        self._width = 2 * columns + 1 + len(splits)
        self._depth = max(tree.depth for tree in trees)
        self._block = max(64, _CELLS // max(len(trees), self._width))
        self._base_margin = np.float32(ensemble.base_margin)

        sizes = [len(tree.left) for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
        nodes = [_lay_out(tree, root, columns, places) for tree, root in zip(trees, roots, strict=True)]
        steps, thresholds, values = (np.concatenate(parts) for parts in zip(*nodes, strict=True))
        self._roots = tf.constant(roots)
        # The left child and the column share 64 bits, so that a step takes one look-up instead of two.
        self._steps = tf.constant(steps.view(np.int64)[:, 0])
        self._thresholds = tf.constant(thresholds)
        self._values = tf.constant(values)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps columns, float32 `[rows, columns]` with NaN for missing, to probabilities, float32 `[rows]`."""
        rows = tf.shape(inputs)[0]
        blocks = tf.maximum(-(-rows // self._block), 1)
        size = -(-rows // blocks)
        padded = tf.pad(inputs, [[0, blocks * size - rows], [0, 0]])
        split = tf.reshape(padded, tf.stack([blocks, size, tf.shape(inputs)[1]]))
        margins = tf.map_fn(self._margin, split, fn_output_signature=tf.TensorSpec([None], tf.float32))
        return tf.sigmoid(tf.reshape(margins, [-1])[:rows])

    def _margin(self, inputs: tf.Tensor) -> tf.Tensor:
        """Log odds of a block, float32 `[rows]`."""
        wide = self._widen(inputs)
        start = tf.range(tf.shape(wide)[0])[:, tf.newaxis] * self._width  # each row's first among the flattened cells
        cells = tf.reshape(wide, [-1])
        node = tf.zeros_like(start) + self._roots  # [rows, trees]
        for _ in range(self._depth):
            left, column = tf.unstack(tf.bitcast(tf.gather(self._steps, node), tf.int32), axis=-1)
            right = tf.gather(cells, start + column) >= tf.gather(self._thresholds, node)
            node = left + tf.cast(right, tf.int32)
        return tf.reduce_sum(tf.gather(self._values, node), axis=1) + self._base_margin

    def _widen(self, inputs: tf.Tensor) -> tf.Tensor:
        """The columns that the nodes compare, float32 `[rows, width]`; see the module's docstring."""
        missing = tf.math.is_nan(inputs)
        infinity = tf.constant(np.inf, tf.float32)
        parts = [
            tf.where(missing, -infinity, inputs),
            tf.where(missing, infinity, inputs),
            tf.zeros_like(inputs[:, :1]),
        ]
        for column, table in self._memberships:
            codes = table.shape[0] - 2
            code = inputs[:, column]
            known = tf.logical_and(code >= 0, code < codes)
            row = tf.where(known, tf.cast(tf.where(known, code, 0.0), tf.int32), codes)
            row = tf.where(missing[:, column], codes + 1, row)
            parts.append(tf.cast(tf.gather(table, row), tf.float32))
        return tf.concat(parts, axis=1)


def _category_split(tree: Tree, node: int) -> _CategorySplit:
    return _CategorySplit(int(tree.column[node]), tree.categories[node], bool(tree.missing_left[node]))


def _membership_tables(splits: list[_CategorySplit]) -> list[tuple[int, np.ndarray]]:
    """For each input column that is split by categories: 1 for codes that go right, int8 `[codes + 2, splits]`.

    The last two rows are for all other codes and for a missing value.

    Raises:
        UnsupportedBoosterError: they would not fit into a SavedModel.
    """
    by_column: dict[int, list[_CategorySplit]] = {}
    for split in splits:
        by_column.setdefault(split.column, []).append(split)
    shapes = {column: (3 + max(max(s.right) for s in own), len(own)) for column, own in by_column.items()}
    size = sum(rows * columns for rows, columns in shapes.values())
    if size > _MEMBERSHIP_BYTES:
        raise UnsupportedBoosterError(
            f"sets of categories of {size:,} bytes: at most {_MEMBERSHIP_BYTES:,} can be exported; "
            "use smaller vocabularies, or fewer or shallower trees"
        )
    tables = []
    for column, own in by_column.items():
        table = np.zeros(shapes[column], np.int8)
        for number, split in enumerate(own):
            table[list(split.right), number] = 1
            table[-1, number] = not split.missing_left
        tables.append((column, table))
    return tables


def _lay_out(
    tree: Tree, root: int, columns: int, places: dict[_CategorySplit, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tree's nodes in the form in which rows walk them.

    Args:
        tree: the tree.
        root: the root's place among the nodes of all trees.
        columns: number of input columns.
        places: the column of each category split.

    Returns:
        int32 `[nodes, 2]`: the left child's place and the column to compare; float32 `[nodes]`: the threshold; float32
        `[nodes]`: a leaf's value.
    """
    leaf = tree.left < 0
    left = root + np.where(leaf, np.arange(len(leaf)), tree.left)
    column = np.where(tree.missing_left, tree.column, columns + tree.column)
    threshold = tree.value.copy()
    for node in tree.categories:
        column[node], threshold[node] = places[_category_split(tree, node)], 0.5
    column[leaf], threshold[leaf] = 2 * columns, np.inf
    return np.stack([left, column], axis=1).astype(np.int32), threshold, np.where(leaf, tree.value, np.float32(0))
