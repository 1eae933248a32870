"""make init where something cannot be used: one message that says what to type, and nothing written."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.opening import open_warehouse
from runners import init

ROWS = 2000


@pytest.fixture
def run(tmp_path, capsys):
    """Runs init; returns the exit code, what it showed, and the folder that it writes."""

    def run(data, *more, dataset="made"):
        arguments = ["--dataset", dataset, "--schema-root", str(tmp_path / "schema"), "--output", str(tmp_path / "out")]
        if isinstance(data, pd.DataFrame):
            path = tmp_path / "people.csv"
            data.to_csv(path, index=False)
            data = path
        code = init.main([*arguments, *(["--data", str(data)] if data else []), *more])
        captured = capsys.readouterr()
        folder = tmp_path / "schema" / dataset
        assert code in (0, 2)
        assert folder.exists() == (code == 0)
        left = list((tmp_path / "schema").iterdir()) if (tmp_path / "schema").exists() else []
        assert [path.name for path in left if path.name.startswith(".")] == [], "nothing is left half-written"
        assert "Traceback" not in captured.err
        return code, " ".join((captured.out + captured.err).split()), folder

    return run


def people(**columns):
    """A table; the given columns replace or follow its own."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "member": [f"member-{number:05}" for number in range(ROWS)],
            "visits": rng.poisson(3, ROWS),
            "plan": rng.choice(["basic", "plus"], ROWS),
        }
    )
    frame["bought"] = (rng.random(ROWS) < 0.2 + 0.1 * frame["visits"].clip(0, 5)).astype(int)
    return frame.assign(**columns)


@pytest.mark.parametrize("name", ["my-shop", "2shops", "a b", "shop!", "", "schöne", "x" * 61])
def test_a_name_that_no_data_set_may_have(run, name, tmp_path):
    code = init.main(["--dataset", name, "--data", "x.csv", "--schema-root", str(tmp_path / "schema")])
    assert code == 2
    assert not (tmp_path / "schema").exists()


def test_data_that_are_missing(run, tmp_path):
    assert "DATA= is missing: name a CSV or Parquet file" in run(None)[1]
    code, shown, _ = run(tmp_path / "absent.csv")
    assert code == 2
    assert "absent.csv: no such file or folder, and no BigQuery table" in shown
    (tmp_path / "empty").mkdir()
    assert "the folder is empty" in run(tmp_path / "empty")[1]
    (tmp_path / "book.xlsx").write_bytes(b"PK")
    assert "book.xlsx" in run(tmp_path / "book.xlsx")[1]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (["--label", "bougth"], "LABEL=bougth: .*people.csv has no column of this name; did you mean LABEL=bought?"),
        (["--label", "bought", "--positive", "yes"], "POSITIVE=yes: 'bought' has no such value: [01], [01]."),
        (["--label", "visits"], "LABEL=visits: the column has [0-9]+ values, and a label has two"),
        (["--key", "membre"], "KEY=membre: .*did you mean KEY=member?"),
        (["--date", "plan"], "DATE=plan: the column holds no dates in a form that is known"),
        (["--date", "when"], "DATE=when: .*has no column of this name"),
    ],
)
def test_wishes_that_cannot_be_met(run, wishes, message):
    code, shown, _ = run(people(), *wishes)
    assert code == 2
    assert pd.Series([shown]).str.contains(message).all(), shown


def test_a_key_that_is_not_unique_says_how_many_rows_share_it(run):
    members = [f"member-{number // 4 if number < 400 else number:05}" for number in range(ROWS)]
    code, shown, _ = run(people(member=members), "--key", "member")
    assert code == 2
    assert (
        "KEY=member: 400 of 2,000 rows share their key with another row (100 keys), and the table has no date" in shown
    )
    assert "member-0" not in shown
    days = [datetime.date(2025, 1, 1)] * ROWS
    code, shown, _ = run(people(member=members, day=days), "--key", "member", "--date", "day")
    assert code == 2
    assert "400 of 2,000 rows share" in shown
    assert "they are not unique with day either" in shown


def test_rows_that_share_an_identifier_are_told(run):
    members = [f"member-{number // 4:05}" for number in range(ROWS)]
    code, shown, folder = run(people(member_id=members).drop(columns="member"))
    assert code == 0
    assert DatasetFolder.load(folder).dataset.columns.key is None
    assert "member_id occurs in several rows (2,000 of 2,000 rows share theirs)" in shown
    assert "member-0" not in shown


