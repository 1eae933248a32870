import pytest

from tools.local_vertex.placeholders import PlaceholderError, expand

GIVEN = {
    "inputs": {
        "parameterValues": {"text": "a 'b'", "whole": 6.0, "real": 0.25, "list": [1.0, "x"], "yes": True},
        "artifacts": {
            "model": {"artifacts": [{"uri": "/gcs/b/m", "name": "projects/1/m", "metadata": {"blessed": 1.0}}]},
            "none": {"artifacts": []},
        },
    },
    "outputs": {
        "artifacts": {"report": {"artifacts": [{"uri": "/gcs/b/r", "name": "n", "metadata": {}}]}},
        "parameters": {"best": {"outputFile": "/gcs/b/best"}},
    },
}
RUN = {"pipeline_job_name": "run-1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain {{x}} $ {}", "plain {{x}} $ {}"),
        ("a={{$.pipeline_job_name}}/{{$.pipeline_job_name}}", "a=run-1/run-1"),
        ("{{$.inputs.parameters['text']}}", "a 'b'"),
        ("{{$.inputs.parameters['whole']}}", "6"),
        ("{{$.inputs.parameters['real']}}", "0.25"),
        ("{{$.inputs.parameters['list']}}", '[1, "x"]'),
        ("{{$.inputs.parameters['yes']}}", "true"),
        ("{{$.inputs.artifacts['model'].uri}}", "/gcs/b/m"),
        ("{{$.inputs.artifacts['model'].name}}", "projects/1/m"),
        ("{{$.inputs.artifacts['model'].metadata['blessed']}}", "1"),
        ("{{$.outputs.artifacts['report'].uri}}", "/gcs/b/r"),
        ("{{$.outputs.parameters['best'].output_file}}", "/gcs/b/best"),
    ],
)
def test_values_take_the_placeholders_places(text, expected):
    assert expand(text, GIVEN, RUN) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{$.pipeline_job_uuid}}",
        "{{$.inputs.parameters['other']}}",
        "{{$.inputs.artifacts['other'].uri}}",
        "{{$.inputs.artifacts['none'].uri}}",
        "{{$.inputs.artifacts['model'].value}}",
        "{{$.json_escape[1]}}",
    ],
)
def test_others_are_refused_by_name(text):
    with pytest.raises(PlaceholderError) as caught:
        expand(f"before {text}", GIVEN, RUN)
    assert text in str(caught.value)


def test_a_value_is_not_expanded_again():
    assert expand("{{$.inputs.parameters['x']}}", {"inputs": {"parameterValues": {"x": "{{$}}"}}}, {}) == "{{$}}"
