"""Points in time may be given as a distance from now or as ISO 8601."""

from __future__ import annotations

import pytest
import typer

from streams.cli.times import instant
from streams.domain.values import SECOND

NOW = 1_764_000_000 * SECOND


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2h", 7_200), ("3d", 259_200), ("1.5h", 5_400), (" 1 w ", 604_800)]
)
def test_a_distance_counts_back_from_now(text, seconds):
    assert instant(text, NOW) == NOW - seconds * SECOND


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-24T16:00:00Z", NOW),
        ("2025-11-24T17:00:00+01:00", NOW),
        ("2025-11-24T16:00:00", NOW),
        ("2025-11-24T16:00:00.250Z", NOW + SECOND // 4),
        ("2025-11-24", NOW - 16 * 3_600 * SECOND),
    ],
)
def test_a_time_is_in_utc_where_it_names_no_zone(text, expected):
    assert instant(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2h ago", "-2h", "2025-13-01", "9999999d", f"{'9' * 400}d"])
def test_anything_else_is_refused_with_what_is_understood(text):
    with pytest.raises(typer.BadParameter, match="is no time: write 2h, 3d, 2026-05-31 or"):
        instant(text, NOW)
