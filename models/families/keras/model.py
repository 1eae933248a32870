"""What the shared run_fn calls to train the Keras family; see models/families/contract.py."""

from __future__ import annotations

from collections.abc import Iterable

from models.families.contract import FittedModel, Inputs
from models.families.keras import attribution
from models.families.keras.batch_ensemble import mean_probability
from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.training import compile_predict, train
from models.tensors import matrices
from models.training_data import TrainingData, concatenate

READS_REPEATEDLY = False


def fit(
    training: Iterable[TrainingData],
    evaluation: TrainingData,
    inputs: Inputs,
    settings: Hyperparameters,
    log_dir: str | None,
) -> FittedModel:
    """Trains the network on all rows in memory; the arguments are those of contract.ModelModule."""
    rows = concatenate(list(training))
    network = train(rows, evaluation, inputs.features, inputs.vocabularies, settings, log_dir)
    return FittedModel(
        predict=compile_predict(network),
        score=lambda transformed: mean_probability(network(matrices(transformed, inputs.features), training=False)),
        attributions=attribution.attributions(network, rows, inputs.features),
        # A C++ server cannot find Keras 3 variables themselves.
        variables=[weight.value for weight in network.weights],
    )
