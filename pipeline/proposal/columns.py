"""Decides what each column becomes that is neither label, key nor date: a number, a category, or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from models.features import Missing
from pipeline.profiling import forms
from pipeline.profiling.forms import Form
from pipeline.profiling.forms import Kind as FormKind
from pipeline.profiling.profile import MOST_VALUES, Association, ColumnProfile, TableProfile
from pipeline.proposal import dates, identifiers, names, wording
from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.conversion import Readings
from pipeline.proposal.leaks import leak_reason
from pipeline.proposal.names import Names
from pipeline.proposal.words import BIRTH_WORDS, CODE_WORDS, COUNT_WORDS, has_word, words

#: Rows that each value of a category needs, on average for codes and at least for a place in a bounded vocabulary.
ROWS_PER_VALUE = 20
#: Values beyond which whole numbers are not taken for codes.
MOST_CODES = 1000
#: A column with a value in fewer rows is left out.
LEAST_FILLED_ROWS = 20
#: The share of missing values from which on a count without zeros is read as 0 where it is missing.
MANY_MISSING = 0.02
#: The share of the values that must read as a number (or a date) for the others to be errors rather than text.
MOSTLY = 0.8
#: The share of rows in which a date may lie after the row's own before it counts as knowledge of the future.
LATER_SHARE = 0.01
#: Values up to which a category keeps them all.
SMALLEST_BOUND = 100
#: The values that a bounded category keeps at least, and at most.
LEAST_VOCABULARY = 20
LARGEST_VOCABULARY = 1000
#: Whole numbers that are all larger lose their last digits as float32, and are codes if they are few.
LARGEST_EXACT = 2**24
_CYCLES = {"month": 12, "weekday": 7, "monat": 12, "quarter": 4}  # names of categories whose values are known
_VOCABULARIES = (2, 3, 5, 10, 20, 50, 100, 200, 500, LARGEST_VOCABULARY)  # steps that leave room for new values


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What the decision about one column needs to know of the others.

    Attributes:
        profile: the table.
        readings: how text reads.
        base_rate: the share of positives.
        associations: each column beside the label.
        copies: for a column, an earlier one with the same values.
        renamings: for a column, an earlier one whose values correspond to its own, one to one.
        row_date: the SQL of the row's date; empty without one.
        later: for dates, the rows in which they lie after the row's date.
        frequent: for categories of many values, the values with ROWS_PER_VALUE rows.
    """

    profile: TableProfile
    readings: Readings
    base_rate: float
    associations: Mapping[str, Association] = dataclasses.field(default_factory=dict)
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    renamings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    row_date: str = ""
    later: Mapping[str, int] = dataclasses.field(default_factory=dict)
    frequent: Mapping[str, int] = dataclasses.field(default_factory=dict)


def decide(column: ColumnProfile, place: int, given: Names, around: Surroundings) -> Choice:
    """What a column becomes.

    Args:
        column: the column.
        place: its place in the table, from 1.
        given: the names of outputs so far; a feature takes its own.
        around: the table around it.
    """
    unused = _nothing_to_learn(column, around)
    if unused:
        return Choice(column, Use.UNUSED, unused)
    choice = _feature(column, place, given, around)
    if not choice.is_feature:
        return choice
    leak = leak_reason(column, around.associations.get(column.name), around.base_rate, around.profile.rows)
    if leak:
        attention = f"{column.name} is left out: {leak}; {_way_back(choice.name)}"
        return dataclasses.replace(choice, reason=f"leaks: {leak}", is_left_out=True, attention=attention)
    copy, renamed = around.copies.get(column.name), around.renamings.get(column.name)
    if copy:
        return dataclasses.replace(choice, reason=f"a copy of {copy}", is_left_out=True, attention="")
    if renamed and choice.use is Use.CATEGORY:  # of numbers, the order counts too
        why = f"it tells the same as {renamed}, under other values"
        return dataclasses.replace(choice, reason=why, is_left_out=True, attention="")
    return choice


def _way_back(name: str) -> str:
    return f"to use it, delete {name} from features.leave_out in dataset.yaml"


