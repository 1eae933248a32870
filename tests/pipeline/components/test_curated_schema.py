from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schema
from pipeline.components.curated_schema import CuratedSchema
from pipeline.settings.dataset_folder import DatasetFolder


def schema_text(**options):
    component = CuratedSchema(DatasetFolder.load(schema.ROOT / "ga4").schema_path, **options)
    return component.spec.exec_properties["schema_text"]


def names(text):
    return [feature.name for feature in text_format.Parse(text, schema_pb2.Schema()).feature]


def test_the_schema_is_the_file():
    assert schema_text() == (schema.ROOT / "ga4" / "schema.pbtxt").read_text()


def test_features_that_are_left_out_are_not_in_the_schema():
    out = ["device_category", "sessions_1_7"]
    assert names(schema_text(leave_out=out)) == [name for name in names(schema_text()) if name not in out]
