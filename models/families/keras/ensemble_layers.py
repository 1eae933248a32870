"""The layers of batch_ensemble.py: they encode the input columns and turn one network into an ensemble."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf


class PiecewiseLinear(keras.layers.Layer):
    """Embeds each number by a continuous function that is linear within each of its bins.

    Input float32 `[batch, numbers]`; NaN is missing and counts as the median, 0. Output `[batch, numbers * size]`.
    """

    def __init__(self, bins: tuple[np.ndarray, ...], size: int, seed: int, **options) -> None:
        """`bins` are the edges for each number, `size` the embedding's; `options` are Keras's own."""
        super().__init__(**options)
        self._size, self._seed = size, seed
        shape = (len(bins), max([1, *(len(edges) - 1 for edges in bins)]))
        self._low = np.zeros(shape, np.float32)
        self._per_width = np.zeros(shape, np.float32)  # 0 where a number has fewer bins than others
        self._floor = np.zeros(shape, np.float32)
        self._ceiling = np.ones(shape, np.float32)
        for row, edges in enumerate(bins):
            count = len(edges) - 1
            if count < 1:
                continue
            self._low[row, :count] = edges[:-1]
            self._per_width[row, :count] = 1 / np.diff(edges)
            # The outermost bins are open: their lines continue beyond the range of the training rows.
            self._floor[row, 0] = -np.inf
            self._ceiling[row, count - 1] = np.inf

    def build(self, shape) -> None:
        """Starts as a random linear embedding; the bins' weights start at zero."""
        numbers, bins = self._low.shape
        if not numbers:
            return  # TensorFlow's graph optimizer fails on weights without rows
        span = self._size**-0.5
        uniform = [keras.initializers.RandomUniform(-span, span, seed=self._seed + i) for i in range(2)]
        self._slope = self.add_weight(shape=(numbers, self._size), initializer=uniform[0], name="slope")
        self._offset = self.add_weight(shape=(numbers, self._size), initializer=uniform[1], name="offset")
        self._bends = self.add_weight(shape=(numbers, bins, self._size), initializer="zeros", name="bends")

    def call(self, numbers):
        """Returns the embeddings side by side; without numbers, `[batch, 0]`."""
        if not self._low.shape[0]:
            return tf.zeros([tf.shape(numbers)[0], 0])
        known = tf.where(tf.math.is_nan(numbers), 0.0, numbers)[:, :, tf.newaxis]
        place = tf.minimum(tf.maximum((known - self._low) * self._per_width, self._floor), self._ceiling)
        embedded = tf.einsum("nfb,fbe->nfe", place, self._bends) + known * self._slope + self._offset
        return tf.reshape(embedded, [tf.shape(numbers)[0], self._slope.shape[0] * self._size])


class MissingIndicators(keras.layers.Layer):
    """1 where a number is missing, else 0: float32 `[batch, numbers]` to `[batch, indices]`."""

    def __init__(self, indices: tuple[int, ...], **options) -> None:
        """`indices` are the numbers to look at; `options` are Keras's own."""
        super().__init__(**options)
        self.indices = np.array(indices, np.int32)

    def call(self, numbers):
        """Returns the indicators."""
        return tf.cast(tf.math.is_nan(tf.gather(numbers, self.indices, axis=1)), tf.float32)


class CategoryEncoding(keras.layers.Layer):
    """Encodes vocabulary ranks: two values as +1 and -1, narrow vocabularies one-hot, wide ones embedded.

    Input int32 `[batch, categories]`; output `[batch, sum(widths)]`. A value that the vocabulary lacks becomes zeros.
    In an embedded vocabulary it has weights too, which start at zero and change if training rows have such values.
    """

    def __init__(self, vocabularies: tuple[int, ...], one_hot: int, size: int, seed: int, **options) -> None:
        """`vocabularies` are sizes, `one_hot` the widest not embedded, `size` the embedding's width."""
        super().__init__(**options)
        self._vocabularies, self._one_hot, self._seed = vocabularies, one_hot, seed
        self.widths = [1 if n == 2 else n if n <= one_hot else size for n in vocabularies]

    def build(self, shape) -> None:
        """Creates the embeddings of the wide vocabularies."""
        self._tables = {}
        for column, (values, width) in enumerate(zip(self._vocabularies, self.widths, strict=True)):
            if values > self._one_hot:
                table = np.random.default_rng([self._seed, column]).normal(0, width**-0.5, (values + 1, width))
                table[-1] = 0.0
                initial = keras.initializers.Constant(table.astype(np.float32))
                name = f"table_{column}"
                self._tables[name] = self.add_weight(shape=table.shape, initializer=initial, name=name)

    def call(self, ranks):
        """Returns the codes of all categories side by side."""
        codes = [tf.zeros([tf.shape(ranks)[0], 0])]
        for column, values in enumerate(self._vocabularies):
            rank = ranks[:, column]
            if values > self._one_hot:
                codes.append(tf.gather(self._tables[f"table_{column}"], rank))
            elif values == 2:
                codes.append(tf.one_hot(rank, 2) @ [[1.0], [-1.0]])
            else:
                codes.append(tf.one_hot(rank, values))
        return tf.concat(codes, axis=1)


