"""What the pages call metrics, checks and verdicts, for readers who do not know them by heart."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        title: its name.
        digits: decimals.
        better: `higher`, `lower`, or which value is the best.
        meaning: one line.
    """

    title: str
    digits: int
    better: str
    meaning: str


METRICS = {
    "roc_auc": Metric(
        "ROC AUC", 4, "higher", "How often a random positive row is ranked above a random negative one; 0.5 is chance."
    ),
    "pr_auc": Metric(
        "PR-AUC", 4, "higher", "Mean precision over all recalls; a model that knows nothing has the base rate."
    ),
    "log_loss": Metric("Log loss", 4, "lower", "How far the probabilities are from what happened."),
    "brier": Metric("Brier score", 4, "lower", "Mean squared distance of the probabilities from what happened."),
    "calibration_slope": Metric(
        "Calibration slope", 3, "near 1", "Below 1 the probabilities are too extreme, above 1 too timid."
    ),
    "calibration_intercept": Metric(
        "Calibration intercept", 3, "near 0", "Above 0 the probabilities are too low, below 0 too high."
    ),
    "observed_over_expected": Metric(
        "Observed over expected", 3, "near 1", "Positives that occurred for each one that was predicted."
    ),
    "precision": Metric("Precision", 4, "higher", "Share of positives among the rows acted on."),
    "recall": Metric("Recall", 4, "higher", "Share of all positives that are among the rows acted on."),
}
LIFT_PERCENTAGES = (1, 5, 10, 20)

CHECKS = {
    "infra": "Serving",
    "withdrawn": "Withdrawn models",
    "unchanged": "Difference from the champion",
    "positives": "Number of positives",
    "bounds": "Absolute bounds",
    "log_loss": "Log loss against the base rate's",
    "calibration_slope": "Calibration: slope",
    "observed_over_expected": "Calibration: level",
    "slice": "Slice against the champion",
    "champion": "Comparison with the champion",
    "anchor": "Comparison with the anchor",
}
DIFFERENCES = ("champion", "anchor", "slice")  # checks whose value is how much better the challenger is

VERDICTS = {  # heading before it is known whether the model was pushed, heading if it was not, tone
    "blessed": ("Blessed", "Blessed, but not pushed by this run", "pass"),
    "refused": ("Refused", "Not pushed: refused", "fail"),
    "undecided": ("Undecided", "Not pushed: undecided", "undecided"),
    "unchanged": ("Unchanged", "Not pushed: nothing has changed", "shown"),
}

GLOSSARY = (
    ("Challenger", "the model that this run chose; it asks to be used from now on"),
    ("Champion", "the model in use: the last one that was pushed"),
    (
        "Anchor",
        "an older model that the challenger must keep up with too, so that many small losses cannot add up; "
        "it is replaced only by a model that is clearly better",
    ),
    ("Base rate", "share of positive rows"),
    ("Snapshot", "a date on which users are looked at: features see only what came before, the label what came after"),
    (
        "90 % interval",
        "the range that the data leave plausible; each of its ends on its own holds with 95 % confidence",
    ),
    ("Margin", "the loss that is small enough to accept for a fresher model"),
    ("Slice", "the rows with one value of a category"),
    ("Lift", "how many times more positives the highest predictions hold than as many random rows"),
    ("Gain", "share of all positives that the highest predictions hold"),
    ("Operating point", "the share of rows, highest predictions first, that is acted on"),
)


def metric(name: str) -> Metric:
    """How a metric is shown; one that is not known by its own name."""
    for prefix, better in (("lift_", "higher"), ("gain_", "higher")):
        if name.startswith(prefix):
            return Metric(f"{prefix[:-1].title()} at {name[len(prefix) :]} %", 2, better, "")
    return METRICS.get(name) or Metric(plain(name).capitalize(), 4, "", "")


def in_sentence(title: str) -> str:
    """A title as part of a sentence: `log loss`, but `ROC AUC`."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def plain(name: str) -> str:
    """A name of the code's as words."""
    return name.replace("_", " ")
