"""How customers are scored: the section `scoring` of dataset.yaml."""

from __future__ import annotations

from pydantic import Field

from models.config import Settings
from pipeline.settings.source import Identifier


class ScoringSettings(Settings):
    """How the champion scores customers, and the table that the scores go to."""

    table: Identifier | None = Field(
        default=None, description="The score table's name. Without it: `scores_` and the data set's name."
    )
    expiry_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description="Days after its snapshot date that a day's scores are kept. Without it, they are kept for good.",
    )
    require_partition_filter: bool = Field(
        default=True,
        description="On BigQuery: whether a query of the score table must name snapshot dates, so that none reads all "
        "of it by mistake.",
    )
    replace_other_models: bool = Field(
        default=False,
        description="Whether a run may replace the scores of a day that another model scored. `REPLACE=1` allows it "
        "for one run.",
    )
    reasons: int = Field(
        default=3, ge=0, le=10, description="How many features to name as reasons of each score. 0 leaves reasons out."
    )
    reasons_deciles: int = Field(
        default=10, ge=1, le=10, description="Reasons are given for the scores of deciles 1 to this one."
    )
    holdout_percent: float = Field(
        default=0,
        ge=0,
        le=50,
        description="Percentage of the keys in the arm `holdout`. Do not act on them; then you can measure what acting "
        "on the others achieves. A key is in the same arm every day.",
    )
    holdout_salt: str = Field(
        default="holdout:", description="Text that is hashed with each key for the arm. Change it for other arms."
    )
