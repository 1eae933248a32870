import datetime

from pipeline.profiling.export_profile import EventProfile, ExportDays, ExportProfile, Outcome, ZoneFit
from pipeline.report import export_page
from pipeline.report.export_page import ExportPage, Offer, render_export
from pipeline.report.profile_page import Decision

DAY = datetime.date(2024, 3, 4)


def page(events, snapshots=None, **changed):
    profile = ExportProfile(
        source="shop",
        days=ExportDays("events_", (DAY,), {}),
        first=DAY,
        last=DAY,
        lookback_days=30,
        snapshots=snapshots if snapshots is not None else {7: DAY},
        n_events=12_345,
        users=1000,
        without_key=7,
        events=tuple(events),
        zone=ZoneFit(("UTC",), 1.0),
        parameters=(),
        parameter_days=14,
        parameter_events=100,
        bytes_read=2**31,
    )
    offers = [Offer("plan", "2 values: a, b", "MAX(x) AS plan,", "- {name: plan}"), Offer("email", reason="personal")]
    decisions = [Decision("Conversion", "sign_up", "as you asked")]
    return ExportPage(
        "mine", profile, "sign_up", decisions, ["Compare <b>the</b> zone."], offers, "make run", **changed
    )


def event(name, users=100):
    return EventProfile(name, 200, users, 1, {7: Outcome(1000, 50, 900, 40)})


def test_the_page_shows_events_with_base_rates_and_lines_of_features():
    text = render_export(page([event("page_view"), event("sign_up")]))
    assert "12,345" in text and "2.00 GiB" in text and "7 of the events have no user" in text
    assert "<b>sign_up</b><small>the conversion</small>" in text and "<b>page_view</b>" not in text
    assert text.count("<small>50</small>") == 2 and "5.00" in text
    assert "<code>MAX(x) AS plan,</code>" in text and "<code>- {name: plan}</code>" in text
    assert "<h3>No feature</h3>" in text and "personal" in text


def test_text_from_the_data_is_escaped_and_there_are_no_scripts():
    text = render_export(page([event("<script>alert(1)</script>")]))
    assert "<script" not in text and "&lt;script&gt;" in text and "&lt;b&gt;the&lt;/b&gt;" in text


def test_without_base_rates_there_are_no_columns_for_them():
    bare = EventProfile("page_view", 200, 100, 1, {})
    text = render_export(page([bare], snapshots={}))
    assert "For each horizon" not in text and "days</th>" not in text


def test_many_events_are_counted(monkeypatch):
    monkeypatch.setattr(export_page, "SHOWN_EVENTS", 2)
    assert "and 3 rarer events" in render_export(page([event(f"e{n}") for n in range(5)]))
