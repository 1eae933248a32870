"""This project's artifact types, with names that Vertex AI accepts, and names of files that several modules read."""

from __future__ import annotations

from tfx.types import artifact

VERDICT = "verdict.json"  # of a Verdict
SELECTION = "selection.json"  # of SelectModel's Model
INFRA_CHECK = "check.json"  # of InfraCheck's InfraBlessing
FAR_OFF = "far_off.json"  # of ScoringGate's ExampleAnomalies: sentences about values that are far off
REPORT_PAGE = "report.html"  # of a Report
WRITTEN = "written.json"  # of ScoreWriter's WrittenScores


class Verdict(artifact.Artifact):
    """Why a model was blessed or not: `verdict.json` and `verdict.html`."""

    TYPE_NAME = "propensity.Verdict"


class Report(artifact.Artifact):
    """The page that a run ends with: `report.html`."""

    TYPE_NAME = "propensity.Report"


class Scores(artifact.Artifact):
    """The scores of customers: a Parquet file for each snapshot date, and `scores.json`; see scores/layout.py."""

    TYPE_NAME = "propensity.Scores"


class WrittenScores(artifact.Artifact):
    """What a run wrote into the score table: `written.json`."""

    TYPE_NAME = "propensity.WrittenScores"


# Properties of a PushedModel. The first three are those of TFX's Pusher.
PUSHED = "pushed"  # 1 if the component has pushed a model, else 0
PUSHED_DESTINATION = "pushed_destination"
PUSHED_VERSION = "pushed_version"
PUSHED_CHAMPION = "pushed_champion"  # 1 if that was the champion, not the challenger
