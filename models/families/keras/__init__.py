"""The Keras family: a small batch ensemble of networks."""

from models.families.contract import Display

DISPLAY = Display(
    step="Step",
    curves={"train/members_log_loss": "train", "eval/log_loss": "eval"},
    note="The train curve of Keras is the loss of single members with dropout. It may lie above the loss of the whole "
    "model on eval.",
)
