"""What may differ from run to run of one compiled pipeline: its runtime parameters on Vertex AI."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from models.config import Settings
from pipeline.settings.dataset import AsOf


class RunParameters(Settings):
    """Values of one run.

    Attributes:
        as_of: the last day whose events may be used; `latest` is the newest settled day when the run begins. A table
            of one's own has no such day.
        sample_percent: share of the users (of the rows, where there is no key) whose rows are read; for trial runs.
        accept_incompatible_champion: whether to go on as on a first run where the champion cannot be compared.
        data_fingerprint: of the tables that will be read, so that a change of theirs is no cache hit; empty where
            caching is off.
    """

    as_of: AsOf = "latest"
    sample_percent: Annotated[int, Field(ge=1, le=100)] = 100
    accept_incompatible_champion: bool = False
    data_fingerprint: str = ""

    def values(self) -> dict[str, str | int]:
        """As execution properties have them: texts and integers."""
        return {
            name: int(value) if isinstance(value, bool) else value
            for name, value in self.model_dump(mode="json").items()
        }

    def properties(self, *, at_run_time: bool) -> dict[str, Any]:
        """What components take: the values, or runtime parameters of the same names; these import TFX."""
        if not at_run_time:
            return dict(self.values())
        from tfx.orchestration.data_types import RuntimeParameter

        # Without defaults: compiled for Vertex AI they are lost, so that each request passes every value.
        return {name: RuntimeParameter(name=name, ptype=type(value)) for name, value in self.values().items()}
