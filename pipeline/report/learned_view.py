"""The trained families as rows of text and plots: metrics, curves, importance, suspicious features."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from models.families import FAMILIES
from models.families.contract import display
from pipeline.examples.leakage import SUSPICIOUS_AUC
from pipeline.gate.metric import in_sentence
from pipeline.report import formats, plots
from pipeline.report.run_data import RunData
from pipeline.report.wording import METRICS, metric, plain

Row = dict[str, Any]
_TOP_FEATURES = 15
_TOP_SINGLE = 10


def learned_view(run: RunData) -> Row:
    """The families' metrics and curves, importance of features, single features, and hyperparameters."""
    return {
        "selection": _selection(run),
        "curves": [
            (FAMILIES.get(family.name, family.name), plots.training_curves(family.name, family.curves))
            for family in run.families
            if family.curves
        ],
        "curve_notes": [display(family.name).note for family in run.families if family.curves],
        "importance": _importance(run.families),
        "importance_problems": [
            f"{FAMILIES.get(family.name, family.name)}: {family.problem}" for family in run.families if family.problem
        ],
        "single": _single(run),
        "hyperparameters": [
            {"family": FAMILIES.get(family.name, family.name), "values": _values(family.hyperparameters)}
            for family in run.families
            if family.hyperparameters is not None
        ],
    }


def _selection(run: RunData) -> Row | None:
    if not run.selection:
        return None
    candidates = run.selection.get("candidates") or []
    chosen = FAMILIES.get(str(run.selection.get("chosen")), str(run.selection.get("chosen")))
    of_rows = (
        f"{formats.count(run.selection['rows'])} eval rows with {formats.count(run.selection['positives'])} positives"
    )
    by = in_sentence(metric(str(run.selection.get("metric"))).title)
    if len(candidates) == 1:
        sentence = f"{chosen} is the only family that was trained. Its figures on {of_rows}:"
    else:
        sentence = f"{chosen} is the challenger: it has the best {by} on {of_rows}."
    return {
        "sentence": sentence,
        "titles": [METRICS[name].title for name in ("roc_auc", "pr_auc", "log_loss", "brier")],
        "candidates": [
            {
                "family": FAMILIES.get(candidate["family"], candidate["family"]),
                "chosen": candidate["family"] == run.selection.get("chosen"),
                "problem": candidate.get("problem") or "",
                "metrics": [
                    formats.number((candidate.get("metrics") or {}).get(name), METRICS[name].decimals)
                    for name in ("roc_auc", "pr_auc", "log_loss", "brier")
                ],
            }
            for candidate in candidates
        ],
    }


def _importance(families: Any) -> Row | None:
    """The features that matter most, averaged over the families."""
    measured = {family.name: family.importance for family in families if family.importance}
    if not measured:
        return None
    names = list(next(iter(measured.values())).rise)
    mean = np.mean([[found.rise[name] for name in names] for found in measured.values()], axis=0)
    top = [names[index] for index in np.argsort(-mean, kind="stable")[:_TOP_FEATURES]]
    return {
        "plot": plots.importance(measured, top),
        "shown": len(top),
        "of": len(names),
        "rows": formats.count(next(iter(measured.values())).rows),
    }


def _single(run: RunData) -> Row | None:
    """The features that predict best alone; None if that was not measured."""
    aucs = run.data.get("single_feature_auc")
    if not aucs:
        return None
    top = sorted(aucs.items(), key=lambda item: -item[1])[:_TOP_SINGLE]
    return {
        "limit": formats.number(SUSPICIOUS_AUC, 2),
        "suspicious": [name for name, auc in aucs.items() if auc > SUSPICIOUS_AUC],
        "rows": [
            {"name": name, "auc": formats.number(auc, 3), "outcome": "fail" if auc > SUSPICIOUS_AUC else "pass"}
            for name, auc in top
        ],
    }


def _values(values: Any) -> list[tuple[str, str]]:
    return [
        (plain(str(name)), value if isinstance(value, str) else json.dumps(value)) for name, value in values.items()
    ]
