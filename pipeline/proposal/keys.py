"""Chooses the key: a column with another value in each row, or in each row of a date."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from models.config import SettingsError
from pipeline.profiling.forms import Form
from pipeline.profiling.personal import TABLE_CONTACT_WORDS
from pipeline.profiling.profile import ColumnProfile, TableProfile
from pipeline.proposal import names
from pipeline.proposal.facts import Shared
from pipeline.proposal.wishes import Wishes, named_column
from pipeline.proposal.words import ID_WORDS, OWNER_WORDS, ROW_NUMBER_WORDS, has_word, words

#: The share of distinct values from which on a column is counted exactly, to see whether it is unique.
NEARLY_UNIQUE = 0.9
#: A key that is missing in a larger share of the rows is not proposed.
MOST_MISSING_KEYS = 0.05
_LONGEST = 100  # characters of an identifier
_TYPES = ("INT64", "STRING")
_NO_KEY_FORMS = (Form.NUMBER, Form.BOOLEAN, Form.DECIMAL_COMMA, Form.PERCENT, Form.CURRENCY)

Count = Callable[..., Shared]


@dataclasses.dataclass(frozen=True)
class Key:
    """The key.

    Attributes:
        column: the column; None if there is none.
        date: the date that makes it unique; None if it is unique by itself.
        reason: why.
        attention: what a person should know; may be empty.
    """

    column: ColumnProfile | None
    date: ColumnProfile | None
    reason: str
    attention: str = ""


def key_sql(column: ColumnProfile, is_text_file: bool) -> str:
    """The key as STRING."""
    reference = names.column(column.name)
    is_text = column.type == "STRING" and not (is_text_file and column.form is Form.INTEGER)
    return reference if is_text else f"CAST({reference} AS STRING)"


def is_named_id(name: str) -> bool:
    """Whether a name is that of an identifier: `id`, `session_id`, `CustomerID`, `user`."""
    own = words(name)
    if not own:
        return False
    return own[-1] in ID_WORDS or own[0] == "id" or own[-1] in OWNER_WORDS or _is_stuck(name)


def is_owner(name: str) -> bool:
    """Whether an identifier says whose row it is: a user, an account. `id` alone does."""
    return (
        has_word(name, OWNER_WORDS)
        or words(name) in (["id"], ["key"], ["uid"])
        or words(name)[:1] == ["cust"]
        or _is_stuck(name)
    )


def choose_key(profile: TableProfile, wishes: Wishes, dates: Sequence[tuple[ColumnProfile, str]], count: Count) -> Key:
    """The key.

    Args:
        profile: the table.
        wishes: what a person wants.
        dates: columns that could make it unique, each with its SQL, the likeliest first.
        count: the rows that share the values of some SQL expressions.

    Raises:
        SettingsError: the key that a person named is not unique. The message shows no value of it.
    """
    if wishes.key is not None:
        return _wished(profile, named_column(profile, wishes.key, "KEY"), dates, count)
    possible = [column for column in profile.columns if _may_be_key(column, profile.rows)]
    nearly = [column for column in possible if column.distinct >= NEARLY_UNIQUE * column.filled]
    unique = []
    for column in sorted(nearly, key=lambda column: not is_owner(column.name)):  # counting takes long: owners first
        if count(key_sql(column, profile.is_text)).rows:
            continue
        if is_owner(column.name):
            return Key(column, None, _unique_reason(profile, column))
        unique.append(column)
    repeated = [column for column in possible if column not in unique and is_owner(column.name) and _is_id(column)]
    for column in repeated:
        for date, sql in dates:
            if not count(key_sql(column, profile.is_text), sql).rows:
                return Key(column, date, f"it has one row for each {date.name}")
    attention = ""
    if repeated:
        shared = count(key_sql(repeated[0], profile.is_text))
        attention = (
            f"{repeated[0].name} occurs in several rows ({shared.rows:,} of {profile.rows:,} rows share theirs) and no "
            "date makes it unique, so it is not the key: its rows can be in train and in test. One row per "
            f"{repeated[0].name} would be better; write a GROUP BY in query.sql"
        )
    if unique:
        return Key(unique[0], None, _unique_reason(profile, unique[0]), attention)
    return Key(None, None, "no identifier is unique; rows are told apart by their whole content", attention)


def _wished(
    profile: TableProfile, column: ColumnProfile, dates: Sequence[tuple[ColumnProfile, str]], count: Count
) -> Key:
    sql = key_sql(column, profile.is_text)
    shared = count(sql)
    reason = "you named it with KEY="
    if not shared.rows:
        return Key(column, None, f"{reason}; each row has its own value")
    for date, date_sql in dates:
        if not count(sql, date_sql).rows:
            return Key(column, date, f"{reason}; it has one row for each {date.name}")
    tried = " nor with ".join(date.name for date, _ in dates)
    why = f"; they are not unique with {tried} either" if dates else ", and the table has no date"
    raise SettingsError(
        f"KEY={column.name}: {shared.rows:,} of {profile.rows:,} rows share their key with another row "
        f"({shared.keys:,} keys){why}. Make one row per key in the table, name the date with DATE=, or leave KEY out"
    )


def _may_be_key(column: ColumnProfile, rows: int) -> bool:
    if column.type not in _TYPES or not column.filled or column.distinct < 2:
        return False
    if column.form in _NO_KEY_FORMS or column.dates is not None:
        return False
    if rows - column.filled > MOST_MISSING_KEYS * rows or (column.lengths and column.lengths.longest > _LONGEST):
        return False
    if set(words(column.name)) & ROW_NUMBER_WORDS and not has_word(column.name, (*OWNER_WORDS, "id")):
        return False
    if set(words(column.name)) & TABLE_CONTACT_WORDS:
        return False
    return is_named_id(column.name) or (_is_text_id(column) and column.distinct >= NEARLY_UNIQUE * column.filled)


def _is_id(column: ColumnProfile) -> bool:
    """Whether a repeated column is an identifier: too many values for a category."""
    return is_named_id(column.name) and column.distinct > 100


def _is_text_id(column: ColumnProfile) -> bool:
    """Whether values read as identifiers: UUIDs, or text that is equally long in all rows."""
    if column.form in (Form.UUID, Form.WIDE_INTEGER):
        return True
    lengths = column.lengths
    is_even = lengths is not None and lengths.shortest == lengths.longest
    return column.type == "STRING" and column.form in (None, Form.LEADING_ZEROS) and is_even


def _unique_reason(profile: TableProfile, column: ColumnProfile) -> str:
    missing = profile.rows - column.filled
    return f"each row has its own value{f'; {missing:,} rows without one are left out' if missing else ''}"


def _is_stuck(name: str) -> bool:
    """`customerid`, `userid`: the words are not set apart."""
    own = words(name)[-1:] or [""]
    ends = (*ID_WORDS, "nummer", "nr", "no", "number")
    return any(own[0].startswith(owner) and own[0].removeprefix(owner) in ends for owner in OWNER_WORDS)
