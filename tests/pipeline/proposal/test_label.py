"""The label, from the names and values of hand-made profiles."""

import pytest

from models.config import SettingsError
from pipeline.profiling.forms import Form
from pipeline.proposal.label import choose_label
from pipeline.proposal.label_sql import label_sql
from pipeline.proposal.wishes import Wishes
from tests.pipeline.proposal.profiles import column, numbers, table


def choose(*columns, **wishes):
    return choose_label(table(*columns), Wishes(**wishes))


@pytest.mark.parametrize(
    "name",
    [
        "converted",
        "Churn",
        "is_churned",
        "y",
        "label",
        "Revenue",
        "converted_30d",
        "Clicked on Ad",
        "구매 여부",
        "이탈여부",
    ],
)
def test_a_column_named_like_a_label(name):
    label = choose(
        column("gender", {"M": 60, "F": 40}), column(name, {"0": 90, "1": 10}), column("age", {"1": 1, "2": 9})
    )
    assert label.column.name == name
    assert label.positive == ("1",)
    assert (label.positives, label.rows) == (10, 100)


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        ({"yes": 10, "no": 90}, "yes"),
        ({"yes": 90, "no": 10}, "yes"),
        ({"TRUE": 90, "FALSE": 10}, "TRUE"),
        ({"t": 90, "f": 10}, "t"),
        ({"1": 90, "-1": 10}, "1"),
        ({"1.0": 90, "0.0": 10}, "1.0"),
        ({"Churned": 70, "Stayed": 30}, "Churned"),
        ({"converted": 70, "not converted": 30}, "converted"),
        ({"won": 70, "lost": 30}, "won"),
        ({"Attrited Customer": 70, "Existing Customer": 30}, "Attrited Customer"),
        ({"예": 70, "아니오": 30}, "예"),
        ({"ja": 70, "nein": 30}, "ja"),
        ({"구매": 70, "미구매": 30}, "구매"),
        ({"Y": 70, "N": 30}, "Y"),
    ],
)
def test_words_say_which_value_counts_as_1(values, positive):
    label = choose(column("target", values))
    assert label.positive == (positive,)
    assert not label.unsure
    assert label.why_positive == "the words of its values say so"


@pytest.mark.parametrize("values", [{"<=50K": 75, ">50K": 25}, {"1": 70, "2": 30}, {"M": 60, "F": 40}])
def test_the_rarer_value_counts_as_1_where_words_do_not_tell(values):
    label = choose(column("target", values))
    assert label.positive == (min(values, key=values.get),)
    assert label.unsure
    assert "rarer" in label.why_positive


def test_a_named_label_comes_before_what_only_has_two_values():
    """As in the bank's table of UCI: default, housing and loan are features."""
    yes_no = {"yes": 40, "no": 60}
    label = choose(*(column(name, yes_no) for name in ("default", "housing", "loan", "y")))
    assert label.column.name == "y"


def test_the_past_is_no_label():
    assert choose(column("purchased_before", {"0": 5, "1": 5}), column("purchased", {"0": 5, "1": 5})).column.name == (
        "purchased"
    )


def test_two_candidates_stop_with_a_question():
    with pytest.raises(SettingsError) as caught:
        choose(
            column("churned", {"yes": 25, "no": 75}), column("upgraded", {"1": 10, "0": 90}), column("age", {"1": 9})
        )
    message = str(caught.value)
    assert "churned   'yes' in 25 of 100 rows (25.0%)" in message
    assert "upgraded  '1' in 10 of 100 rows (10.0%)" in message
    assert message.endswith("Add LABEL=<one of: churned, upgraded>")
    assert "age" not in message


def test_no_candidate_names_the_nearest():
    with pytest.raises(SettingsError, match="no column looks like a label") as caught:
        choose(column("gender", {"M": 50, "F": 50}), column("status", {"won": 10, "lost": 20, "open": 70}))
    assert "gender: 'F'" in str(caught.value) or "gender: 'M'" in str(caught.value)
    assert "LABEL='status' POSITIVE=<value>: open, lost, won" in str(caught.value)


