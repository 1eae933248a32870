"""The anchor: the gate compares a challenger with it as well as with the champion, so small losses cannot add up.

The first pushed model is the anchor until a later model is blessed as clearly better (`anchor_replaced` of its
blessing). Each challenger's Model artifact carries a copy, so whatever finds the champion finds the anchor too.
challenger.py describes the layout.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from tfx import types
from tfx.utils import io_utils

from pipeline.champion import challenger, training_record
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.model import ScoringError
from pipeline.fast.scoring.score import score_split

_log = logging.getLogger("propensity")
#: Rows of eval on which SelectModel checks that the champion can be scored.
_TRIED_ROWS = 1000


class AnchorError(RuntimeError):
    """The champion cannot be scored, so no challenger can be compared with it."""


def carry(
    model_uri: str,
    champion: types.Artifact,
    blessing: types.Artifact | None,
    examples: types.Artifact,
    *,
    label: str,
    accept_none: bool,
) -> None:
    """Copies the current anchor from the champion's artifact into the challenger's.

    An anchor that cannot be scored on examples of eval is replaced by the champion, with a warning.

    Args:
        model_uri: the challenger's artifact.
        champion: the champion's Model artifact.
        blessing: its ModelBlessing.
        examples: raw Examples.
        label: their label.
        accept_none: go on without an anchor, with a warning, if the champion cannot be scored either.

    Raises:
        AnchorError: the champion cannot be scored, and `accept_none` is false.
    """
    replaced = blessing is not None and blessing.get_int_custom_property(challenger.ANCHOR_REPLACED) == 1
    if challenger.has_anchor(champion.uri) and not replaced:
        carried = challenger.anchor_uri(champion.uri)
        problem = _problem("anchor", path_utils.serving_model_path(carried), examples, label)
        if problem is None:
            io_utils.copy_dir(carried, challenger.anchor_uri(model_uri))
            return
        _log.warning("%s; the champion is the anchor from now on", problem)
    serving = path_utils.serving_model_path(champion.uri)
    problem = _problem("champion", serving, examples, label)
    if problem is None:
        io_utils.copy_dir(serving, path_utils.serving_model_dir(challenger.anchor_uri(model_uri)))
        challenger.write_anchor(model_uri, {"uri": challenger.source_of(champion), **_training_of(champion)})
    elif accept_none:
        _log.warning("%s; no anchor is kept", problem)
    else:
        raise AnchorError(
            f"the champion (model {champion.id}) cannot be scored: {problem}. To go on as on a first run, pass "
            "--accept-incompatible-champion."
        )


def _training_of(champion: types.Artifact) -> dict[str, Any]:
    """The last day of its training rows and the time of its training; None if the model does not say."""
    try:
        summary = training_record.read_summary(champion.uri)
    except FileNotFoundError as error:
        _log.warning("%s", error)
        summary = {}
    return {key: summary.get(key) for key in ("trained_through", "trained_at")}


def _problem(name: str, folder: str, examples: types.Artifact, label: str) -> str | None:
    """Why a SavedModel cannot be scored on the first rows of eval; None if it can."""
    try:
        scored = score_split(examples, "eval", {name: folder}, label=label, rows=_TRIED_ROWS).predictions[name]
    except ScoringError as error:
        return str(error)
    return None if np.all((scored >= 0) & (scored <= 1)) else f"model '{name}' gives values outside 0 to 1"