class MemberDense(keras.layers.Layer):
    """A dense ReLU layer that the members share. Each member first scales the inputs by its own factors.

    `[batch, width]` to `[batch, members, units]`. The scales start from a standard normal, with one draw per member and
    original column.
    """

    def __init__(self, units: int, members: int, widths: tuple[int, ...], seed: int, **options) -> None:
        """`widths` says how many inputs belong to each original column; `options` are Keras's own."""
        super().__init__(**options)
        self._units, self._members, self._seed = units, members, seed
        draws = np.random.default_rng(seed).normal(size=(members, len(widths)))
        self._initial = np.repeat(draws, widths, axis=1).T.astype(np.float32)

    def build(self, shape) -> None:
        """Creates the members' scales and the shared weights."""
        scale = keras.initializers.Constant(self._initial)
        self._scale = self.add_weight(shape=self._initial.shape, initializer=scale, name="scale")
        shared = keras.initializers.GlorotUniform(seed=self._seed)
        self._kernel = self.add_weight(shape=(shape[-1], self._units), initializer=shared, name="kernel")
        self._bias = self.add_weight(shape=(self._units,), initializer="zeros", name="bias")

    def call(self, inputs):
        """Returns the members' outputs."""
        # Scaling the weights instead of the inputs takes one matrix product and no tensor of batch x members x width.
        kernels = self._scale[:, :, tf.newaxis] * self._kernel[:, tf.newaxis, :]
        outputs = inputs @ tf.reshape(kernels, [-1, self._members * self._units])
        return tf.nn.relu(tf.reshape(outputs, [-1, self._members, self._units]) + self._bias)


class SharedDense(keras.layers.Dense):
    """A dense layer that members share: `[batch, members, width]` to `[batch, members, units]`."""

    def call(self, inputs):
        """Returns the members' outputs."""
        # One product for all rows. A batch of matrices would compute a gradient of the weights for each row.
        _, members, width = inputs.shape
        outputs = super().call(tf.reshape(inputs, [-1, width]))
        return tf.reshape(outputs, [-1, members, self.units])


class Dropout(keras.layers.Layer):
    """Dropout in half the time of Keras's: training drops a share of the inputs and scales up the others.

    A random number of 16 bits decides on each input, so the share is a multiple of 1 / 65,536.
    """

    def __init__(self, rate: float, seed: int, **options) -> None:
        """`rate` is the share; `options` are Keras's own."""
        super().__init__(**options)
        self._left_out = round(rate * 2**16)
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        """Returns the inputs; in training, those that were not dropped."""
        if not training or not self._left_out:
            return inputs
        pairs = (tf.size(inputs) + 1) // 2
        seed = tf.cast(self._seeds.next(), tf.int32)
        bits = tf.random.stateless_uniform([pairs], seed, minval=None, maxval=None, dtype=tf.uint32)
        bits = tf.reshape(tf.bitcast(bits, tf.uint16), [-1])[: tf.size(inputs)]
        kept = tf.reshape(bits, tf.shape(inputs)) >= tf.constant(self._left_out, tf.uint16)
        return tf.where(kept, inputs / (1 - self._left_out / 2**16), 0.0)


class MemberHeads(keras.layers.Layer):
    """A linear output for each member: `[batch, members, width]` to logits `[batch, members]`."""

    def __init__(self, prior: float, seed: int, **options) -> None:
        """`prior` is the share of positives at which the bias starts; `options` are Keras's own."""
        super().__init__(**options)
        self._log_odds, self._seed = float(np.log(prior / (1 - prior))), seed

    def build(self, shape) -> None:
        """Creates weights and biases."""
        _, members, width = shape
        span = width**-0.5
        initial = keras.initializers.RandomUniform(-span, span, seed=self._seed)
        self._kernel = self.add_weight(shape=(members, width), initializer=initial, name="kernel")
        self._bias = self.add_weight(shape=(members,), initializer=keras.initializers.Constant(self._log_odds))

    def call(self, inputs):
        """Returns the logits."""
        return tf.reduce_sum(inputs * self._kernel, axis=2) + self._bias
