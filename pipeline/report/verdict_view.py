"""A verdict as rows of text for the templates.

A verdict may lack parts: `refused` by the infrastructure check has no metrics, a first run has no champion, and a table
without dates has no snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.families import FAMILIES
from pipeline.gate.metric import in_sentence
from pipeline.report import formats
from pipeline.report.figures_view import (
    KEY_FIGURES,
    fairness_rows,
    lift_rows,
    metric_rows,
    slice_rows,
    snapshot_rows,
)
from pipeline.report.wording import (
    CHECKS,
    DIFFERENCES,
    GLOSSARY,
    METRICS,
    VERDICTS,
    metric,
    plain,
)

Document = Mapping[str, Any]
View = dict[str, Any]


def verdict_view(document: Document, *, pushed: bool | None = None) -> View:
    """Everything that the templates show about a verdict.

    Args:
        document: `verdict.json`.
        pushed: whether the model was pushed; None if that is not known yet.
    """
    models = document.get("models") or {}
    return {
        "headline": _headline(document, pushed),
        "rule": _rule(document),
        "test": _test_rows(document.get("data") or {}),
        "has_champion": bool(models.get("champion")),
        "has_anchor": bool((document.get("metrics") or {}).get("anchor")),
        "key_figures": [row for row in metric_rows(document, KEY_FIGURES) if row["challenger"] != formats.NOTHING],
        "metrics": metric_rows(document, METRICS),
        "lift": lift_rows(document),
        "snapshots": snapshot_rows(document),
        "slices": slice_rows(document),
        "fairness": fairness_rows(document),
        "checks": _checks(document),
        "models": [_model(role, model) for role, model in models.items() if model],
        "comparability": document.get("comparability") or {"accepted": False, "problems": []},
        "anchor": _anchor(document),
        "glossary": GLOSSARY,
    }


def _headline(document: Document, pushed: bool | None) -> View:
    verdict = str(document.get("verdict", ""))
    waiting, not_pushed, tone = VERDICTS.get(verdict, (verdict.capitalize(), f"Not pushed: {verdict}", "shown"))
    title = waiting if pushed is None else "Pushed" if pushed else not_pushed
    alone = verdict == "blessed" and not (document.get("models") or {}).get("champion")  # no single check decided
    return {
        "title": title,
        "tone": tone,
        "reason": document.get("reason") or "",
        "decided_by": "" if alone else _check_title(document.get("decided_by")),
    }


def _check_title(name: Any) -> str:
    return CHECKS.get(str(name), plain(str(name)).capitalize()) if name else ""


def _rule(document: Document) -> str:
    """The rule of the comparison with the champion, in one sentence."""
    rule = document.get("rule") or {}
    if not rule.get("metric"):
        return ""
    title, share = in_sentence(metric(rule["metric"]).title), _confidence(rule)
    replicates = formats.count(rule.get("replicates"))
    how = {
        "bootstrap": f"{replicates} bootstrap replicates over users, seed {rule.get('seed')}",
        "delong": "DeLong's interval, clustered by user",
        "ratio": "standard errors clustered by user",
    }.get(rule.get("method"), "")
    how = f" ({how})" if how else ""
    if rule.get("rule") == "superior":
        return f"A challenger must be better than the champion in {title}, with {share} confidence{how}."
    return (
        f"A challenger may be worse than the champion by less than {rule.get('margin')} in {title}, "
        f"with {share} confidence{how}."
    )


def _confidence(rule: Document) -> str:
    confidence = rule.get("confidence", 0.95)
    return formats.percent(confidence, 0 if confidence <= 0.99 else 2)  # finer where runs share the error


def _test_rows(data: Document) -> View:
    return {
        "rows": formats.count(data.get("rows")),
        "positives": formats.count(data.get("positives")),
        "users": formats.count(data.get("users")),
        "base_rate": formats.percent(data.get("base_rate"), 2),
        "training_base_rate": formats.percent(data.get("training_base_rate"), 2),
        "snapshots": [str(date) for date in data.get("snapshots") or []],
        "operating_share": formats.percent(data.get("operating_share"), 0),
    }


def _checks(document: Document) -> View:
    """All checks in `main`, except slices that passed: there are many, so they are `folded`."""
    _, _, deciding = VERDICTS.get(str(document.get("verdict")), ("", "", "shown"))
    rows = []
    for check in document.get("checks") or []:
        name, shown = str(check.get("name")), metric(str(check.get("metric") or ""))
        rows.append(
            {
                "name": name,
                "title": CHECKS.get(name, plain(name).capitalize()),
                "slice": "" if check.get("slice") in (None, "", "overall") else str(check["slice"]),
                "metric": shown.title if check.get("metric") not in (None, "", name) else "",
                "value": _figure(name, check.get("value"), shown.decimals),
                "interval": formats.interval(
                    check.get("lower"), check.get("upper"), shown.decimals, plus=name in DIFFERENCES
                ),
                "bound": str(check.get("bound") or ""),
                "outcome": str(check.get("outcome") or "shown"),
                "text": str(check.get("text") or ""),
                "decided": name == document.get("decided_by") and check.get("outcome") == deciding,
            }
        )
    folded = [row for row in rows if row["name"] == "slice" and row["outcome"] in ("pass", "shown")]
    return {"main": [row for row in rows if row not in folded], "folded": folded}


def _figure(name: str, value: Any, digits: int) -> str:
    if not formats.is_number(value):
        return ""
    if name == "positives":
        return formats.count(value)
    if name == "unchanged":
        return f"{value:.2g}"
    return formats.signed(value) if name in DIFFERENCES else formats.number(value, digits)


def _model(role: str, model: Document) -> View:
    age = model.get("age_days")
    return {
        "role": role.capitalize(),
        "id": str(model.get("id") if model.get("id") is not None else formats.NOTHING),
        "uri": str(model.get("uri") or ""),
        "family": FAMILIES.get(str(model.get("family")), str(model.get("family") or "")),
        "trained_through": str(model.get("trained_through") or ""),
        "trained_at": str(model.get("trained_at") or "").replace("T", " ")[:16],
        "age": f"{age:.0f} days" if formats.is_number(age) else "",
        "source_model_id": str(model.get("source_model_id") or ""),
    }


def _anchor(document: Document) -> str:
    """One sentence about the anchor and whether this model replaces it."""
    anchor = (document.get("models") or {}).get("anchor")
    if document.get("anchor_replaced"):
        return "This model becomes the new anchor."
    if not anchor:
        return "There is no anchor yet. The first pushed model becomes the anchor."
    if document.get("verdict") == "blessed":
        return "The anchor stays: this model is not clearly better."
    return "The anchor stays."
