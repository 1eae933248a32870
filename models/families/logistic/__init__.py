"""The logistic family: logistic regression with an L2 penalty. It is often the best model of few rows."""

from models.families.contract import Display

DISPLAY = Display(
    step="L2 strength, strongest first",
    curves={"train/log_loss": "train", "eval/log_loss": "eval"},
)
