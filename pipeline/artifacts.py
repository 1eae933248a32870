"""Artifact types of our own, named as Vertex AI asks for it; all others are TFX's standard ones."""

from __future__ import annotations

from tfx.types import artifact


class Verdict(artifact.Artifact):
    """Why a model was or was not blessed: `verdict.json` and `verdict.html`."""

    TYPE_NAME = "propensity.Verdict"


class Report(artifact.Artifact):
    """The page that a run ends with: `report.html`."""

    TYPE_NAME = "propensity.Report"
