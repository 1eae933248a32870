import pytest

from pipeline.profiling.personal import has_personal_values, is_personal_name


@pytest.mark.parametrize(
    "name",
    [
        "user_id",
        "userId",
        "transactionID",
        "gclid",
        "e-mail.address",
        "Email",
        "first_name",
        "customerName",
        "zip",
        "ip",
    ],
)
def test_names_of_identifiers_and_persons(name):
    assert is_personal_name(name)


@pytest.mark.parametrize(
    "name", ["campaign_name", "method", "paid", "width", "ga_session_number", "page_title", "zipped", "video_provider"]
)
def test_other_names(name):
    assert not is_personal_name(name)


@pytest.mark.parametrize(
    "value",
    [
        "ann@example.com",
        "+49 (170) 123-45 67",
        "1762541842",
        "6f1ed002-ab59-4b3e-8e4b-0a1b2c3d4e5f",
        "9e107d9d372bb6826bd81d3542a419d6",
        "https://example.com/?email=x",
        "eyJhbGciOiJIUzI1NiJ9x1",
    ],
)
def test_values_that_may_identify_somebody(value):
    assert has_personal_values(["free", value])


@pytest.mark.parametrize(
    "value",
    ["free", "2024-03-01", "https://example.com/p/82", "Summer sale 2024", "1.10", "(not set)", "사과", "v1.2.3"],
)
def test_other_values(value):
    assert not has_personal_values([value])