def test_rows_without_a_label_or_a_key_are_left_out(run, tmp_path):
    frame = people()
    frame["bought"] = np.where(frame["bought"] == 1, "yes", "no")
    frame.loc[:19, "bought"] = ""
    frame.loc[30:59, "member"] = ""
    code, _shown, folder = run(frame)
    assert code == 0
    query = (folder / "query.sql").read_text()
    assert "WHERE t.bought IS NOT NULL  -- 20 rows have no label" in query
    assert "  AND t.member IS NOT NULL  -- 30 rows have no key" in query
    assert features_rows(folder, tmp_path / "people.csv") == ROWS - 50


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(ROWS, int), "all 2,000 labels are 0: a model needs rows of both classes"),
        (
            np.where(np.arange(ROWS) % 40 == 0, 1, 0),
            "50 positives in 2,000 rows give about 10 in test, and a verdict needs 200",
        ),
    ],
)
def test_a_table_that_cannot_carry_a_verdict_is_written_all_the_same(run, labels, message):
    code, shown, folder = run(people(bought=labels))
    assert code == 0
    assert message in shown
    if labels.any():
        assert "1,000 positives, which are 40,000 rows at this base rate" in shown
    DatasetFolder.load(folder)


def test_few_positives_get_a_larger_test_split(run):
    frame = pd.concat([people(bought=0), people(bought=1).head(700)])
    frame["member"] = [f"m{number:06}" for number in range(len(frame))]
    code, _shown, folder = run(frame)
    assert code == 0
    assert DatasetFolder.load(folder).dataset.split.test_percent == 35
    assert "a verdict needs 200, and 300 are better" in (folder / "dataset.yaml").read_text()


def test_a_table_with_nothing_to_learn_from(run):
    code, shown, _ = run(people()[["member", "bought"]])
    assert code == 2
    assert "no column is left to learn from" in shown


