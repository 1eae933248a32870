"""A proposed data set, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from models.features import Feature, FeatureSet, Kind
from pipeline.profiling.profile import Association, Day, TableProfile
from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.label import Label
from pipeline.proposal.split import SplitChoice


@dataclasses.dataclass(frozen=True)
class Proposal:
    """All that was decided about a table.

    Attributes:
        name: of the data set.
        profile: the facts.
        label: the label.
        choices: what became of each column, in the table's order.
        split: how rows are divided.
        operating_share: for `evaluation.operating_share`.
        conditions: of WHERE in query.sql, each with its reason.
        missing_texts: texts to add to `source.missing_values`, each with its reason.
        key_reason: why this key, or why none.
        date_reason: why this date, or why none.
        attention: sentences about what to look at first, the most important first.
        associations: each column beside the label.
        days: rows and positives by date; empty without a date.
        repeats_names: whether the header of a text file repeats a name or leaves one empty.
        encoding: of a text file, if a person has named it.
    """

    name: str
    profile: TableProfile
    label: Label
    choices: tuple[Choice, ...]
    split: SplitChoice
    operating_share: float
    conditions: Mapping[str, str]
    missing_texts: Mapping[str, str]
    key_reason: str
    date_reason: str
    attention: tuple[str, ...]
    associations: Mapping[str, Association] = dataclasses.field(default_factory=dict)
    days: Sequence[Day] = ()
    repeats_names: bool = False
    encoding: str | None = None

    def the(self, use: Use) -> Choice | None:
        """The column with this role: the label, the key or the date; None if there is none."""
        return next((choice for choice in self.choices if choice.use is use), None)

    @property
    def features(self) -> list[Choice]:
        """The columns that features.yaml declares."""
        return [choice for choice in self.choices if choice.is_feature]

    @property
    def learned(self) -> list[Choice]:
        """The columns that the models see."""
        return [choice for choice in self.choices if choice.is_learned]

    @property
    def private(self) -> set[str]:
        """Columns whose values are never shown or kept: the key, and what may be identifiers or personal."""
        return {
            choice.column.name
            for choice in self.choices
            if choice.use is Use.KEY or (choice.use is Use.UNUSED and choice.column.distinct > 1)
        }

    @property
    def left_out(self) -> list[Choice]:
        """The columns that the models do not see, though they are neither label, key nor date."""
        return [choice for choice in self.choices if choice.use is Use.UNUSED or choice.is_left_out]


def feature_set(choices: Sequence[Choice]) -> FeatureSet:
    """The features as settings. Raises pydantic's ValidationError if there is none."""
    return FeatureSet(features=tuple(feature(choice) for choice in choices))


def feature(choice: Choice) -> Feature:
    """One feature as settings; its defaults are not set."""
    given = {"name": choice.name, "kind": choice.kind}
    if choice.kind is Kind.CATEGORICAL and choice.vocabulary is not None:
        given["vocabulary"] = choice.vocabulary
    if choice.missing is not Feature.model_fields["missing"].default:
        given["missing"] = choice.missing
    if choice.is_slice:
        given["slice"] = True
    if choice.description:
        given["description"] = choice.description
    return Feature(**given)
