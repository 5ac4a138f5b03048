"""Durations as settings write them: `250ms`, `10s`, `5m`, `12h`, `30d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_text(value: timedelta) -> str:
    """A duration as it is written here: the largest unit that leaves a whole number."""
    whole = (unit for unit, seconds in reversed(_UNITS.items()) if not value % timedelta(seconds=seconds))
    unit = next(whole, "ms")
    return f"{value / timedelta(seconds=_UNITS[unit]):.15g}{unit}"


def _read(value: object) -> object:
    """A bare number is seconds; ISO 8601 (`PT10S`) is left to pydantic."""
    if isinstance(value, str) and (match := _WRITTEN.fullmatch(value.strip())):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    if isinstance(value, bool) or (isinstance(value, str) and not value.startswith("P")):
        raise ValueError("expected a duration such as 250ms, 10s, 5m, 12h or 30d")
    return value


def _some_time(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


Duration = Annotated[
    timedelta, BeforeValidator(_read), AfterValidator(_some_time), PlainSerializer(duration_text, when_used="json")
]
"""A setting's type: longer than nothing."""
