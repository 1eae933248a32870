import re

import pytest

from pipeline.report.page import render_report
from tests.pipeline.report import documents
from tests.pipeline.report.pages import Page

SECTIONS = ("Data", "Training", "Quality", "Why it was", "Lineage")


@pytest.fixture(scope="module")
def whole():
    """The page of a run with everything."""
    return render_report(documents.run())


def without_dates():
    report = documents.data_report() | {"dates": [], "trained_through": None}
    return report | {"splits": [{**count, "date": None} for count in report["splits"]]}


BARE = {"rows": 10, "positives": 1, "splits": [], "warnings": []}


@pytest.mark.parametrize(
    ("run", "headline"),
    [
        (documents.run(documents.first_run(), drift=None, data=without_dates()), "Pushed"),
        (documents.run(documents.blessed(), pushed=False), "Blessed, but not pushed by this run"),
        (
            documents.run(
                documents.refused_by_infra_check(),
                infra={"problems": ["Could not find variable dense/kernel"], "load_s": None, "latency_ms": None},
                families=[documents.family(importance=None, problem="the model raised OSError")],
            ),
            "Not pushed: refused",
        ),
        (documents.run(documents.blessed(verdict="undecided")), "Not pushed: undecided"),
        (documents.run(documents.blessed(verdict="unchanged")), "Not pushed: nothing changed"),
        (
            documents.run(
                {"verdict": "refused"},
                data=BARE,
                families=[documents.family(curves={}, importance=None)],
                selection=None,
                infra=None,
                anomalies=[],
                references=[],
            ),
            "Not pushed: refused",
        ),
    ],
    ids=["first run", "blessed", "infra", "undecided", "unchanged", "bare"],
)
def test_whatever_the_run_has_the_page_has_all_sections(run, headline):
    page = Page(render_report(run))
    assert headline in page.text
    for section in SECTIONS:
        assert section in page.text
    assert "None:" not in page.text.replace("None: every split", "")
    assert "Undefined" not in page.text and "nan" not in page.text


def test_the_page_needs_nothing_beside_it(whole):
    page = Page(whole)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "xlink:href"))
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert not re.search(r"url\((?!#)|@import", whole)


def test_ids_are_unique_though_every_plot_brings_its_own(whole):
    ids = [value for name, value in Page(whole).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", whole)) | set(re.findall(r'href="#([^"]+)"', whole))
    assert used <= set(ids)


def test_text_of_the_data_is_escaped(whole):
    assert "<script" not in whole
    assert Page(whole).text.count(documents.HOSTILE) == 4  # warning, anomaly, feature, slice
    hostile = documents.run(title=documents.HOSTILE, label=documents.HOSTILE, pushed_to=documents.HOSTILE)
    assert "<script" not in render_report(hostile)


def test_it_is_small_even_with_many_slices():
    slices = [documents.slice_row(f"f{i % 10}", f"value {i}", "pass") for i in range(500)]
    checks = [documents.check("slice", slice_=f"f={i}") for i in range(500)]
    page = render_report(documents.run(documents.blessed(slices=slices, checks=checks)))
    assert len(page) < 1_500_000


def test_the_figures_are_those_of_the_run(whole):
    text = Page(whole).text
    for expected in (
        "81,454 rows with 4,160 positives",
        "XGBoost 0.8802 0.5167 0.1290 0.0342",  # eval metrics of the other family
        "Keras is the challenger: it has the best log loss on 7,077 eval rows",
        "Suspicious: recency_days",
        "learning rate 0.05",
        "4.2 ms",
        "0123456789abcdef",
        "/runs/BigQueryExampleGen/examples/3",
    ):
        assert expected in text


def test_plots_show_the_challenger_over_the_champion(whole):
    labels = [value for name, value in Page(whole).attributes if name == "aria-label"]
    for title in ("ROC curve", "Precision and recall", "Gain", "Calibration", "Base rate by snapshot"):
        assert title in labels
    assert {"Training curves of Keras", "Training curves of XGBoost", "Importance of the features"} <= set(labels)
    roc = whole[whole.index('aria-label="ROC curve"') :]
    roc = roc[: roc.index("</svg>")]
    assert ">challenger</text>" in roc and ">champion</text>" in roc


def test_plots_leave_matplotlibs_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_report(documents.run())
    assert dict(matplotlib.rcParams) == before


def test_the_most_important_feature_comes_first(whole):
    figure = whole[whole.index('aria-label="Importance of the features"') :]
    assert figure.index(">visits_1_7</text>") < figure.index(">recency_days</text>") < figure.index(">country</text>")
