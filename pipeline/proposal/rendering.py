"""The text of dataset.yaml, features.yaml and query.sql. Each choice has its reason beside it, on one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from pipeline.proposal import names
from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.proposal import Proposal, feature
from pipeline.settings.source import MISSING_VALUES

_LONGEST_REASON = 200  # characters of a comment


def dataset_yaml(proposal: Proposal) -> str:
    """The text of dataset.yaml."""
    profile, label, split = proposal.profile, proposal.label, proposal.split
    lines = [
        f"# {_made_from(proposal)} Each comment says why; change what you know better.",
        "# docs/settings.md explains every key. What is not set here has its default.",
        "source:",
        "  kind: table",
        _line("table", profile.table, "the name by which query.sql reads the table"),
    ]
    if proposal.encoding:
        lines.append(_line("encoding", proposal.encoding, "you named it with ENCODING="))
    if proposal.repeats_names:
        lines.append(_line("repeated_names", "number", "the header repeats a name, or leaves one empty"))
    if proposal.missing_texts:
        listed = [*MISSING_VALUES, *proposal.missing_texts]
        why = "; ".join(f"{text} is missing in {rows}" for text, rows in proposal.missing_texts.items())
        lines.append(_line("missing_values", listed, why))
    lines.append("columns:")
    key, date, target = proposal.the(Use.KEY), proposal.the(Use.DATE), proposal.the(Use.LABEL)
    lines.append(_line("key", key.name, proposal.key_reason) if key else f"  # no key: {_comment(proposal.key_reason)}")
    lines.append(
        _line("date", date.name, proposal.date_reason) if date else f"  # no date: {_comment(proposal.date_reason)}"
    )
    if target is not None:
        lines.append(_line("label", target.name, f"{label.counted()}; {label.why_positive}"))
    lines.append("split:")
    lines.append(_line("eval_percent", split.eval_percent, split.eval_reason))
    if split.test_from is not None:
        lines.append(_line("test_from", split.test_from, split.test_reason))
    else:
        lines.append(_line("test_percent", split.test_percent, split.test_reason))
    left_out = [choice for choice in proposal.features if choice.is_left_out]
    if left_out:
        lines += ["features:", "  leave_out:  # delete a line to bring a feature back"]
        lines += [f"    - {_scalar(choice.name)}  # {_comment(choice.reason)}" for choice in left_out]
    lines.append("evaluation:")
    why = f"about as many rows as positives: the base rate is {label.base_rate:.1%}"
    lines.append(_line("operating_share", proposal.operating_share, why))
    return "\n".join(lines) + "\n"


def features_yaml(proposal: Proposal) -> str:
    """The text of features.yaml."""
    lines = [
        f"# {_made_from(proposal)}",
        "# `missing: refuse` is never proposed: a new missing value would stop a run.",
        "features:",
        *(feature_line(choice) for choice in proposal.features),
    ]
    return "\n".join(lines) + "\n"


def feature_line(choice: Choice, indent: str = "  ") -> str:
    """The line of features.yaml for one feature."""
    fields = feature(choice).model_dump(mode="json", exclude_unset=True)
    return f"{indent}- {_flow(fields)}  # {_comment(choice.reason)}"


def query_sql(proposal: Proposal) -> str:
    """The text of query.sql."""
    lines = [f"-- {_made_from(proposal)} BigQuery's dialect; docs/sql.md explains it.", "SELECT"]
    roles = [choice for choice in (proposal.the(Use.KEY), proposal.the(Use.DATE), proposal.the(Use.LABEL)) if choice]
    lines += select_lines([*roles, *proposal.features])
    for choice in proposal.choices:
        if choice.use is Use.UNUSED:
            lines.append(f"  -- {_comment(f'without {names.column(choice.column.name)}: {choice.reason}')}")
    lines.append(f"FROM `{proposal.profile.table}` AS {names.ALIAS}")
    for place, (condition, why) in enumerate(proposal.conditions.items()):
        lines.append(f"{'  AND' if place else 'WHERE'} {condition}  -- {_comment(why)}")
    return "\n".join(lines) + "\n"


def select_lines(choices: Sequence[Choice]) -> list[str]:
    """The lines of a SELECT list, each with a comment where something was decided that the SQL does not show."""
    lines = []
    for place, choice in enumerate(choices):
        comma = "," if place < len(choices) - 1 else ""
        lines.append(f"  {expression(choice)}{comma}" + "".join(f"  -- {part}" for part in _remarks(choice)))
    return lines


def expression(choice: Choice) -> str:
    """The expression of an output, with its name where it is not the column's."""
    column = choice.column.name
    if choice.sql == names.column(column) and choice.name == column.rpartition(".")[2]:
        return choice.sql
    return f"{choice.sql} AS {names.quoted(choice.name)}"


def _remarks(choice: Choice) -> Iterator[str]:
    if choice.other_sql:
        yield _comment(f"{choice.reason}; or {choice.other_sql} AS {choice.name}")
    elif choice.use in (Use.LABEL, Use.KEY, Use.DATE):
        yield _comment(f"the {choice.use.value}: {choice.reason}")
    elif choice.is_left_out:
        yield _comment(f"left out in dataset.yaml: {choice.reason}")
    elif choice.sql != names.column(choice.column.name):
        yield _comment(choice.reason)


def _made_from(proposal: Proposal) -> str:
    profile = proposal.profile
    source = profile.source.rpartition("/")[2]  # a path is one machine's own
    return _comment(f"Proposed by `make init` from {source}: {profile.rows:,} rows, {len(profile.columns):,} columns.")


def _line(key: str, value: Any, why: str) -> str:
    return f"  {key}: {_scalar(value)}  # {_comment(why)}"


def _comment(text: str) -> str:
    """A text that stays on its line."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."


def _scalar(value: Any) -> str:
    """A value as YAML, on one line."""
    if isinstance(value, list):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    return _flow(value).removesuffix("...").strip()


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()
