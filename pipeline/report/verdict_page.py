"""Renders verdict.html, a small page that explains a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report.templates import render
from pipeline.report.verdict_view import verdict_view


def render_verdict(document: Mapping[str, Any]) -> str:
    """The page of a verdict.

    Args:
        document: `verdict.json`.

    Returns:
        One self-contained HTML page. All text from the document is escaped.
    """
    return render("verdict.html.j2", view=verdict_view(document))
