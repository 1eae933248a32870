"""Starts bqemulator 1.4.0 with corrections: one without which it cannot translate the GA4 query, and partitions.py.

Runs in the emulator's own environment.
"""

import partitions
from bqemulator.cli import main
from bqemulator.sql import translator
from sqlglot.errors import SqlglotError


def annotated(tree, schema):
    """The tree with its columns' types, or as it is where they can't be told.

    The original works on the tree itself, and goes on with a half-qualified one after an error.
    """
    try:
        qualified = translator.qualify(tree.copy(), schema=schema, dialect="duckdb", infer_schema=True)
        return translator.annotate_types(qualified, schema=schema)
    except SqlglotError:
        return tree


translator.SQLTranslator._annotate_tree = staticmethod(annotated)
partitions.install()
main()
