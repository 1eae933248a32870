"""The XGBoost family: boosted trees, exported as TensorFlow operations."""

from models.families.contract import Display

DISPLAY = Display(step="Round", curves={"train/log_loss": "train", "eval/log_loss": "eval"})
