import numpy as np
import xgboost as xgb

from models.families.contract import Inputs
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.model import BOOSTER_FILE, fit
from models.families.xgboost.training import predict
from models.features import FeatureSet
from models.training_data import TrainingData

FEATURES = FeatureSet.from_config([{"name": "a", "kind": "numeric"}])


def test_the_booster_itself_is_among_the_files():
    numbers = np.random.default_rng(0).normal(size=(300, 1)).astype(np.float32)
    data = TrainingData(numbers, np.zeros((300, 0), np.int32), (numbers[:, 0] > 0).astype(np.float32))
    settings = Hyperparameters(max_rounds=5, threads=1)
    model = fit([data], data, Inputs(FEATURES, ()), settings, None)
    booster = xgb.Booster()
    booster.load_model(bytearray(model.files[BOOSTER_FILE]))
    np.testing.assert_array_equal(predict(booster, data, FEATURES), model.predict(data))
