"""make init on awkward tables, and the pipeline of make run on what it wrote."""

import functools
import re
import time

import pytest

from pipeline.champion import candidates
from pipeline.proposal import split
from runners import init, local_runner
from tests.runners import awkward_tables

TABLES = {
    "integer_ids": {},
    "leaking_columns": {},
    "dates_in_text": {},
    "korean": {},
    "decimal_commas": {},
    "wide_category": {},
    "key_and_dates": {},
    "two_labels": {"label": "churned"},
}
#: These run with all that a data set has by default. The others train trees alone, which take a few seconds.
WHOLE = ("korean", "key_and_dates")
FASTER = {"training.families": ["xgboost"], "infra_check.p99_ms": 10_000}


@pytest.fixture
def initialised(tmp_path, capfd):
    """Runs init on a table; returns the data and the last line that it showed."""

    def run(table, **wishes):
        data = getattr(awkward_tables, table)(tmp_path)
        arguments = ["--dataset", table, "--data", str(data), "--schema-root", str(tmp_path / "schema")]
        arguments += ["--output", str(tmp_path / "output")]
        assert init.main([*arguments, *(f"--{key}={value}" for key, value in wishes.items())]) == 0
        return data, capfd.readouterr().out.splitlines()[-1]

    return run


@pytest.mark.parametrize(("table", "wishes"), TABLES.items(), ids=list(TABLES))
def test_the_pipeline_runs_on_what_init_wrote(initialised, table, wishes, tmp_path, capfd, monkeypatch):
    """The next command works: all components end, and the gate has enough positives to judge."""
    data, command = initialised(table, **wishes)
    assert command.startswith(f"make run DATASET={table} DATA=")
    if table not in WHOLE:
        load = functools.partial(local_runner.DatasetFolder.load, overrides=FASTER)
        monkeypatch.setattr(local_runner.DatasetFolder, "load", load)
    arguments = ["--dataset", table, "--data", str(data), "--schema-root", str(tmp_path / "schema")]
    capfd.readouterr()
    started = time.process_time()
    code = local_runner.main([*arguments, "--output", str(tmp_path / "output")])
    shown = capfd.readouterr().out
    print(shown, f"{time.process_time() - started:.1f} s")
    assert code == 0, shown
    assert "failed" not in shown
    assert re.search(r"^  Report +[\d.]+ s", shown, re.MULTILINE), shown
    assert "a verdict needs at least" not in shown
    assert float(re.search(r"roc_auc +(\S+)", shown).group(1)) > 0.7
    assert "known before the snapshot" not in shown, "a leak was trained on"


def test_eval_is_as_large_as_the_choice_of_the_family_needs():
    assert split.EVAL_POSITIVES == candidates.MIN_POSITIVES