def needs_count_of_values(column: ColumnProfile, around: Surroundings) -> bool:
    """Whether a decision needs the number of frequent values: the profile does not list all of a wide category."""
    if column.distinct <= SMALLEST_BOUND or _nothing_to_learn(column, around) or around.readings.is_date(column):
        return False
    return _is_code(column, around) or (column.type == "STRING" and not around.readings.is_number(column))


def _nothing_to_learn(column: ColumnProfile, around: Surroundings) -> str:
    """Why a column is in no file; empty if it is."""
    rows = around.profile.rows
    if column.type not in wording.READ_TYPES:
        return f"{column.type} is not read; {wording.way_in(column)}"
    if not column.filled:
        return "empty"
    if column.distinct <= 1 and column.filled == rows:
        return "constant: it has the same value in all rows"
    if column.filled < LEAST_FILLED_ROWS and column.filled < rows:
        return f"almost empty: only {column.filled} of {rows:,} rows have a value"
    return identifiers.reason(column, around.profile, around.readings, ROWS_PER_VALUE)


def _feature(column: ColumnProfile, place: int, given: Names, around: Surroundings) -> Choice:
    readings, reading = around.readings, around.readings.of(column)
    if readings.is_date(column):
        return _date(column, place, given, around)
    if readings.is_number(column) and not _is_code(column, around):
        name = given.for_column(column.name, place)
        sql = readings.number_sql(column)
        missing, why = _missing(column, around.profile.rows)
        choice = Choice(
            column, Use.NUMBER, wording.number(column, around.profile.rows) + why, name, sql, missing=missing
        )
        if reading.rival:
            return _guess(choice, readings.number_sql(column, reading.rival), reading.rival, reading.form)
        return choice
    mostly = _mostly(column)
    if mostly and column.distinct > MOST_VALUES:
        return _with_odd_rows(column, mostly, place, given, around)
    return _category(column, place, given, around)


def _date(column: ColumnProfile, place: int, given: Names, around: Surroundings) -> Choice:
    """A date as a number: the age on the row's date, or the day itself."""
    readings, reading = around.readings, around.readings.of(column)
    name = given.for_column(dates.age_name(column.name) if around.row_date else column.name, place)
    sql = _age(readings.date_sql(column), around)
    if around.row_date:
        choice = Choice(column, Use.NUMBER, "an age on the row's date", name, sql, note=f"days since {column.name}")
        share = around.later.get(column.name, 0) / max(1, column.filled)
        if share > LATER_SHARE:
            later = f"in {share:.1%} of the rows it lies after the row's date, on which it may not have been known"
            why = f"leaks: {later}"
            attention = f"{column.name} is left out: {later}; {_way_back(name)}"
            choice = dataclasses.replace(choice, reason=why, attention=attention, is_left_out=True)
    elif has_word(column.name, BIRTH_WORDS):
        choice = Choice(column, Use.NUMBER, "a birthday, as days since 1970", name, sql)
    else:
        why = "a date that no row's date makes an age of; as days since 1970 it only grows"
        choice = Choice(column, Use.NUMBER, why, name, sql, is_left_out=True)
    if reading.rival:
        return _guess(choice, _age(readings.date_sql(column, reading.rival), around), reading.rival, reading.form)
    return choice


def _age(sql: str, around: Surroundings) -> str:
    return f"DATE_DIFF({around.row_date}, {sql}, DAY)" if around.row_date else f"UNIX_DATE({sql})"


def _guess(choice: Choice, other_sql: str, other: Form, form: Form | None) -> Choice:
    """A feature whose text reads in two ways: left out until a person has chosen."""
    shown = form.value if form else ""
    attention = (
        f"{choice.column.name} is left out: all its values read as {shown} and as {other.value}. Keep the right line "
        f"in query.sql, and delete {choice.name} from features.leave_out of dataset.yaml"
    )
    reason = f"a guess: all values read as {shown} and as {other.value}"
    return dataclasses.replace(choice, reason=reason, is_left_out=True, other_sql=other_sql, attention=attention)


def _mostly(column: ColumnProfile) -> Form | None:
    """The form that most values of a text column have, but not all."""
    if column.type != "STRING" or column.form is not None or not column.forms:
        return None
    kinds = (FormKind.NUMBER, FormKind.DATE, FormKind.TIMESTAMP)
    possible = [form for form in column.forms if forms.kind_of(form) in kinds]
    form = max(possible, key=lambda form: column.forms[form], default=None)
    if form is None:
        return None
    return form if MOSTLY * column.filled <= column.forms[form] < column.filled else None


