"""How pictures are named in the store: one prefix per object, safe for any object id."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

_READABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OBJECTS = UUID("6f0a2b1c-52d1-5a37-9d0e-4b8a7c3f1e90")
"""Namespace of the names that stand in for unreadable object ids; never changes, or pictures are lost."""


def object_prefix(object_id: str) -> str:
    """The prefix of all pictures of one object: its id where that is a plain name, else a UUID derived from it."""
    plain = _READABLE.fullmatch(object_id) and object_id.strip(".")
    return f"objects/{object_id if plain else uuid5(_OBJECTS, object_id)}"
