import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from models.attributions import ReasonsUnavailableError
from models.features import FeatureSet
from pipeline.examples import work_units
from pipeline.fast.scoring.customers import score_customers
from pipeline.fast.scoring.identity import UnscorableError
from pipeline.fast.scoring.model import ScoringError
from pipeline.settings.dataset import Columns
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.fast.scoring.test_run_inference import on_beam
from tests.pipeline.small_models import (
    COUNTRIES,
    FEATURES,
    raw_rows,
    save_altered_model,
    save_explained_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])
COLUMNS = Columns(label="bought", key="user", date="day")
ROWS = [{**row, "user": f"user-{number}"} for number, row in enumerate(raw_rows(60))]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "saved")


@pytest.fixture(scope="module")
def explained_model(tmp_path_factory):
    return save_explained_model(tmp_path_factory.mktemp("explained") / "saved")


def score(examples, model, folder, beam=None, features=FEATURES, **settings):
    folder.mkdir(exist_ok=True)
    return score_customers(
        examples,
        "eval",
        model,
        str(folder),
        settings=ScoringSettings(**{"reasons": 0, **settings}),
        columns=COLUMNS,
        features=features,
        snapshot_date="2026-01-05",
        on_beam=beam,
    )


def read(scored):
    return pa.concat_tables([pq.read_table(file) for file in scored.files]).sort_by("user")


@each_format
def test_both_places_give_the_same_and_beam_leaves_nothing_behind(tmp_path, model, write):
    examples = write(tmp_path / "examples", ROWS, files=2)
    here = score(examples, model, tmp_path / "here")
    there = score(examples, model, tmp_path / "there", on_beam(tmp_path / "shards", "in_memory"))
    assert here.rows == there.rows == 60 and here.identity == there.identity
    assert len(here.files) == 1 and len(there.files) == 2
    assert not (tmp_path / "shards").exists()
    tables = [read(here), read(there)]
    assert tables[0]["user"].to_pylist() == tables[1]["user"].to_pylist() == sorted(row["user"] for row in ROWS)
    np.testing.assert_allclose(tables[0]["probability"].to_numpy(), tables[1]["probability"].to_numpy(), rtol=1e-6)


def test_rows_without_a_probability_stop_a_run_on_beam_too(tmp_path, model):
    nan = save_altered_model(model, tmp_path / "nan", predict=lambda values: tf.where(values > 0.4, np.nan, values))
    examples = write_parquet_examples(tmp_path / "examples", ROWS)
    message = r"'champion' returns no probability between 0 and 1 for \d+ of 60 rows"
    with pytest.raises(ScoringError, match=message) as here:
        score(examples, nan, tmp_path / "here")
    with pytest.raises(ScoringError, match=message) as there:
        score(examples, nan, tmp_path / "there", on_beam(tmp_path / "shards", "in_memory"))
    assert str(here.value) == str(there.value)
    assert not (tmp_path / "shards").exists()


@each_format
def test_a_feature_that_the_examples_lack_is_named(tmp_path, model, write):
    rows = [{name: value for name, value in row.items() if name != "visits"} for row in ROWS]
    with pytest.raises(UnscorableError, match="the champion needs visits, which the examples lack"):
        score(write(tmp_path / "examples", rows), model, tmp_path / "here")


def test_no_row_is_an_error(tmp_path, model):
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(write_examples(tmp_path / "tf", []), model, tmp_path / "here")
    examples = write_parquet_examples(tmp_path / "parquet", ROWS)
    [file] = (tmp_path / "parquet" / "Split-eval").iterdir()
    pq.write_table(pq.read_table(file).slice(0, 0), file)
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(examples, model, tmp_path / "here")
    with pytest.raises(UnscorableError, match="there is no row to score"):
        score(examples, model, tmp_path / "here", on_beam(tmp_path / "shards", "in_memory"))


