"""docs/scoring.md holds what it says: its queries run on a score table, and its sample sizes are those of the code."""

import re
from pathlib import Path

import duckdb
import pytest
import sqlglot

from pipeline.scores.duckdb_table import DuckDBScoreTable
from pipeline.scores.power import arm_sizes
from pipeline.scores.table import ScoringRun
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY, ranked, write_scored

PAGE = (Path(__file__).parent.parent / "docs" / "scoring.md").read_text()
ARMS, CAMPAIGN, DECILES, CRM = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KEYS = [f"u{n:03d}" for n in range(100)]
PROBABILITY = [(100 - n) / 200 for n in range(100)]  # u000 is the best


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two days of a score table, a CRM table and orders; returns what the rows of the first day say."""
    import datetime

    folder = tmp_path_factory.mktemp("table")
    scored = write_scored(
        folder / "scored.parquet", KEYS * 2, PROBABILITY + PROBABILITY[::-1], [DAY] * 100 + [NEXT_DAY] * 100
    )
    _, days = ranked(folder / "ranked", scored, holdout_percent=30)
    now = datetime.datetime(2026, 1, 6, tzinfo=datetime.timezone.utc)
    engine = DuckDBSettings(engine="duckdb", memory_limit="100MB", threads=1)
    with DuckDBScoreTable(folder / "s.duckdb", "scores_ga4", ScoringSettings(), engine) as opened:
        files = {date: str(folder / "ranked" / f"{date}.parquet") for date in days}
        opened.replace_days(files, ScoringRun("7", "d" * 64, "run-1", now))
    connection = duckdb.connect(str(folder / "s.duckdb"))
    # The table's key is user_id here; the page says to put your own.
    connection.execute("CREATE TABLE crm (user_id VARCHAR, email VARCHAR, segment VARCHAR, consent BOOLEAN)")
    connection.executemany(
        "INSERT INTO crm VALUES (?, ?, 'new', ?)",
        [[key, f"{key}@example.org", n % 2 == 0] for n, key in enumerate(KEYS)],
    )
    connection.execute("CREATE TABLE orders (user_id VARCHAR, ordered_on DATE)")
    connection.execute(
        "INSERT INTO orders VALUES ('u000', '2026-01-06'), ('u000', '2026-01-07'), ('u001', '2026-02-01')"
    )
    arms = dict(zip(days[DAY]["user_id"].to_pylist(), days[DAY]["arm"].to_pylist(), strict=True))
    yield connection, arms
    connection.close()


def rows(table, query):
    connection, _ = table
    return connection.execute(query.replace("user_pseudo_id", "user_id")).fetchall()


def test_a_list_for_a_campaign_holds_the_best_two_deciles_without_the_holdout(table):
    found = rows(table, CAMPAIGN)
    assert [row[0] for row in found] == [key for key in KEYS[:20] if table[1][key] == "treated"]
    assert 0 < len(found) < 20


def test_expected_conversions_are_the_sums_of_the_probabilities(table):
    found = rows(table, DECILES)
    assert [row[:2] for row in found] == [(decile, 10) for decile in range(1, 11)]
    assert found[0][2:4] == (PROBABILITY[9], PROBABILITY[0])
    assert [row[4] for row in found] == pytest.approx([sum(PROBABILITY[n : n + 10]) for n in range(0, 100, 10)])


def test_scores_are_joined_with_a_crm_table_by_the_key(table):
    found = rows(table, CRM)
    expected = [key for n, key in enumerate(KEYS) if n % 2 == 0 and table[1][key] == "treated"]
    assert [row[0] for row in found] == [f"{key}@example.org" for key in expected]


def test_the_arms_are_compared_among_those_who_were_to_be_acted_on(table):
    found = {arm: (customers, rate) for arm, customers, rate, _ in rows(table, ARMS)}
    top = [table[1][key] for key in KEYS[:10]]
    assert {arm: customers for arm, (customers, _) in found.items()} == {arm: top.count(arm) for arm in set(top)}
    arm = table[1]["u000"]
    assert found[arm][1] == pytest.approx(1 / top.count(arm))  # one customer, though with two orders
    assert sum(rate for _, rate in found.values()) == pytest.approx(1 / top.count(arm))


@pytest.mark.parametrize("query", [ARMS, CAMPAIGN, DECILES, CRM])
def test_the_queries_mean_the_same_on_bigquery(query):
    bigquery, duckdb_ = (sqlglot.parse_one(query, dialect=dialect).sql("duckdb") for dialect in ("bigquery", "duckdb"))
    assert bigquery.replace(" NULLS FIRST", "") == duckdb_  # neither deciles nor arms have nulls


def test_the_sample_sizes_are_those_of_the_code():
    shown = re.findall(r"^\| (\d+) % \| ([\d.]+) % \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    expected = [
        (f"{100 * size.lift:.0f}", f"{5 * (1 + size.lift):.2f}", f"{size.treated:,}", f"{size.holdout:,}")
        for size in arm_sizes(0.05, 0.1)
    ]
    assert shown == expected
