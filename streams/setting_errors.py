"""Says what is wrong with a setting: by its name, with what is allowed, and never with a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import TypeAlias, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as NotJson

Keys: TypeAlias = Sequence[str | int]
"""The path to a setting from the top of the tree."""

_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
"""Up to the last `@`, as URLs are read: a password may hold one that nobody escaped."""


def without_credentials(text: str) -> str:
    """The text, with the `user:password@` of every URL in it hidden."""
    return _CREDENTIALS.sub("**********", text)


def find(tree: type[BaseModel], keys: Keys) -> FieldInfo | None:
    """The setting at this path; one that holds a list or a mapping also answers for what is in it."""
    section: type[BaseModel] | None = tree
    field: FieldInfo | None = None
    for key in keys:
        if section is None:
            return field if field and get_origin(field.annotation) in {dict, tuple} else None
        field = section.model_fields.get(str(key))
        if field is None:
            return None
        section = _section(field)
    return field


def no_such(tree: type[BaseModel], keys: Keys) -> str:
    """One line about a setting that does not exist."""
    parent = find(tree, keys[:-1])
    section = _section(parent) if parent else tree
    known = list(section.model_fields) if section else []
    near = difflib.get_close_matches(str(keys[-1]), known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    allowed = f" ({hint}known here: {', '.join(known)})" if known else ""
    return f"{_dotted(keys)}: no such setting{allowed}"


def wrong(tree: type[BaseModel], problem: ErrorDetails) -> str:
    """One line about a setting that was refused."""
    keys = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return no_such(tree, keys)
    if isinstance(problem.get("ctx", {}).get("error"), NotJson):
        return f"{problem['msg']}: there, lists and sections are written as JSON".removeprefix("Value error, ")
    message = problem["msg"].removeprefix("Value error, ")
    return f"{_dotted(keys) or 'settings'}: {message}{_given(tree, keys, problem['input'])}"


def _given(tree: type[BaseModel], keys: Keys, value: object) -> str:
    """The refused value, where it is a plain one and cannot be a secret."""
    field = find(tree, keys)
    if field is None or _section(field) or not isinstance(value, str | int | float):
        return ""
    if SecretStr in {field.annotation, *get_args(field.annotation)}:
        return ""
    return f" (given: {without_credentials(repr(value))})"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))
