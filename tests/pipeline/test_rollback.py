"""Which champion a rollback leads back to, and that each resolver finds it afterwards."""

import json

import pytest
from ml_metadata.proto import metadata_store_pb2

from pipeline import serving_folder
from pipeline.champion.current import blessed_models
from pipeline.rollback import RollbackError, find_restoration, unfinished_restoration


def artifact(id_, **properties):
    made = metadata_store_pb2.Artifact(id=id_, uri=f"artifacts/{id_}")
    for name, value in properties.items():
        field = "int_value" if isinstance(value, int) else "string_value"
        setattr(made.custom_properties[name], field, value)
    return made


def blessing(id_, model, blessed=1, **properties):
    return artifact(id_, current_model_id=model, blessed=blessed, **properties)


def model(id_, **properties):
    return artifact(id_, source_model_uri=f"trained/{id_}", source_model_id=id_ - 1, family="keras", **properties)


def test_it_leads_to_the_champion_that_the_present_one_was_judged_against():
    models = [model(id_) for id_ in (2, 4, 6, 8)]
    blessings = [
        blessing(3, 2, anchor_replaced=1),
        blessing(5, 4, baseline_model_id=2, anchor_replaced=0),
        blessing(7, 6, blessed=0, baseline_model_id=4),
        blessing(9, 8, baseline_model_id=4, anchor_replaced=1),
    ]
    found = find_restoration(models, blessings)
    assert (found.model_id, found.uri, found.withdrawn_id) == (4, "artifacts/4", 8)
    assert found.previous == "2"
    assert not found.anchor_replaced, "the anchor that the restored model carries, never the withdrawn model"
    assert found.properties == {
        "family": "keras",
        "source_model_id": 3,
        "source_model_uri": "trained/4",
        "withdrawn": json.dumps(["trained/8"]),
    }


def test_a_second_rollback_goes_one_further_and_remembers_both():
    models = [model(2), model(4), model(6), model(8, withdrawn=json.dumps(["trained/6"]))]
    models[-1].custom_properties["source_model_uri"].string_value = "trained/4"
    blessings = [
        blessing(3, 2, anchor_replaced=1),
        blessing(5, 4, baseline_model_id=2),
        blessing(7, 6, baseline_model_id=4),
        blessing(9, 8, previous_champion="2", rollback_reason="bad"),
    ]
    found = find_restoration(models, blessings)
    assert found.model_id == 2
    assert found.previous == ""
    assert found.anchor_replaced
    assert json.loads(found.properties["withdrawn"]) == ["trained/6", "trained/4"]


@pytest.mark.parametrize(
    ("models", "blessings", "message"),
    [
        ([], [], "no model was pushed yet"),
        ([model(2)], [blessing(3, 2, blessed=0)], "no model was pushed yet"),
        ([model(2)], [blessing(3, 2)], "model 2, is the first one"),
        ([model(2), model(8)], [blessing(3, 2), blessing(9, 8, previous_champion="")], "model 8, is the first one"),
    ],
)
def test_where_there_is_none_before_it_says_so(models, blessings, message):
    with pytest.raises(RollbackError, match=message):
        find_restoration(models, blessings)


def test_a_champion_before_that_the_metadata_lost_is_named():
    with pytest.raises(RollbackError, match="model 2, the champion before model 4, is not in the metadata"):
        find_restoration([model(4)], [blessing(5, 4, baseline_model_id=2)])


@pytest.fixture
def restored(tmp_path):
    """A champion that a rollback restored, and the serving folder."""
    folder = tmp_path / "model"
    (folder / "Format-Serving").mkdir(parents=True)
    (folder / "Format-Serving" / "saved_model.pb").write_text("restored")
    champion = model(8, withdrawn=json.dumps(["trained/6"]))
    champion.uri = str(folder)
    return champion, str(tmp_path / "serving")


def test_a_rollback_whose_push_failed_is_done_again_instead_of_one_more(restored):
    champion, serving = restored
    blessed = blessed_models([model(2), model(6), champion], [blessing(3, 2), blessing(9, 8, previous_champion="2")])
    found = unfinished_restoration(blessed, serving)
    assert (found.model_id, found.uri, found.previous) == (8, champion.uri, "2")
    assert json.loads(found.properties["withdrawn"]) == ["trained/6"], "what it withdrew, not the restored model"

    serving_folder.push(serving, f"{champion.uri}/Format-Serving")
    assert unfinished_restoration(blessed, serving) is None


def test_a_champion_of_a_run_is_no_unfinished_rollback(restored):
    champion, serving = restored
    assert unfinished_restoration(blessed_models([champion], [blessing(9, 8)]), serving) is None
    assert unfinished_restoration({}, serving) is None
