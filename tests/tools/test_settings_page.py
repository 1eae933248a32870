"""docs/settings.md is what the settings classes and the documented constants say."""

import re
import typing

import pydantic
import pytest
import yaml

import schema
from models.config import Settings, load_settings, validate_settings
from models.features import FeatureSet
from pipeline.settings.dataset import Dataset
from pipeline.settings.run_parameters import RunParameters
from runners.vertex.iam import Roles
from runners.vertex.settings import VertexSettings
from tools import settings_page

ROOTS = (Dataset, FeatureSet, VertexSettings, RunParameters, Roles)  # VertexSettings has all settings of a local run


def classes_below(kind):
    below = [
        inner for field in kind.model_fields.values() for _, inner in settings_page.settings_below(field.annotation)
    ]
    return {kind}.union(*map(classes_below, below))


def test_the_committed_page_is_the_generated_one():
    assert settings_page.PAGE.read_text() == settings_page.page(), "run: make docs"


@pytest.mark.parametrize("kind", sorted(set.union(*map(classes_below, ROOTS)), key=str), ids=str)
def test_every_setting_is_described(kind):
    assert [name for name, field in kind.model_fields.items() if not field.description] == []
    assert kind.__doc__ and not kind.__doc__.startswith("A base class")


class Inner(Settings):
    """One of many."""

    share: float = pydantic.Field(default=0.5, gt=0, le=1, description="A share.")


class Outer(Settings):
    """All of it."""

    count: int | None = pydantic.Field(default=None, ge=1, description="A number.")
    kind: typing.Literal["a", "b"] = pydantic.Field(description="A choice.")
    path: str | None = pydantic.Field(default=None, json_schema_extra={"form": "folder/file"}, description="A form.")
    names: tuple[str, ...] = pydantic.Field(default=(), min_length=1, description="A list.")
    inner: dict[str, Inner] = pydantic.Field(default_factory=dict, description="By name.")


def test_what_a_page_says_of_a_class():
    text = "\n".join(settings_page._section("## Outer", "", Outer))
    assert "## Outer\n\nAll of it.\n" in text
    assert "| `count` | integer, from 1, or none | none | A number. |" in text
    assert "| `kind` | `a`, `b` | required | A choice. |" in text
    assert "| `path` | folder/file or none | none | A form. |" in text
    assert "| `names` | list of texts, at least 1 | `[]` | A list. |" in text
    assert "| `inner` | mapping | `{}` | By name. |" in text
    assert "### `inner.<name>`\n\nOne of many.\n" in text
    assert "| `inner.<name>.share` | number, above 0, at most 1 | `0.5` | A share. |" in text


def test_constants_are_those_with_a_comment_of_attributes():
    source = "#: Rows of\n#: a batch.\nROWS: int = 2**4\nSHARE = 0.5  #: A share.\n# Not listed.\nOTHER = 1\n"
    assert list(settings_page.documented_constants(source)) == [
        ("ROWS", "2 ** 4", "Rows of a batch."),
        ("SHARE", "0.5", "A share."),
    ]


def test_the_constants_that_decide_are_listed():
    listed = {name.strip("`") for _, name, _, _ in settings_page.constants(settings_page.ROOT)}
    assert {"SUSPICIOUS_AUC", "MAX_UNCHANGED", "MIN_UNITS", "CLIP"} <= listed


# schema/ga4/dataset.yaml

EXAMPLE = schema.ROOT / "ga4" / "dataset.yaml"


def with_defaults(text):
    """The text with the settings that stand behind a `#` (without a blank) in force."""
    return re.sub(r"^#(?! )(?=\w)|^#(?=  +\w)", "", text, flags=re.MULTILINE)


def test_the_example_shows_every_section():
    document = yaml.safe_load(with_defaults(EXAMPLE.read_text()))
    sections = {name for name, field in Dataset.model_fields.items() if settings_page.settings_below(field.annotation)}
    assert sections <= set(document)


@pytest.mark.parametrize("section", ["windows", "snapshots", "evaluation", "data_gate", "infra_check", "gate"])
def test_the_example_shows_every_key_of_a_section(section):
    document = yaml.safe_load(with_defaults(EXAMPLE.read_text()))
    assert set(document[section]) == set(Dataset.model_fields[section].annotation.model_fields)


def test_what_the_example_shows_as_defaults_are_the_defaults():
    text = EXAMPLE.read_text()
    shown = validate_settings(yaml.safe_load(with_defaults(text)), Dataset, origin="dataset.yaml")
    assert with_defaults(text) != text
    assert shown.model_dump() == load_settings(EXAMPLE, Dataset).model_dump()
