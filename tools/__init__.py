"""Developers' tools. The wheel does not contain them, and nothing that is shipped imports them."""
