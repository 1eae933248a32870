"""Names and explanations of metrics, checks and verdicts on the pages."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        title: its name.
        digits: number of decimals.
        better: `higher`, `lower`, or the best value.
        meaning: one line that explains it.
    """

    title: str
    digits: int
    better: str
    meaning: str


METRICS = {
    "roc_auc": Metric(
        "ROC AUC", 4, "higher", "How often a random positive row ranks above a random negative row. Chance is 0.5."
    ),
    "pr_auc": Metric("PR-AUC", 4, "higher", "Mean precision over all recalls. Chance is the base rate."),
    "log_loss": Metric("Log loss", 4, "lower", "Distance between probabilities and outcomes."),
    "brier": Metric("Brier score", 4, "lower", "Mean squared distance between probabilities and outcomes."),
    "calibration_slope": Metric(
        "Calibration slope", 3, "near 1", "Below 1, the probabilities are too extreme; above 1, too cautious."
    ),
    "calibration_intercept": Metric(
        "Calibration intercept", 3, "near 0", "Above 0, the probabilities are too low; below 0, too high."
    ),
    "observed_over_expected": Metric(
        "Observed over expected", 3, "near 1", "Number of positives divided by the predicted number."
    ),
    "precision": Metric("Precision", 4, "higher", "Share of positives among the rows that you act on."),
    "recall": Metric("Recall", 4, "higher", "Share of all positives that you reach."),
}
LIFT_PERCENTAGES = (1, 5, 10, 20)

CHECKS = {
    "infra": "Serving",
    "withdrawn": "Withdrawn models",
    "unchanged": "Difference from the champion",
    "positives": "Number of positives",
    "bounds": "Absolute bounds",
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
    for prefix, better in (("lift_", "higher"), ("gain_", "higher")):
        if name.startswith(prefix):
            return Metric(f"{prefix[:-1].title()} at {name[len(prefix) :]} %", 2, better, "")
    return METRICS.get(name) or Metric(plain(name).capitalize(), 4, "", "")


def in_sentence(title: str) -> str:
    """A title as part of a sentence: `log loss`, but `ROC AUC`."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def plain(name: str) -> str:
    """A name from the code in words."""
    return name.replace("_", " ")
