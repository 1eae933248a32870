"""What became of a column, as plain data."""

from __future__ import annotations

import dataclasses
import enum

from models.features import Kind, Missing
from pipeline.profiling.profile import ColumnProfile


class Use(str, enum.Enum):
    """What a column is for."""

    LABEL = "label"
    KEY = "key"
    DATE = "date"
    NUMBER = "number"
    CATEGORY = "category"
    UNUSED = "left out"  # in no file but as a comment: nothing can be learned from it


@dataclasses.dataclass(frozen=True)
class Choice:
    """What became of one column.

    Attributes:
        column: the column.
        use: what it is for.
        reason: why, in a few words.
        name: the output of query.sql; empty for a column that is not used.
        sql: its expression.
        is_left_out: for a feature, whether dataset.yaml lists it in `features.leave_out`.
        missing: for a feature, what a missing value means.
        vocabulary: for a category, how many values are kept.
        is_slice: for a category, whether the gate and the report show each value.
        attention: what a person should look at, in a sentence; may be empty.
        note: for a feature, what reports say of it; by default the name of the column, if that is another one.
        other_sql: another expression, if the one that was written is a guess.
    """

    column: ColumnProfile
    use: Use
    reason: str
    name: str = ""
    sql: str = ""
    is_left_out: bool = False
    missing: Missing = Missing.INDICATOR
    vocabulary: int | None = None
    is_slice: bool = False
    attention: str = ""
    note: str = ""
    other_sql: str = ""

    @property
    def is_feature(self) -> bool:
        """Whether features.yaml declares it."""
        return self.use in (Use.NUMBER, Use.CATEGORY)

    @property
    def is_learned(self) -> bool:
        """Whether the models see it."""
        return self.is_feature and not self.is_left_out

    @property
    def description(self) -> str:
        """What reports say of the feature, if its name does not."""
        return self.note or ("" if self.name == self.column.name else " ".join(self.column.name.split()))

    @property
    def kind(self) -> Kind:
        """The kind of a feature."""
        return Kind.NUMERIC if self.use is Use.NUMBER else Kind.CATEGORICAL
