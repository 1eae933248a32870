"""Which columns may name a person or a thing. Their values never leave the warehouse: a profile does not list them."""

from __future__ import annotations

from pipeline.profiling.forms import Form
from pipeline.profiling.personal import is_hidden_name

#: Above this share of distinct values among the filled ones, a column may be an identifier.
IDENTIFIER_SHARE = 0.5
#: Up to this many distinct values a column is a category, whatever its name.
FEW_VALUES = 20
_PERSONAL_FORMS = frozenset({Form.EMAIL, Form.UUID, Form.IP_ADDRESS, Form.URL})


def is_private(name: str, filled: int, distinct: int) -> bool:
    """Whether a column may be an identifier by its values' number or its name, so that its values stay unseen.

    Args:
        name: the column's name.
        filled: rows with a value.
        distinct: distinct values.
    """
    if distinct <= 2:
        return False
    return distinct > IDENTIFIER_SHARE * filled or (distinct > FEW_VALUES and is_hidden_name(name))


def is_private_form(form: Form) -> bool:
    """Whether texts of this form name a person or a device."""
    return form in _PERSONAL_FORMS
