"""The project's artifact types under the names that metadata stores have; Vertex AI's steps import them by these."""

from pipeline.artifacts import Report, Scores, Verdict, WrittenScores

__all__ = ["Report", "Scores", "Verdict", "WrittenScores"]
