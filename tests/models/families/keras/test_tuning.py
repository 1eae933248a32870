import numpy as np

from models.families.contract import Inputs, TuningRows
from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.training import compile_predict, train
from models.families.keras.tuning import trial_score
from models.features import FeatureSet
from models.log_loss import log_loss
from models.training_data import TrainingData

INPUTS = Inputs(FeatureSet.from_config([{"name": "a", "kind": "numeric"}, {"name": "c", "kind": "categorical"}]), (3,))


def sample(rows, seed):
    random = np.random.default_rng(seed)
    numbers, categories = random.normal(size=(rows, 1)), random.integers(0, 4, (rows, 1))
    label = numbers[:, 0] + random.normal(size=rows) > 0
    return TrainingData(numbers.astype(np.float32), categories.astype(np.int32), label.astype(np.float32))


def test_score_is_the_eval_log_loss_that_a_trainer_gets():
    training, evaluation = sample(900, seed=0), sample(200, seed=1)
    settings = Hyperparameters(max_steps=20, seed=3)
    score = trial_score(TuningRows(training, np.arange(900), evaluation, INPUTS), settings, folds=3)
    chosen = settings.model_copy(update={"hidden": (32, 32), "dropout": 0.2})
    network = train(training, evaluation, INPUTS.features, INPUTS.vocabularies, chosen)
    expected = log_loss(evaluation.label, compile_predict(network)(evaluation))
    assert score({"hidden_units": 32, "dropout": 0.2}) == expected


def test_hidden_layers_keep_their_proportion():
    assert Hyperparameters(hidden=(128, 64)).with_values({"hidden_units": 64}).hidden == (64, 32)
    assert Hyperparameters().with_values({"hidden_units": 64}) == Hyperparameters()
