import subprocess
import sys

import pytest

from pipeline.report.verdict_page import render_verdict
from pipeline.report.verdict_view import verdict_view
from tests.pipeline.report import documents
from tests.pipeline.report.pages import Page


@pytest.mark.parametrize(
    "document",
    [
        documents.blessed(),
        documents.first_run(),
        documents.refused_by_infra_check(),
        documents.refused_by_a_slice(),
        documents.blessed(verdict="undecided", decided_by="positives"),
        documents.blessed(verdict="unchanged", decided_by="unchanged", checks=[]),
        {"verdict": "refused"},
    ],
    ids=["blessed", "first run", "infra", "slice", "undecided", "unchanged", "bare"],
)
def test_every_verdict_has_a_page(document):
    page = Page(render_verdict(document))
    assert document["verdict"].capitalize() in page.text
    assert document.get("reason", "") in page.text
    assert "None" not in page.text and "nan" not in page.text


def test_the_check_that_decided_is_marked():
    rows = verdict_view(documents.refused_by_a_slice())["checks"]["main"]
    assert [row["slice"] for row in rows if row["decided"]] == ["country=FR"]


def test_slices_that_pass_are_folded_and_the_broken_one_is_not():
    view = verdict_view(documents.refused_by_a_slice())
    assert [row["slice"] for row in view["checks"]["folded"]] == ["country=DE"]
    assert [(feature, [row["value"] for row in rows]) for feature, rows in view["slices"]["judged"]] == [
        ("country", ["DE", "FR"]),
        ("user", ["new", "seen in training"]),
    ]
    assert [[row["value"] for row in rows] for _, rows in view["slices"]["shown"]] == [[documents.HOSTILE]]


def test_a_difference_is_called_better_by_the_metrics_own_direction():
    rows = {row["title"]: row for row in verdict_view(documents.blessed())["metrics"]}
    assert (rows["ROC AUC"]["difference"], rows["ROC AUC"]["judgement"]) == ("+0.0012", "better")
    assert (rows["Log loss"]["difference"], rows["Log loss"]["judgement"]) == ("\N{MINUS SIGN}0.0012", "better")
    assert rows["Calibration slope"]["judgement"] == ""
    assert rows["ROC AUC"]["interval"] == "\N{MINUS SIGN}0.0021 to +0.0040"
    assert rows["Log loss"]["interval"] == ""


def test_the_interval_of_a_loss_is_turned_back():
    """A check says by how much the challenger is better; the table shows challenger minus champion."""
    check = documents.check("champion", metric="log_loss", value=0.0012, lower=-0.001, upper=0.003)
    rows = {row["title"]: row for row in verdict_view(documents.blessed(checks=[check]))["metrics"]}
    assert rows["Log loss"]["interval"] == "\N{MINUS SIGN}0.0030 to +0.0010"


def test_without_a_champion_nothing_is_compared():
    page = Page(render_verdict(documents.first_run()))
    assert "Champion" not in page.text.partition("Figures")[2].partition("What the words mean")[0]
    assert "There is no champion yet" in page.text


def test_an_incomparable_champion_is_told():
    problems = ["it needs the column 'visits', which is gone"]
    accepted = documents.first_run() | {"comparability": {"accepted": True, "problems": problems}}
    page = Page(render_verdict(accepted))
    assert "told to accept that" in page.text and problems[0] in page.text


def test_text_of_the_document_is_escaped():
    hostile = documents.blessed(reason=documents.HOSTILE)
    hostile["models"]["champion"]["uri"] = documents.HOSTILE
    page = render_verdict(hostile)
    assert "<script" not in page
    assert Page(page).text.count(documents.HOSTILE) == 3  # reason, URI, slice


def test_no_plotting_library_and_no_tensorflow_is_loaded():
    program = (
        "import sys; from pipeline.report.verdict_page import render_verdict; render_verdict({'verdict': 'refused'});"
        "found = {'matplotlib', 'tensorflow', 'tfx'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
