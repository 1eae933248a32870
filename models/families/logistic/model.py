"""What the shared run_fn calls to train the logistic family; see models/families/contract.py."""

from __future__ import annotations

from collections.abc import Iterable

from models.families.contract import FittedModel, Inputs
from models.families.logistic import attribution
from models.families.logistic.hyperparameters import Hyperparameters
from models.families.logistic.linear_graph import LinearGraph
from models.families.logistic.training import train
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
    """Trains the regression on all rows in memory; the arguments are those of contract.ModelModule.

    Raises:
        ValueError: the training labels are all the same.
    """
    rows = concatenate(list(training))
    regression = train(rows, evaluation, inputs, settings, log_dir)
    graph = LinearGraph(regression)
    return FittedModel(
        predict=regression.predict,
        score=lambda transformed: graph(*matrices(transformed, inputs.features)),
        variables=[graph],
        attributions=attribution.attributions(graph, rows, inputs.features),
    )
