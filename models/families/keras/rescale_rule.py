"""DeepLIFT's Rescale rule for the batch ensemble: one forward and one backward pass for all rows of a batch.

Rescale (Shrikumar et al. 2017, section 3.5.1) compares a row with a reference and passes the difference of the outputs
back through the network. A linear layer passes it along its weights. At a non-linear function, the slope between
reference and row takes the place of the derivative, so the contributions of the inputs add up to the difference of the
outputs. The network's inputs are here the embedded columns, its output the log odds of the mean probability.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

# Below this difference of its inputs, the slope of a function is its derivative.
_SMALLEST_STEP = 1e-6


class RescaleRule(tf.Module):
    """Contributions of a network's embedded columns to the log odds, against one reference.

    Attributes:
        baseline: the log odds of the reference.
    """

    def __init__(self, network: keras.Model, reference: np.ndarray) -> None:
        """Takes the network apart.

        Args:
            network: as batch_ensemble.build_network returns it, trained.
            reference: embedded columns, float32 `[width]`.
        """
        super().__init__()
        first, *others = (layer for layer in network.layers if layer.name.startswith("shared_"))
        # The network's own variables, so that the saved model holds them once.
        self._scale, self._kernel, self._first_bias = _variables(first)
        self._others = [tuple(_variables(layer)) for layer in others]
        self._heads, self._head_bias = _variables(network.get_layer("heads"))
        self._members, self._units = self._scale.shape[1], self._kernel.shape[1]
        self._reference = tf.constant(reference)
        inputs, logits = self._forward(self._reference[tf.newaxis])
        self._inputs_at_reference = [tf.constant(values.numpy()) for values in inputs]
        self._logits_at_reference = tf.constant(logits.numpy())
        self.baseline = float(_log_odds(logits)[0])

    def __call__(self, embedded: tf.Tensor) -> tf.Tensor:
        """Embedded columns, float32 `[rows, width]`, to their contributions, float32 `[rows, width]`."""
        inputs, logits = self._forward(embedded)
        passed = self._slopes_of_members(logits)[:, :, tf.newaxis] * self._heads  # [rows, members, units]
        for layer in reversed(range(len(inputs))):
            before, reference = inputs[layer], self._inputs_at_reference[layer]
            step = before - reference
            slope = tf.where(
                tf.abs(step) > _SMALLEST_STEP,
                (tf.nn.relu(before) - tf.nn.relu(reference)) / step,
                tf.cast(before > 0, tf.float32),
            )
            passed *= slope
            if layer:
                kernel = self._others[layer - 1][0]
                flat = tf.matmul(tf.reshape(passed, [-1, kernel.shape[1]]), kernel, transpose_b=True)
                passed = tf.reshape(flat, [-1, self._members, kernel.shape[0]])
        flat = tf.reshape(passed, [-1, self._members * self._units])
        return tf.matmul(flat, self._first_kernels(), transpose_b=True) * (embedded - self._reference)

    def _first_kernels(self) -> tf.Tensor:
        """The first layer's weights of all members, float32 `[width, members * units]`."""
        kernels = self._scale[:, :, tf.newaxis] * self._kernel[:, tf.newaxis, :]
        return tf.reshape(kernels, [-1, self._members * self._units])

    def _forward(self, embedded: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The inputs of each ReLU, `[rows, members, units]`, and the members' logits, `[rows, members]`."""
        values = tf.reshape(embedded @ self._first_kernels(), [-1, self._members, self._units]) + self._first_bias
        inputs = [values]
        for kernel, bias in self._others:
            flat = tf.reshape(tf.nn.relu(values), [-1, kernel.shape[0]]) @ kernel + bias
            values = tf.reshape(flat, [-1, self._members, kernel.shape[1]])
            inputs.append(values)
        return inputs, tf.reduce_sum(tf.nn.relu(values) * self._heads, axis=2) + self._head_bias

    def _slopes_of_members(self, logits: tf.Tensor) -> tf.Tensor:
        """The slope of the log odds of the mean probability along each member's logit, float32 `[rows, members]`."""
        reference = self._logits_at_reference
        step = logits - reference
        chance, chance_at_reference = tf.sigmoid(logits), tf.sigmoid(reference)
        of_member = tf.where(
            tf.abs(step) > _SMALLEST_STEP, (chance - chance_at_reference) / step, chance * tf.sigmoid(-logits)
        )
        mean = tf.reduce_mean(chance, axis=1)
        difference = mean - tf.reduce_mean(chance_at_reference, axis=1)
        of_mean = tf.where(
            tf.abs(difference) > _SMALLEST_STEP * mean,
            (_log_odds(logits) - _log_odds(reference)) / difference,
            1 / (mean * tf.reduce_mean(tf.sigmoid(-logits), axis=1)),
        )
        return of_mean[:, tf.newaxis] * of_member / self._members


def _variables(layer: keras.layers.Layer) -> list[tf.Variable]:
    return [weight.value for weight in layer.weights]


def _log_odds(logits: tf.Tensor) -> tf.Tensor:
    """The log odds of the mean of the members' probabilities, float32 `[rows]`."""
    return tf.reduce_logsumexp(tf.math.log_sigmoid(logits), axis=1) - tf.reduce_logsumexp(
        tf.math.log_sigmoid(-logits), axis=1
    )
