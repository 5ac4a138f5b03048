"""Points in time on the calendar and as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from streams.domain.errors import Poison
from streams.domain.values import Instant

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def calendar(moment: Instant) -> datetime:
    """The time in UTC. Raises `Poison` outside the years 1 to 9999."""
    try:
        return EPOCH + timedelta(microseconds=moment)
    except OverflowError as error:
        raise Poison("bad time", f"{moment} µs is no time between the years 1 and 9999") from error


def rfc3339(moment: Instant) -> str:
    """The time in UTC, to the microsecond. Raises `Poison` outside the years 1 to 9999."""
    return calendar(moment).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(text: str) -> Instant:
    """The time that an ISO 8601 text names, in UTC where it has no offset. Raises `ValueError` for anything else."""
    parsed = datetime.fromisoformat(text)
    return ((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)
