"""Values that may differ between runs of one compiled pipeline: runtime parameters on Vertex AI."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from models.config import Settings
from pipeline.settings.dataset import AsOf


class RunParameters(Settings):
    """Values that may differ between runs of one compiled pipeline.

    On Vertex AI they are runtime parameters. For `make run`, pass them in `ARGS`; `make run ARGS=--help` lists them.
    """

    as_of: AsOf = Field(
        default="latest",
        description="The last day whose events may be used. `latest` is the newest settled day when the run begins. "
        "For a table, only `latest` is allowed.",
    )
    sample_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Percentage of the users (of the rows, without a key) whose rows are read, for trial runs.",
    )
    accept_incompatible_champion: bool = Field(
        default=False,
        description="Whether a run goes on as a first run when the champion cannot be compared with the new model.",
    )
    data_fingerprint: str = Field(
        default="",
        description="Fingerprint of the tables that are read. The runner fills it in, so that changed tables are no "
        "cache hit. Empty when caching is off.",
    )

    def values(self) -> dict[str, str | int]:
        """The values as execution properties: strings and integers."""
        return {
            name: int(value) if isinstance(value, bool) else value
            for name, value in self.model_dump(mode="json").items()
        }

    def properties(self, *, at_run_time: bool) -> dict[str, Any]:
        """What components take: the values, or runtime parameters of the same names, for which TFX is imported."""
        if not at_run_time:
            return dict(self.values())
        from tfx.orchestration.data_types import RuntimeParameter

        # No defaults: TFX loses them when it compiles for Vertex AI, so each request passes every value.
        return {name: RuntimeParameter(name=name, ptype=type(value)) for name, value in self.values().items()}
