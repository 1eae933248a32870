"""Replaces Vertex AI's placeholders, `{{$...}}`, in commands, arguments, constants and filters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_PARAMETER = re.compile(r"\.inputs\.parameters\['([^']+)'\]")
_OUTPUT_PARAMETER = re.compile(r"\.outputs\.parameters\['([^']+)'\]\.output_file")
_ARTIFACT = re.compile(r"\.(inputs|outputs)\.artifacts\['([^']+)'\]\.(?:(uri|name)|metadata\['([^']+)'\])")


class PlaceholderError(Exception):
    """A placeholder is unknown or has no value."""


def expand(text: str, executor_input: Mapping[str, Any], run: Mapping[str, str]) -> str:
    """Replaces placeholders by their values.

    Args:
        text: text with or without placeholders.
        executor_input: the value of `{{$}}`.
        run: values of placeholders such as `{{$.pipeline_job_name}}`, by name.

    Raises:
        PlaceholderError: a placeholder is unknown, or its value does not exist.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return as_text(_value(match[1], executor_input, run))
        except LookupError:
            raise PlaceholderError(f"placeholder {match[0]}: it is not supported, or there is no such value") from None

    return _PLACEHOLDER.sub(value, text)


def as_text(value: Any) -> str:
    """A value for a command line: strings as they are, other values as JSON with whole numbers as integers."""
    return value if isinstance(value, str) else json.dumps(_whole(value))


def _value(path: str, executor_input: Mapping[str, Any], run: Mapping[str, str]) -> Any:
    if path == "":
        return executor_input
    if path[1:] in run:
        return run[path[1:]]
    if match := _PARAMETER.fullmatch(path):
        return executor_input["inputs"]["parameterValues"][match[1]]
    if match := _OUTPUT_PARAMETER.fullmatch(path):
        return executor_input["outputs"]["parameters"][match[1]]["outputFile"]
    if match := _ARTIFACT.fullmatch(path):
        artifact = executor_input[match[1]]["artifacts"][match[2]]["artifacts"][0]
        return artifact[match[3]] if match[3] else artifact["metadata"][match[4]]
    raise KeyError(path)


def _whole(value: Any) -> Any:
    """Whole floats as integers: JSON of protocol buffers has only floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