def test_labels_that_are_not_known_yet(run):
    frame = people(day=[datetime.date(2025, 1, 1) + datetime.timedelta(days=number // 20) for number in range(ROWS)])
    frame.loc[ROWS * 8 // 10 :, "bought"] = (np.arange(ROWS * 2 // 10) % 10 == 0).astype(int)
    code, shown, folder = run(frame)
    assert code == 0
    assert DatasetFolder.load(folder).dataset.columns.date == "day"
    assert "If the newest labels are not known yet, leave those rows out" in shown


def test_a_header_that_repeats_a_name_and_leaves_one_empty(run, tmp_path):
    frame = people(extra=np.arange(ROWS) % 7)
    path = tmp_path / "people.csv"
    path.write_text(
        frame.to_csv(index=False).replace("member,visits,plan,bought,extra", "member,visits,plan,bought,visits", 1)
    )
    code, shown, folder = run(path)
    assert code == 0, shown
    assert DatasetFolder.load(folder).dataset.source.repeated_names == "number"
    assert "  t.visits_2" in (folder / "query.sql").read_text()
    assert features_rows(folder, path) == ROWS


def test_parquet_with_types_of_its_own(run, tmp_path):
    frame = people()
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    table = pa.table(
        {
            "member": pa.array(frame["member"]),
            "created": pa.array(
                [start + datetime.timedelta(hours=6 * n) for n in range(ROWS)], pa.timestamp("us", "UTC")
            ),
            "price": pa.array([None if n % 9 == 0 else n % 700 for n in range(ROWS)]).cast(pa.decimal128(22, 2)),
            "mobile": pa.array(np.arange(ROWS) % 3 == 0),
            "amount": pa.array(["" if n % 11 == 0 else f"{n % 800},5" for n in range(ROWS)]),
            "device": pa.array([{"os": "ios" if n % 2 else "android", "cpus": n % 5} for n in range(ROWS)]),
            "tags": pa.array([["a"]] * ROWS),
            "raw": pa.array([b"x"] * ROWS),
            "outcome": pa.array(np.where(frame["bought"] == 1, "won", "lost")),
        }
    )
    path = tmp_path / "deals.parquet"
    pq.write_table(table, path)
    code, shown, folder = run(path)
    assert code == 0, shown
    query = (folder / "query.sql").read_text()
    columns = DatasetFolder.load(folder).dataset.columns
    assert (columns.key, columns.date, columns.label) == ("member", "created", "outcome")
    assert "DATE(t.created) AS created" in query
    assert "CAST(t.price AS FLOAT64) AS price" in query
    assert "CAST(t.mobile AS STRING) AS mobile" in query
    assert "CAST(REPLACE(NULLIF(t.amount, ''), ',', '.') AS FLOAT64) AS amount" in query
    assert "t.device.os AS device_os" in query
    assert "CASE t.outcome WHEN 'won' THEN 1 WHEN 'lost' THEN 0 END AS outcome" in query
    assert "-- without t.tags: ARRAY is not read; ARRAY_LENGTH(t.tags) would be a number" in query
    assert "-- without t.raw" in query
    assert features_rows(folder, path) == ROWS


def test_dates_that_read_in_two_ways_are_a_question(run, tmp_path):
    rng = np.random.default_rng(2)
    seen = [f"{day}/{month}/2024" for day, month in rng.integers(1, 13, (ROWS, 2))]
    code, shown, folder = run(people(seen=seen))
    assert code == 0
    assert "Date none; seen reads as d/m/yyyy and as m/d/yyyy; DATE=seen takes the first" in shown
    assert "1. seen is left out: all its values read as d/m/yyyy and as m/d/yyyy." in shown
    found = DatasetFolder.load(folder)
    assert (found.dataset.columns.date, found.dataset.features.leave_out) == (None, ("seen",))
    code, shown, folder = run(people(seen=seen), "--date", "seen", dataset="again")
    assert "1. the dates of seen read in two ways, and the split depends on them" in shown
    query = (folder / "query.sql").read_text()
    assert (
        "PARSE_DATE('%d/%m/%Y', t.seen) AS seen,  -- you named it with DATE=; or PARSE_DATE('%m/%d/%Y', t.seen)"
        in query
    )
    assert features_rows(folder, tmp_path / "people.csv") == ROWS


def test_names_of_every_kind(run, tmp_path):
    names = ["a`b", "100%", "it's", "tab\tname", "#", "null", "no", "select *", "x.y", "t", "From", "ünï", "  spaced  "]
    names += ["L" * 140, "L" * 140 + "2", 'q"uote', "back\\slash", "--comment", "line\nbreak", "split", "unit", "self"]
    names += ["class", "_table_x", "1st", "日付", "true"]
    rng = np.random.default_rng(1)
    values = np.array(["a`", "b\\", "c\n", "it's", "%"])
    frame = pd.DataFrame(
        {
            name: values[rng.integers(0, 5, ROWS)] if place % 2 else rng.integers(0, 9, ROWS)
            for place, name in enumerate(names)
        }
    )
    frame["Y"] = np.where(rng.random(ROWS) < 0.5, "yes 'x'", "no 'x'")
    code, shown, folder = run(frame)
    assert code == 0, shown
    found = DatasetFolder.load(folder)
    assert len(found.features.names) == len(names)
    assert {"a_b", "column_2", "it_s", "x_y", "uni", "split_2", "unit_2", "self_2", "n_1st"} < set(found.features.names)
    assert features_rows(folder, tmp_path / "people.csv") == ROWS


def features_rows(folder, data):
    found = DatasetFolder.load(folder)
    with open_warehouse(RunSettings(warehouse={"engine": "duckdb"}, data=data), found.dataset) as warehouse:
        return make_features_table(warehouse, resolve(warehouse, found)).rows


def spelled(tmp_path, encoding, cities):
    """A file in an encoding whose bytes are also letters of another one."""
    table = people(city=np.array(cities)[np.arange(ROWS) % len(cities)])
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False, encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("encoding", "cities"), [("windows-1250", ["Łódź", "Kraków"]), ("cp949", ["서울", "부산광역시"])]
)
def test_one_word_names_the_encoding_of_a_file(run, tmp_path, encoding, cities):
    data = spelled(tmp_path, encoding, cities)
    if encoding == "cp949":
        code, told, _ = run(data, "--label", "bought")
        assert code == 2
        assert "name the file's encoding in source.encoding of dataset.yaml, or with make init in ENCODING=" in told
    code, told, folder = run(data, "--label", "bought", "--encoding", encoding)
    assert code == 0
    text = (folder / "dataset.yaml").read_text(encoding="utf-8")
    assert f"encoding: {encoding}  # you named it with ENCODING=" in text
    data_set = DatasetFolder.load(folder)
    assert data_set.dataset.source.encoding == encoding
    page = (tmp_path / "out" / "made" / "profile.html").read_text(encoding="utf-8")
    assert all(city in page for city in cities)


def test_an_encoding_is_one_and_of_a_text_file(run, tmp_path):
    code, told, _ = run(people(), "--encoding", "klingon")
    assert code == 2
    assert "ENCODING=klingon: not an encoding that Python knows, such as windows-1250" in told
    pq.write_table(pa.Table.from_pandas(people()), tmp_path / "people.parquet")
    code, told, _ = run(tmp_path / "people.parquet", "--encoding", "cp949")
    assert code == 2
    assert "ENCODING=cp949 is for a text file" in told
