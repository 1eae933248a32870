"""Names and explanations of metrics, checks and verdicts on the pages."""

from __future__ import annotations

from pipeline.gate import metrics as registry
from pipeline.gate.metric import Metric

METRICS = {name: entry for name, entry in registry.METRICS.items() if not name.startswith(("lift_", "gain_"))}
LIFT_PERCENTAGES = registry.TOP_PERCENT

CHECKS = {
    "infra": "Serving",
    "withdrawn": "Withdrawn models",
    "unchanged": "Difference from the champion",
    "positives": "Number of positives",
    "bounds": "Absolute bounds",
    "floor": "Floor",
    "log_loss": "Log loss against the base rate",
    "calibration_slope": "Calibration: slope",
    "observed_over_expected": "Calibration: level",
    "slice": "Slice against the champion",
    "champion": "Comparison with the champion",
    "anchor": "Comparison with the anchor",
}
DIFFERENCES = ("champion", "anchor", "slice")  # checks whose value says by how much the challenger is better

VERDICTS = {  # heading if it is not known yet whether the model was pushed, heading if it was not, tone
    "blessed": ("Blessed", "Blessed, but not pushed by this run", "pass"),
    "refused": ("Refused", "Not pushed: refused", "fail"),
    "undecided": ("Undecided", "Not pushed: undecided", "undecided"),
    "unchanged": ("Unchanged", "Not pushed: nothing changed", "shown"),
}

GLOSSARY = (
    ("Challenger", "the model of this run that wants to replace the champion"),
    ("Champion", "the model in use, which was pushed last"),
    (
        "Anchor",
        "an older model that the challenger must not fall behind either, so that small losses cannot add up; "
        "only a clearly better model replaces it",
    ),
    ("Base rate", "the share of positive rows"),
    ("Snapshot", "a date for which rows are made: features see only earlier days, the label only later days"),
    (
        "90 % interval",
        "a confidence interval; each end alone holds with 95 % confidence",
    ),
    ("Margin", "the largest loss that is accepted for a fresher model"),
    ("Slice", "the rows with one value of a category"),
    ("Lift", "positives among the highest predictions, divided by positives among as many random rows"),
    ("Gain", "the share of all positives that are among the highest predictions"),
    ("Operating point", "the share of the rows, highest predictions first, that you act on"),
)


def metric(name: str) -> Metric:
    """How a metric is shown. An unknown metric is shown by its name."""
    return registry.METRICS.get(name) or Metric(name, plain(name).capitalize(), "", 4, "", "", lambda scored: None)


def plain(name: str) -> str:
    """A name from the code in words."""
    return name.replace("_", " ")
