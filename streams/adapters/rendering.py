"""Messages as JSON for people and scripts: times in ISO 8601, bytes in Base64, enums by their symbol."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import TypeAlias

from streams.domain.errors import Poison
from streams.domain.times import calendar
from streams.domain.values import Instant

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def iso(time: Instant) -> str:
    """A point in time as ISO 8601 in UTC; the plain number where no calendar reaches that far."""
    try:
        return calendar(time).isoformat().replace("+00:00", "Z")
    except Poison:
        return str(time)


def plain(value: object) -> Json:
    """A dataclass, or a part of one, as JSON values; numbers that JSON does not know become text."""
    match value:
        case Enum():
            return str(value.value)
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            times = _times(type(value))
            return {f.name: _field(getattr(value, f.name), is_time=f.name in times) for f in fields(value)}
        case _:
            return _scalar(value)


def line(value: object) -> str:
    """One line of JSON."""
    return json.dumps(plain(value), ensure_ascii=False)


def _scalar(value: object) -> Json:
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return str(value)


def _field(value: object, *, is_time: bool) -> Json:
    return iso(value) if is_time and isinstance(value, int) else plain(value)


@cache
def _times(kind: type) -> frozenset[str]:
    """Fields that are annotated as points in time: they are plain integers otherwise."""
    return frozenset(f.name for f in fields(kind) if str(f.type).split(" ")[0] == "Instant")
