"""Which columns may name a person or a thing. Their values never leave the warehouse: a profile does not list them."""

from __future__ import annotations

import re

from pipeline.profiling.forms import Form
from pipeline.profiling.personal import snake_case

#: Above this share of distinct values among the filled ones, a column may be an identifier.
IDENTIFIER_SHARE = 0.5
#: Up to this many distinct values a column is a category, whatever its name.
FEW_VALUES = 20
#: Names of columns that tell who somebody is, in parts of a name.
_PERSONAL = re.compile(
    r"(^|[^a-z])(e?-?mail|phone|mobile|tel|fax|ssn|passport|iban|ip|first_?name|last_?name|full_?name|surname|user_?name"
    r"|customer_?name|login|address|street|(user|customer|client|member|visitor|account|person|patient|contact|device|"
    r"session|cookie|order|transaction|subscriber|guest|lead)_?(id|no|nr|number|key|uuid|guid)|pseudo_?id|uid|uuid|guid)"
    r"([^a-z]|$)"
)
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
    return distinct > IDENTIFIER_SHARE * filled or (
        distinct > FEW_VALUES and _PERSONAL.search(snake_case(name)) is not None
    )


def is_private_form(form: Form) -> bool:
    """Whether texts of this form name a person or a device."""
    return form in _PERSONAL_FORMS
