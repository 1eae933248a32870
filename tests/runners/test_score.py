"""make score refuses what cannot be scored before TFX is imported; the exit code is 2."""

import pytest

from runners import score
from tests.support import write_small_data_set


@pytest.fixture
def refused(tmp_path, capsys):
    """Runs the command and returns its one line."""
    root = write_small_data_set(tmp_path / "schema").parent

    def run(*arguments, dataset="small", champion=False):
        output = tmp_path / "output"
        if champion:
            (output / dataset).mkdir(parents=True)
            (output / dataset / "metadata.sqlite").write_bytes(b"")
        given = ["--dataset", dataset, "--schema-root", str(root), "--output", str(output), *arguments]
        assert score.main(given) == 2
        [line] = (capsys.readouterr().err.strip() or "-").splitlines()
        return line

    return run


def test_without_a_run_there_is_no_champion(refused, tmp_path):
    (tmp_path / "rows.csv").write_text("x\n1\n")
    said = refused("--data", str(tmp_path / "rows.csv"))
    assert "there is no champion to score with" in said and "make run DATASET=small" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "2026-01-05"), "a back-fill needs both first_date (FROM=) and last_date (TO=)"),
        (("--from", "2026-02-05", "--to", "2026-01-05"), "first_date 2026-02-05 is after last_date 2026-01-05"),
        (("--as-of", "yesterday"), "must be 'latest' or a date such as 2025-11-03"),
        (("--as-of", "2026-01-05"), "data set 'small' is a table; only 'latest' is allowed"),
        (("--export", "scores.xlsx"), ".csv"),
        (("--export", "nowhere/scores.csv"), "nowhere"),
    ],
)
def test_wrong_arguments_are_named(refused, tmp_path, arguments, problem):
    (tmp_path / "rows.csv").write_text("x\n1\n")
    assert problem in refused("--data", str(tmp_path / "rows.csv"), *arguments, champion=True)
