"""The project's artifact types by the names that metadata stores know: Vertex AI's steps import `propensity.Verdict`."""

from pipeline.artifacts import Report, Verdict

__all__ = ["Report", "Verdict"]
