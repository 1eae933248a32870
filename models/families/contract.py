"""What a model family's package provides, and how it is loaded by name.

`models/families/<name>/` holds everything about one family:

- `__init__.py`: `DISPLAY`, a Display. Plain data.
- `hyperparameters.py`: `Hyperparameters`, a subclass of models.hyperparameters.Hyperparameters. Plain data: the
  settings load it, so it imports no machine learning library.
- `model.py`: what the shared `run_fn` calls; see ModelModule.
- `tuning.py`: what the shared `tuner_fn` calls; see TuningModule.
- `attribution.py`: what a loaded model's reasons come from; see AttributionModule.

Nothing outside the package names the family, except its line in `models/families/__init__.py`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from models.families import FAMILIES
from models.features import FeatureSet
from models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import keras_tuner
    import numpy as np
    import tensorflow as tf

    from models.training_data import TrainingData


@dataclasses.dataclass(frozen=True)
class Display:
    """How the report shows a family's training.

    Attributes:
        step: what training counts, the label of the curves' horizontal axis.
        curves: by TensorBoard tag, the split whose log loss it is: `train` or `eval`.
        note: a sentence for readers of the curves; may be empty.
    """

    step: str
    curves: Mapping[str, str]
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What the columns of TrainingData are.

    Attributes:
        features: the features; the columns of `numbers` and `categories` are in their order.
        vocabularies: for each categorical feature, how many values its vocabulary has.
    """

    features: FeatureSet
    vocabularies: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Attributions:
    """How the log odds of a score are divided among the features. They are part of the exported model.

    With the baseline, the contributions of a row add up to its log odds.

    Attributes:
        method: how contributions are computed, one sentence for reports.
        baseline: the log odds that they start from.
        graph: the contributions as TensorFlow operations: transformed features by name, each `[batch]`, to float32
            `[batch, features]`. The loaded model has it as `contributions`. None if `attribution.py` needs files alone.
    """

    method: str
    baseline: float
    graph: Callable[[dict[str, tf.Tensor]], tf.Tensor] | None = None


@dataclasses.dataclass(frozen=True)
class FittedModel:
    """A trained model.

    Attributes:
        predict: the trained model's own probabilities of some rows, float32 `[rows]`.
        score: the same as TensorFlow operations: transformed features by name, each `[batch]`, to float32 `[batch]`.
        variables: every tf.Variable and other resource that `score` and `attributions` use; see
            models.export.export_saved_model.
        attributions: how its scores are explained.
        files: further files of the SavedModel's folder, by their path in it.
    """

    predict: Callable[[TrainingData], np.ndarray]
    score: Callable[[dict[str, tf.Tensor]], tf.Tensor]
    variables: Sequence[Any]
    attributions: Attributions
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TuningRows:
    """The rows that a search works on.

    Attributes:
        training: rows to learn from.
        units: for each training row, the digest of its key, `S32` `[rows]`.
        evaluation: rows that decide when training stops.
        inputs: what the columns are.
    """

    training: TrainingData
    units: np.ndarray
    evaluation: TrainingData
    inputs: Inputs


class ModelModule(Protocol):
    """`models/families/<name>/model.py`."""

    # Whether `fit` iterates over the training batches more than once. They are then kept in a form that reads quickly.
    READS_REPEATEDLY: bool

    def fit(
        self,
        training: Iterable[TrainingData],
        evaluation: TrainingData,
        inputs: Inputs,
        settings: Any,
        log_dir: str | None,
    ) -> FittedModel:
        """Trains a model.

        Args:
            training: batches of rows to learn from; each `iter()` starts again from the first.
            evaluation: rows that decide when training stops and what is kept.
            inputs: what the columns are.
            settings: the family's hyperparameters.
            log_dir: folder for TensorBoard's curves, with the tags of DISPLAY; None if they are not wanted.
        """
        ...


class TuningModule(Protocol):
    """`models/families/<name>/tuning.py`."""

    def search_space(self, settings: Any, rows: int) -> keras_tuner.HyperParameters:
        """The search space for this number of training rows; the defaults are the values of `settings`."""
        ...

    def trial_score(self, rows: TuningRows, settings: Any, folds: int) -> Callable[[dict[str, Any]], float]:
        """A function that trains with the values of one trial and returns a log loss, which the search minimises.

        Args:
            rows: what it trains and measures on.
            settings: the family's hyperparameters, which the trial's values override.
            folds: parts of the training users, for a family that cross-validates.
        """
        ...


class AttributionModule(Protocol):
    """`models/families/<name>/attribution.py`. It needs no library for training."""

    def load_contributions(
        self, folder: str, model: Any, features: FeatureSet
    ) -> Callable[[dict[str, Any]], np.ndarray]:
        """A function that computes contributions as the trained model's Attributions promise.

        Args:
            folder: the SavedModel's folder, with the FittedModel's `files`.
            model: the loaded SavedModel.
            features: the features.

        Returns:
            A function from transformed features by name, each `[rows]`, to float32 `[rows, features]`, in the order of
            the features.
        """
        ...


def display(name: str) -> Display:
    """How the report shows the family. Raises ValueError if there is no such family."""
    return _module(name).DISPLAY


def hyperparameters_class(name: str) -> type[Hyperparameters]:
    """The family's settings class. Raises ValueError if there is no such family."""
    return _module(name, "hyperparameters").Hyperparameters


def load_model_module(name: str) -> ModelModule:
    """Imports the family and its libraries, to train it. Raises ValueError if there is no such family."""
    return _module(name, "model")


def load_tuning_module(name: str) -> TuningModule:
    """Imports the family and its libraries, to tune it. Raises ValueError if there is no such family."""
    return _module(name, "tuning")


def load_attribution_module(name: str) -> AttributionModule:
    """Imports what explains the family's scores. Raises ValueError if there is no such family."""
    return _module(name, "attribution")


def model_modules(name: str) -> tuple[str, ...]:
    """Dotted names of what `run_fn` loads to train the family."""
    return tuple(f"{__package__}.{name}.{module}" for module in ("model", "attribution", "hyperparameters"))


def tuning_modules(name: str) -> tuple[str, ...]:
    """Dotted names of what `tuner_fn` loads to tune the family."""
    return f"{__package__}.{name}.tuning", f"{__package__}.{name}.hyperparameters"


def _module(name: str, *below: str) -> Any:
    if name not in FAMILIES:
        raise ValueError(f"there is no model family '{name}'; the families are {', '.join(FAMILIES)}")
    module: ModuleType = importlib.import_module(".".join((__package__, name, *below)))
    return module
