"""The Jinja2 environment of the pages. It escapes everything except markup."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline.report import formats

_FOLDER = Path(__file__).parent


def render(template: str, **variables: Any) -> str:
    """Renders a template of this folder. A missing variable is an error."""
    return _environment().get_template(template).render(style=_style(), **variables)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = formats.prose
    return environment


@functools.cache
def _style() -> Markup:
    return Markup((_FOLDER / "style.css").read_text(encoding="utf-8"))
