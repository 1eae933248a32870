"""Reads and checks one folder below `schema/`, which holds everything particular to one data set."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.config import SettingsError, load_settings, validate_settings
from models.features import FeatureSet, load_features
from pipeline.settings.dataset import RESERVED_COLUMNS, Dataset, EventSource, RowSettings


@dataclasses.dataclass(frozen=True)
class DatasetFolder:
    """A data set.

    Attributes:
        name: the folder's name.
        dataset: the settings of dataset.yaml; in BigQueryExampleGen's executor, only its RowSettings.
        features: the features of features.yaml.
        query: text of query.sql, in BigQuery's dialect.
        path: the folder; None if the data set comes from a component's configuration.
    """

    name: str
    dataset: Dataset
    features: FeatureSet
    query: str
    path: Path | None = None

    @classmethod
    def load(cls, path: Path, overrides: dict[str, Any] | None = None) -> DatasetFolder:
        """Reads the folder. `overrides` replace values of dataset.yaml by dotted key.

        Raises:
            SettingsError: a file is missing or not valid. The message names file and key.
        """
        if not path.is_dir():
            known = ", ".join(sorted(file.parent.name for file in path.parent.glob("*/dataset.yaml")))
            raise SettingsError(f"no data set '{path.name}' in {path.parent}; the data sets are: {known or 'none'}")
        query = path / "query.sql"
        if not query.is_file():
            raise SettingsError(f"{query}: no such file; write the SELECT that makes the rows there")
        dataset = load_settings(path / "dataset.yaml", Dataset, overrides)
        folder = cls(
            name=path.name,
            dataset=dataset,
            features=_without(load_features(path / "features.yaml"), dataset.features.leave_out, path),
            query=_read_query(query),
            path=path,
        )
        folder._check_names(path / "features.yaml")
        folder._check_windows(path / "features.yaml")
        return folder

    @property
    def declared(self) -> FeatureSet:
        """All features of features.yaml, with those left out; the folder must have a path."""
        return load_features(self.path / "features.yaml") if self.path else self.features

    @property
    def schema_path(self) -> Path | None:
        """The curated schema, or None if there is none yet."""
        schema = self.path / "schema.pbtxt" if self.path else None
        return schema if schema and schema.is_file() else None

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name in ML Metadata. Vertex AI allows no underscore."""
        return f"propensity-{self.name.lower().replace('_', '-')}"

    def up_to(self, as_of: datetime.date | str) -> DatasetFolder:
        """The data set with this `snapshots.as_of`. A table allows only `latest`.

        Raises:
            SettingsError: a date was given for a table.
        """
        if not isinstance(self.dataset.source, EventSource):
            if as_of != "latest":
                raise SettingsError(
                    f"as_of is {as_of}, but data set '{self.name}' is a table; only 'latest' is allowed"
                )
            return self
        snapshots = self.dataset.snapshots.model_copy(update={"as_of": as_of})
        return dataclasses.replace(self, dataset=self.dataset.model_copy(update={"snapshots": snapshots}))

    def to_config(self, sections: type[RowSettings] = Dataset) -> dict[str, Any]:
        """The data set as JSON for a custom_config, with all settings of these sections, defaults as well."""
        return {
            "name": self.name,
            "dataset": self.dataset.model_dump(mode="json", include=set(sections.model_fields)),
            "features": self.features.to_config(),
            "query": self.query,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], sections: type[RowSettings] = Dataset) -> DatasetFolder:
        """The inverse of to_config. Raises SettingsError."""
        return cls(
            name=config["name"],
            dataset=validate_settings(config["dataset"], sections, origin="custom_config"),
            features=FeatureSet.from_config(config["features"]),
            query=config["query"],
        )

    def _check_names(self, file: Path) -> None:
        """Refuses names that an engine could take for one another: it does not tell upper from lower case."""
        columns = self.dataset.columns
        roles = {"label": columns.label, "key": columns.key, "date": columns.date}
        taken = {column.lower(): f"is the {role} of dataset.yaml" for role, column in roles.items() if column}
        for name in self.features.names:
            lower = name.lower()
            if lower in RESERVED_COLUMNS:
                raise SettingsError(f"{file}: feature '{name}': this name is reserved")
            if lower in taken:
                raise SettingsError(
                    f"{file}: feature '{name}' {taken[lower]} (case does not count); rename or remove it"
                )
            taken[lower] = f"has the name of feature '{name}'"

    def _check_windows(self, file: Path) -> None:
        if not isinstance(self.dataset.source, EventSource):
            return
        lookback = self.dataset.windows.lookback_days
        for feature in self.features.features:
            if feature.window and feature.window[1] > lookback:
                raise SettingsError(
                    f"{file}: feature '{feature.name}' looks back {feature.window[1]} days, but windows.lookback_days "
                    f"of dataset.yaml is {lookback}; raise it or shorten the window"
                )


def _read_query(path: Path) -> str:
    """The text of query.sql. Raises SettingsError if it is not UTF-8."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # of UTF-16 without a mark, every other byte
        raise SettingsError(f"{path}: the file is not UTF-8; save it as UTF-8")
    return text


def _without(features: FeatureSet, leave_out: Sequence[str], path: Path) -> FeatureSet:
    """The features without those named. Raises SettingsError for a name that is not declared, or if none is left."""
    for name in leave_out:
        if name not in features.names:
            near = difflib.get_close_matches(name, features.names, n=1)
            raise SettingsError(
                f"{path / 'dataset.yaml'}: features.leave_out names '{name}', which features.yaml does not declare"
                + (f"; did you mean '{near[0]}'?" if near else "")
            )
    kept = tuple(feature for feature in features.features if feature.name not in leave_out)
    if not kept:
        raise SettingsError(f"{path / 'dataset.yaml'}: features.leave_out leaves no feature")
    return features.model_copy(update={"features": kept})
