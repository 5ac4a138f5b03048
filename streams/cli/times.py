"""Points in time as people give them."""

from __future__ import annotations

import re

import typer

from streams.domain import times
from streams.domain.errors import Poison
from streams.domain.values import SECOND, Instant

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def instant(text: str, now: Instant) -> Instant:
    """`2h` is two hours before `now` (s, m, h, d, w); else a date or time in ISO 8601, UTC where it names no zone.

    Raises `typer.BadParameter`.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            moment = now - round(float(ago[1]) * _SECONDS[ago[2]] * SECOND)
        else:
            moment = times.instant(text.strip())
        times.rfc3339(moment)
    except (ValueError, OverflowError, Poison) as error:
        raise typer.BadParameter(f"{text!r} is no time: write 2h, 3d, 2026-05-31 or 2026-05-31T12:00:00Z") from error
    return moment