def _with_odd_rows(column: ColumnProfile, form: Form, place: int, given: Names, around: Surroundings) -> Choice:
    odd = column.filled - column.forms[form]
    where = f" (the first is row {column.odd_row:,})" if column.odd_row else ""
    what = f"{odd:,} of its {column.filled:,} values{where} do not read as {form.value} like the others"
    if form not in (Form.INTEGER, Form.NUMBER):
        kind = "number" if forms.kind_of(form) is FormKind.NUMBER else "date"
        attention = f"{column.name} is left out: {what}. Mend them, or write a {kind} of it in query.sql"
        return Choice(column, Use.UNUSED, what, attention=attention)
    name = given.for_column(column.name, place)
    attention = (
        f"{column.name} is left out: {what}. If they are missing values, delete {name} from features.leave_out of "
        "dataset.yaml"
    )
    sql = f"SAFE_CAST({names.column(column.name)} AS FLOAT64)"
    return Choice(
        column, Use.NUMBER, f"{what}; here they are missing", name, sql, is_left_out=True, attention=attention
    )


def _category(column: ColumnProfile, place: int, given: Names, around: Surroundings) -> Choice:
    if column.distinct <= SMALLEST_BOUND:
        vocabulary = next(step for step in _VOCABULARIES if step >= max(2, column.distinct))
        cycle = next((size for word, size in _CYCLES.items() if word in words(column.name)), 0)
        vocabulary = cycle if column.distinct <= cycle else vocabulary
        many = wording.values(column.distinct)
    else:
        frequent = around.frequent.get(column.name, column.distinct)
        if frequent < 2:
            what = f"hardly any of its {column.distinct:,} values is in {ROWS_PER_VALUE} rows"
            return Choice(column, Use.UNUSED, what)
        vocabulary = min(LARGEST_VOCABULARY, max(LEAST_VOCABULARY, frequent))
        if vocabulary >= column.distinct:
            vocabulary = next(step for step in _VOCABULARIES if step >= vocabulary)
            many = wording.values(column.distinct)
        else:
            why = f", since {frequent:,} are in {ROWS_PER_VALUE} rows or more"
            many = f"{column.distinct:,} values; the {vocabulary:,} most frequent are kept{why}"
    name = given.for_column(column.name, place)
    what = f"{many}: numbers that stand for things" if around.readings.is_number(column) else many
    reason = what + wording.missing(column, around.profile.rows)
    return Choice(column, Use.CATEGORY, reason, name, around.readings.text_sql(column), vocabulary=vocabulary)


def _is_code(column: ColumnProfile, around: Surroundings) -> bool:
    """Whether numbers stand for things: whole, few, and named like a code, such as `region` or `store_id`."""
    found = column.numbers
    if not around.readings.is_number(column) or found is None or found.negative or found.whole < column.filled:
        return False
    if column.distinct > MOST_CODES or column.filled < ROWS_PER_VALUE * column.distinct or column.distinct < 3:
        return False
    if found.quantiles[0] > LARGEST_EXACT:
        return True
    own = words(column.name)
    if own and own[0] in COUNT_WORDS and len(own) > 1:
        return False
    last = own[-1:] if own else []
    return bool(last) and (last[0] in CODE_WORDS or _ends_with_code(last[0]) or identifiers.is_id_name(column.name))


def _ends_with_code(word: str) -> bool:
    """For scripts that write words together."""
    return not word.isascii() and any(
        word.endswith(code) for code in CODE_WORDS if len(code) > 1 and not code.isascii()
    )


def _missing(column: ColumnProfile, rows: int) -> tuple[Missing, str]:
    """What a missing number means, and why. It is never refused: a new missing value must not stop a run."""
    missing, found = rows - column.filled, column.numbers
    if not missing:
        return Missing.INDICATOR, ""
    share = wording.missing(column, rows)
    whole = found is not None and found.whole == column.filled and not found.negative and not found.zero
    if whole and missing >= MANY_MISSING * rows and has_word(column.name, COUNT_WORDS):
        return Missing.ZERO, f"{share} and never 0, so missing means none"
    return Missing.INDICATOR, share
