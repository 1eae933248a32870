"""query.sql and features.yaml of an export: those of the data set ga4, with a place for features of one line each."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence

from models.features import FeatureSet
from pipeline.profiling.export_profile import EventProfile, ExportProfile, ParameterProfile
from pipeline.profiling.personal import is_personal_name, snake_case
from pipeline.proposal.names import Names
from pipeline.warehouse.dialect import text_literal

#: A parameter is worth a feature if at least this share of the events has a value in it.
MIN_FILLED = 0.005
#: A category with more distinct values than this is free text or an address, not worth a feature.
MAX_VALUES = 1000
#: An event is worth a feature if at least this share of the users has it.
MIN_USERS = 0.005
#: Features of events that are proposed, those of the most users first.
MOST_EVENTS = 12
_VOCABULARIES = (10, 50, 200, 1000)
_LAST_SELECT = "\nSELECT\n"  # the main SELECT of schema/ga4/query.sql is its last one and begins a line
_AUTOMATIC = ("session_start", "first_visit", "first_open", "user_engagement")  # what sessions and tenure already say


@dataclasses.dataclass(frozen=True)
class FeatureLine:
    """A feature that a person could add.

    Attributes:
        name: its name.
        sql: its line in query.sql, with a comma at the end.
        declaration: its line in features.yaml.
    """

    name: str
    sql: str
    declaration: str


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A parameter or an event beside the feature that it would make.

    Attributes:
        parameter: the parameter; None for an event.
        event: the event; None for a parameter.
        line: the feature; None if it is not worth one.
        reason: why it is not.
    """

    parameter: ParameterProfile | None
    event: EventProfile | None
    line: FeatureLine | None
    reason: str = ""


def candidates(profile: ExportProfile, query: str, features: FeatureSet) -> tuple[Candidate, ...]:
    """What each parameter and each event that ga4 does not read would make, parameters first.

    Args:
        profile: the facts.
        query: the text of ga4's query.sql.
        features: ga4's features, whose names are taken.
    """
    given = Names()
    for name in features.names:
        given.take(name)
    query = re.sub(r"^\s*--.*$", "", query, flags=re.MULTILINE)  # lines that nobody has taken yet stand in comments
    used = set(re.findall(r"ep\.key = '([^']+)'", query))
    found = [_of_parameter(parameter, profile, used, given) for parameter in profile.parameters]
    read = set(re.findall(r"event_name = '([^']+)'", query)) | set(_AUTOMATIC)
    others = [event for event in profile.events if event.name and event.name not in read]
    for event in others[:MOST_EVENTS]:
        if event.users < MIN_USERS * profile.users or is_personal_name(event.name):
            found.append(Candidate(None, event, None, f"fewer than {MIN_USERS:.1%} of the users have it"))
            continue
        name = _name("events", event.name, given)
        sql = f"COUNT(IF(e.event_name = {text_literal(event.name)}, 1, NULL)) AS {name},"
        found.append(
            Candidate(
                None, event, FeatureLine(name, sql, _declaration(name, f"{event.name} in the lookback", missing="zero"))
            )
        )
    return tuple(found)


def query_text(name: str, query: str, lines: Iterable[FeatureLine]) -> str:
    """ga4's query with a place for features of one line each; the given ones stand there as comments.

    Args:
        name: of the data set.
        query: the text of ga4's query.sql.
        lines: features that a person could add.
    """
    head, _, main = query.rstrip().rpartition(_LAST_SELECT)
    main = "\n".join(f"  {line}".rstrip() for line in f"SELECT\n{main}".splitlines())
    proposed = "".join(f"    -- {line.sql}\n" for line in lines)
    return f"""\
-- Written by make init: a copy of schema/ga4/query.sql, with the part `own` for features of your own.
{head.rstrip()},

base AS (
{main}
),

-- Features of your own, from the user's events in the lookback: one line each, with a comma at its end, here and one in
-- features.yaml. Then type: make schema DATASET={name}
own AS (
  SELECT
{proposed}    e.user_pseudo_id AS own_user,
    snapshot_date AS own_date
  FROM `events_*` AS e
  CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
  WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix
    AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)
    AND e.user_pseudo_id IS NOT NULL
    AND UNIX_DATE(snapshot_date) - UNIX_DATE(PARSE_DATE('%Y%m%d', e.event_date)) BETWEEN 1 AND @lookback_days
  GROUP BY own_user, own_date
)

SELECT b.user_pseudo_id, * EXCEPT (user_pseudo_id, own_user, own_date)
FROM base AS b
LEFT JOIN own AS o ON o.own_user = b.user_pseudo_id AND o.own_date = b.snapshot_date
"""


