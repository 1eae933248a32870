"""The node that finds the champion, the same for training and scoring."""

from __future__ import annotations

from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.types import Channel, standard_artifacts


def champion_node() -> Resolver:
    """The resolver `Champion`: its outputs `model` and `model_blessing` are empty if there is no champion."""
    return Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=standard_artifacts.Model),
        model_blessing=Channel(type=standard_artifacts.ModelBlessing),
    ).with_id("Champion")
