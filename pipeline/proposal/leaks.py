"""Finds columns that know the label: alone they rank it too well, or they are filled for one label only."""

from __future__ import annotations

import math

from pipeline.examples.leakage import SUSPICIOUS_AUC
from pipeline.profiling.profile import Association, ColumnProfile

#: The chance, by luck alone, below which a column that is filled (or missing) for one label only counts as a leak.
ONE_LABEL_CHANCE = 1e-6


def leak_reason(column: ColumnProfile, association: Association | None, base_rate: float, rows: int = 0) -> str | None:
    """Why a column knows the label, or None if it does not.

    Args:
        column: the column.
        association: the column beside the label; None if it was not measured.
        base_rate: the share of positives.
        rows: rows of the table, to look at missing values too; 0 leaves them out.
    """
    if association is None:
        return None
    if association.roc_auc is not None and association.roc_auc > SUSPICIOUS_AUC:
        return f"alone it ranks the label with a ROC AUC of {association.roc_auc:.3f}, so it may know the future"
    positive, negative = association.filled_positives, association.filled_negatives
    for share, other, label, chance in (
        (positive, negative, 1, base_rate),
        (negative, positive, 0, 1 - base_rate),
    ):
        if other == 0 and share > 0 and _is_no_luck(chance, column.filled):
            return f"it is filled only where the label is {label}, in {share:.1%} of those rows"
        missing = rows - column.filled
        if rows and other == 1 and share < 1 and _is_no_luck(chance, missing):
            return f"it is missing only where the label is {label}, in {1 - share:.1%} of those rows"
    return None


def _is_no_luck(chance: float, rows: int) -> bool:
    """Whether all of these rows have one label, against its share among all."""
    return 0 < chance < 1 and rows * math.log(chance) < math.log(ONE_LABEL_CHANCE)