def features_text(name: str, features: str, lines: Sequence[FeatureLine]) -> str:
    """ga4's features.yaml; features that a person could add stand at its end as comments.

    Args:
        name: of the data set.
        features: the text of ga4's features.yaml.
        lines: features that a person could add.
    """
    text = f"# Written by make init: a copy of schema/ga4/features.yaml.\n{features.rstrip()}\n"
    if lines:
        text += f"  # Features of your own: each needs its line in query.sql too, and then make schema DATASET={name}\n"
        text += "".join(f"  # {line.declaration}\n" for line in lines)
    return text


def _of_parameter(parameter: ParameterProfile, profile: ExportProfile, used: set[str], given: Names) -> Candidate:
    reason = _unfit(parameter, profile, used)
    if reason:
        return Candidate(parameter, None, None, reason)
    whose = "user property" if parameter.column == "user_properties" else "parameter"
    look_up = f"(SELECT {{}} FROM UNNEST(e.{parameter.column}) AS ep WHERE ep.key = {text_literal(parameter.key)})"
    if is_number(parameter):
        name = _name("max", parameter.key, given)
        value = look_up.format(_coalesced(parameter, "CAST({} AS FLOAT64)", "SAFE_CAST({} AS FLOAT64)"))
        sql = f"MAX({value}) AS {name},"
        return Candidate(
            parameter,
            None,
            FeatureLine(name, sql, _declaration(name, f"Greatest value of the {whose} {parameter.key}")),
        )
    name = _name("last", parameter.key, given)
    value = look_up.format(_coalesced(parameter, "CAST({} AS STRING)", "NULLIF({}, '')"))
    sql = f"SUBSTR(MAX(CONCAT(CAST(e.event_timestamp AS STRING), {value})), 17) AS {name},"
    bound = next(bound for bound in _VOCABULARIES if bound >= parameter.distinct or bound == _VOCABULARIES[-1])
    described = _declaration(name, f"Last value of the {whose} {parameter.key}", vocabulary=bound)
    return Candidate(parameter, None, FeatureLine(name, sql, described))


def is_number(parameter: ParameterProfile) -> bool:
    """Whether a parameter's values are numbers: in a number's field, or as text that reads as one."""
    return parameter.filled["string_value"] == parameter.numeric_text


def _unfit(parameter: ParameterProfile, profile: ExportProfile, used: set[str]) -> str:
    """Why a parameter is not worth a feature; empty if it is."""
    if parameter.column == "event_params" and parameter.key in used:
        return "a feature of ga4 reads it"
    if parameter.distinct == 0:
        return "has no value"
    if parameter.distinct == 1:
        return "has one value only"
    if parameter.is_personal:
        return "looks like an identifier or personal data"
    if parameter.with_value < MIN_FILLED * profile.parameter_events:
        return f"filled in fewer than {MIN_FILLED:.1%} of the events"
    if parameter.distinct > MAX_VALUES and not is_number(parameter):
        return f"has {parameter.distinct:,} values: free text, or an address"
    return ""


def _coalesced(parameter: ParameterProfile, other: str, text: str) -> str:
    """SQL for a parameter's value, from the fields in which this export has values; texts as they are."""
    parts = [
        (text if field == "string_value" else other).format(f"ep.value.{field}")
        for field, filled in parameter.filled.items()
        if filled
    ]
    return parts[0] if len(parts) == 1 else f"COALESCE({', '.join(parts)})"


def _name(prefix: str, key: str, given: Names) -> str:
    """A feature's name that is not given yet; it is given then."""
    plain = re.sub(r"[^a-z0-9]+", "_", snake_case(key)).strip("_")
    return given.unique(f"{prefix}_{plain}"[:100] if plain else f"{prefix}_parameter")


def _declaration(name: str, description: str, vocabulary: int | None = None, missing: str = "indicator") -> str:
    kind = f"numeric, missing: {missing}" if vocabulary is None else f"categorical, vocabulary: {vocabulary}"
    return f"- {{name: {name}, kind: {kind}, description: {json.dumps(description, ensure_ascii=False)}}}"
