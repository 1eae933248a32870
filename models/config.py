"""Typed, immutable settings from YAML. Errors name the file, the key and the allowed values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

import pydantic
import yaml


class SettingsError(ValueError):
    """A setting cannot be used. The message names the file, the key and what to do."""


class Settings(pydantic.BaseModel):
    """Base class of all settings: it refuses unknown keys, and its values cannot be changed."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Settings)


def load_settings(path: Path, kind: type[S], overrides: dict[str, Any] | None = None) -> S:
    """Reads one YAML file into a settings class.

    Args:
        path: the YAML file; its top level is a mapping.
        kind: the settings class.
        overrides: values that replace those of the file, by dotted key (`"snapshots.as_of"`).

    Returns:
        The validated, immutable settings.

    Raises:
        SettingsError: the file is missing, is no YAML mapping, or holds an unknown key or a value out of its range.
    """
    return validate_settings(read_yaml(path), kind, origin=str(path), overrides=overrides)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping. Raises SettingsError with file and line if the file is not one."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: expected a mapping of keys to values, found {type(document).__name__}")
    return document


def validate_settings(
    document: dict[str, Any], kind: type[S], *, origin: str, overrides: dict[str, Any] | None = None
) -> S:
    """Validates a mapping as `kind`. Errors name `origin`. Raises SettingsError."""
    for dotted, value in (overrides or {}).items():
        document = _with_value(document, dotted.split("."), value)
    try:
        return kind.model_validate(document)
    except pydantic.ValidationError as error:
        raise SettingsError("\n".join(_describe(origin, kind, item) for item in error.errors())) from error


def _with_value(document: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    below = document.get(head)
    return {**document, head: _with_value(below if isinstance(below, dict) else {}, rest, value) if rest else value}


def _describe(origin: str, kind: type[Settings], item: Any) -> str:
    """One line for one pydantic error: file, dotted key, problem, allowed values."""
    keys: list[str] = []
    options = [kind]  # the settings classes that may stand at the current place
    for part in item["loc"]:
        tagged = [option for option in options if _has_tag(option, part)]
        if len(options) > 1 and tagged:
            options = tagged  # pydantic puts the tag of a discriminated union into the location; it is no key
            continue
        keys.append(str(part))
        if not isinstance(part, int):
            field = options[0].model_fields.get(part) if options else None
            options = _settings_classes(field.annotation) if field else options
    key = ".".join(keys) or "(top level)"
    if item["type"] == "extra_forbidden":
        return f"{origin}: unknown key '{key}'; allowed here: {', '.join(sorted(options[0].model_fields))}"
    if item["type"] == "missing":
        return f"{origin}: key '{key}' is required"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    found = f" (found {item['input']!r})" if isinstance(item["input"], str | int | float) else ""
    return f"{origin}: key '{key}': {message}{found}"


def _has_tag(kind: type[Settings], tag: Any) -> bool:
    """Whether one of the class's fields is a Literal that admits `tag`."""
    return any(tag in get_args(field.annotation) for field in kind.model_fields.values())


def _settings_classes(annotation: Any) -> list[type[Settings]]:
    """The settings classes inside an annotation such as `tuple[Feature, ...]` or `Daily | Intraday`."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _settings_classes(argument)]