def words(row):
    """Both reasons of a row by hand, the larger contribution first."""
    visits, country = row["visits"], row["country"]
    code = COUNTRIES.index(country) if country in COUNTRIES else len(COUNTRIES)
    found = [(0.1 * (visits or 0), f"visits = {visits:g}" if visits is not None else "visits missing")]
    found.append((0.5 * code, f"country = {country}" if country else "country missing"))
    return [f"{text}, up" for size, text in sorted(found, key=lambda pair: -pair[0]) if size]


@each_format
def test_reasons_are_added_in_one_pass_and_say_by_how_much_they_miss(tmp_path, explained_model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)
    examples = write(tmp_path / "examples", ROWS, files=2)
    scored = score(examples, explained_model, tmp_path / "here", reasons=2)
    assert dict(zip(read(scored)["user"].to_pylist(), read(scored)["reasons"].to_pylist(), strict=True)) == {
        row["user"]: words(row) for row in ROWS
    }
    assert (scored.explained.method, scored.explained.baseline, scored.explained.rows) == ("Exact.", -2, 60)
    assert 0 <= scored.explained.largest_error < 1e-5
    one = read(score(examples, explained_model, tmp_path / "one", reasons=1))
    by_user = dict(zip(one["user"].to_pylist(), one["reasons"].to_pylist(), strict=True))
    assert by_user == {row["user"]: words(row)[:1] for row in ROWS}


@each_format
def test_only_the_best_rows_are_explained_in_a_second_pass(tmp_path, explained_model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)
    rows = [{**row, "day": f"2026-01-0{1 + number % 2}", "visits": number + 20.0} for number, row in enumerate(ROWS)]
    examples = write(tmp_path / "examples", rows, files=2)
    scored = score(examples, explained_model, tmp_path / "here", reasons=2, reasons_deciles=3)
    explained = {row["user"]: row["reasons"] for row in read(scored).to_pylist() if row["reasons"] is not None}
    every = read(score(examples, explained_model, tmp_path / "all", reasons=2))
    best = set()
    for day in ("2026-01-01", "2026-01-02"):
        of_day = [row for row in every.to_pylist() if str(row["snapshot_date"]) == day]
        best |= {row["user"] for row in sorted(of_day, key=lambda row: -row["probability"])[:9]}
    assert best <= explained.keys() and len(explained) < 30
    assert explained == {row["user"]: words(row) for row in rows if row["user"] in explained}
    assert scored.explained.rows == len(explained)


@each_format
@pytest.mark.parametrize("deciles", [10, 2])
def test_beam_gives_the_same_reasons(tmp_path, explained_model, write, deciles):
    examples = write(tmp_path / "examples", ROWS, files=2)
    asked = {"reasons": 2, "reasons_deciles": deciles}
    here = score(examples, explained_model, tmp_path / "here", **asked)
    there = score(examples, explained_model, tmp_path / "there", on_beam(tmp_path / "shards", "in_memory"), **asked)
    assert read(here)["reasons"].to_pylist() == read(there)["reasons"].to_pylist()
    assert here.explained.rows == there.explained.rows == read(here)["reasons"].drop_null().length() > 0
    assert not (tmp_path / "shards").exists()


def test_a_model_without_attributions_is_refused_before_it_scores(tmp_path, model):
    examples = write_parquet_examples(tmp_path / "examples", ROWS)
    with pytest.raises(ReasonsUnavailableError, match=r"train and push a new model, or set scoring.reasons to 0"):
        score(examples, model, tmp_path / "here", reasons=3)
    assert list((tmp_path / "here").iterdir()) == []


def test_a_feature_that_is_no_longer_declared_is_named(tmp_path, explained_model):
    fewer = FeatureSet(features=FEATURES.features[:1])
    with pytest.raises(UnscorableError, match=r"champion needs country, which features.yaml does not declare"):
        score(
            write_parquet_examples(tmp_path / "e", ROWS), explained_model, tmp_path / "here", features=fewer, reasons=3
        )