def test_a_wished_label_with_more_values_needs_its_positive_value():
    status = column("status", {"won": 10, "lost": 20, "open": 70})
    with pytest.raises(SettingsError, match=r"Which of them counts as 1.*POSITIVE="):
        choose(status, label="status")
    with pytest.raises(SettingsError, match="POSITIVE=win: 'status' has no such value: open, lost, won"):
        choose(status, label="status", positive="win")
    label = choose(status, label="status", positive="Won")
    assert (label.positives, label.rows) == (10, 100)
    assert label_sql(label, is_text_file=True) == "IF(t.status = 'won', 1, 0)"


def test_a_wished_label_that_is_no_column():
    with pytest.raises(SettingsError, match=r"LABEL=churnd: .* no column of this name; did you mean LABEL=churned\?"):
        choose(column("churned", {"0": 5, "1": 5}), label="churnd")


def test_a_wished_label_that_is_no_label():
    amount = numbers("amount", 0, 80, distinct=90, is_private=True)
    with pytest.raises(SettingsError, match=r"LABEL=amount: the column has 90 values, and a label has two\."):
        choose(amount, label="amount")
    with pytest.raises(SettingsError, match=r"POSITIVE=5: 'amount' has no such value\."):
        choose(amount, label="amount", positive="5")
    with pytest.raises(SettingsError, match="LABEL=empty: the column is empty"):
        choose(amount, column("empty", {}, filled=0), label="empty")


def test_a_wish_decides_against_words():
    assert choose(column("churned", {"yes": 25, "no": 75}), positive="no").positive == ("no",)


def test_a_text_for_a_missing_value_is_no_third_value():
    label = choose(column("churned", {"yes": 25, "no": 70, "?": 5}, missing_like={"?": 5}))
    assert (label.positives, label.rows) == (25, 95)


def test_one_class():
    label = choose(column("gender", {"M": 50, "F": 50}), column("converted", {"0": 100}))
    assert (label.column.name, label.positives, label.rows) == ("converted", 0, 100)
    label = choose(column("converted", {"1": 100}))
    assert (label.positives, label.rows) == (100, 100)


@pytest.mark.parametrize(
    ("made", "is_text_file", "sql"),
    [
        (column("y", {"yes": 1, "no": 2}), True, "CASE t.y WHEN 'yes' THEN 1 WHEN 'no' THEN 0 END"),
        (column("y", {"TRUE": 1, "FALSE": 2}, form=Form.BOOLEAN), True, "CAST(t.y AS INT64)"),
        (column("y", {"true": 1, "false": 2}, type="BOOL"), False, "CAST(t.y AS INT64)"),
        (column("y", {"1": 1, "0": 2}, form=Form.INTEGER), True, "t.y"),
        (column("y", {"1": 1, "0": 2}, form=Form.INTEGER), False, "CASE t.y WHEN '1' THEN 1 WHEN '0' THEN 0 END"),
        (column("y", {"1": 1, "0": 2}, type="INT64"), False, "t.y"),
        (column("y", {"1.0": 1, "0.0": 2}, type="FLOAT64"), False, "CAST(t.y AS INT64)"),
        (column("y", {"1": 1, "-1": 2}, type="INT64"), False, "CASE t.y WHEN 1 THEN 1 WHEN -1 THEN 0 END"),
        (
            column("y", {"yes": 1, "no": 2, "Yes": 1}),
            True,
            "CASE LOWER(TRIM(t.y)) WHEN 'yes' THEN 1 WHEN 'no' THEN 0 END",
        ),
        (column("구매", {"예": 1, "아니오": 2}), True, "CASE t.`구매` WHEN '예' THEN 1 WHEN '아니오' THEN 0 END"),
        (column("y", {"it's": 1, "not it's": 2}), True, r"CASE t.y WHEN 'it\'s' THEN 1 WHEN 'not it\'s' THEN 0 END"),
    ],
)
def test_the_sql_of_a_label(made, is_text_file, sql):
    assert label_sql(choose_label(table(made), Wishes(label=made.name)), is_text_file) == sql


def test_numbers_are_no_label():
    with pytest.raises(SettingsError, match="no column looks like a label"):
        choose(numbers("age", 18, 80, distinct=60), numbers("churn", 0, 5, distinct=6))
