"""Trains the network of the Keras family: steps compiled into one graph, early stopping on the eval log loss."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from models.families.keras.batch_ensemble import build_network, learn_columns, mean_probability
from models.families.keras.hyperparameters import Hyperparameters
from models.features import FeatureSet, Missing
from models.log_loss import log_loss
from models.training_data import TrainingData

_PROGRESS = logging.getLogger("propensity.progress")
_EVAL_ROWS = 8_192  # rows in one call when evaluating


def train(
    training: TrainingData,
    evaluation: TrainingData,
    features: FeatureSet,
    vocabularies: tuple[int, ...],
    settings: Hyperparameters,
    log_dir: str | None = None,
) -> keras.Model:
    """Trains until the eval log loss stops falling or the steps are used up. Two calls give the same network.

    Args:
        training: rows to learn from.
        evaluation: rows that decide when training stops and which weights are kept.
        features: the features; they say what a missing value means.
        vocabularies: how many values each category's vocabulary has.
        settings: hyperparameters.
        log_dir: folder for TensorBoard's curves; None if they are not wanted.

    Returns:
        The network (see batch_ensemble.build_network) with the weights of the lowest eval log loss.
    """
    settings = settings.for_rows(len(training))
    told = tuple(feature.missing is Missing.INDICATOR for feature in features.numeric)
    columns = learn_columns(training.numbers, vocabularies, told, settings.bins)
    margin = 0.5 / len(training)
    prior = float(np.clip(training.label.mean(), margin, 1 - margin))
    network = build_network(columns, settings, prior)

    # The mean of the last weights predicts better than any single one, and depends less on when training stops.
    optimizer = keras.optimizers.Adam(settings.learning_rate, use_ema=True, ema_momentum=settings.averaging)
    run_steps, predict = _compile_steps(network, training, settings, optimizer), compile_predict(network)
    orders = _batches(len(training), settings.batch_size, settings.seed)
    curves = tf.summary.create_file_writer(log_dir) if log_dir else tf.summary.create_noop_writer()
    best_loss, best_weights, since_best, step = np.inf, network.get_weights(), 0, 0
    while step < settings.max_steps and since_best < settings.patience:
        steps = min(settings.evaluate_every, settings.max_steps - step)
        train_loss = run_steps(tf.constant([next(orders) for _ in range(steps)]))
        step += steps
        since_best += 1
        with _averaged_weights(network, optimizer):
            loss = log_loss(evaluation.label, predict(evaluation))
            if loss < best_loss:
                best_loss, best_weights, since_best = loss, network.get_weights(), 0
        with curves.as_default(step):
            tf.summary.scalar("train/members_log_loss", train_loss)
            tf.summary.scalar("eval/log_loss", loss)
        _PROGRESS.info("step %d of at most %d, eval log loss %.4f", step, settings.max_steps, loss)
    curves.close()
    network.set_weights(best_weights)
    return network


@contextlib.contextmanager
def _averaged_weights(network: keras.Model, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Gives the network its averaged weights, and afterwards those of the last step, from which training continues."""
    last = network.get_weights()
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield
    finally:
        network.set_weights(last)


def compile_predict(network: keras.Model) -> Callable[[TrainingData], np.ndarray]:
    """Compiles a function that returns the ensemble's probabilities, float32 `[rows]`, for the rows of a split."""
    signature = [tf.TensorSpec([None, *item.shape[1:]], item.dtype) for item in network.inputs]

    @tf.function(input_signature=signature)
    def predict_batch(numbers, categories):
        return mean_probability(network([numbers, categories], training=False))

    def predict(data: TrainingData) -> np.ndarray:
        starts = range(0, len(data), _EVAL_ROWS)
        batches = [slice(start, start + _EVAL_ROWS) for start in starts]
        return np.concatenate([predict_batch(data.numbers[rows], data.categories[rows]).numpy() for rows in batches])

    return predict


def _batches(rows: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Endless batches of row numbers, int32 `[batch_size]`. Each pass takes all rows in a new order."""
    random = np.random.default_rng(seed)
    waiting = np.empty(0, np.int32)
    while True:
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, random.permutation(rows).astype(np.int32)])
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def _compile_steps(
    network: keras.Model, training: TrainingData, settings: Hyperparameters, optimizer: keras.optimizers.Optimizer
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Compiles a function that takes row numbers, int32 `[steps, batch]`, trains on them, and returns the mean loss."""
    optimizer.build(network.trainable_variables)
    numbers, categories = tf.constant(training.numbers), tf.constant(training.categories)
    label = tf.constant(training.label)

    @tf.function(input_signature=[tf.TensorSpec([None, settings.batch_size], tf.int32)])
    def run_steps(batches):
        total = 0.0
        for rows in batches:
            with tf.GradientTape() as tape:
                logits = network([tf.gather(numbers, rows), tf.gather(categories, rows)], training=True)
                # The mean of the members' losses, not the loss of their mean, so that each member learns independently.
                target = tf.repeat(tf.gather(label, rows)[:, tf.newaxis], logits.shape[1], axis=1)
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, logits))
            weights = [weight.value for weight in network.trainable_variables]
            optimizer.apply(tape.gradient(loss, weights), network.trainable_variables)
            total += loss
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    return run_steps
