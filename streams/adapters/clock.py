"""The clock on the wall, for what a person does: everywhere else, time is an argument."""

from __future__ import annotations

import time

from streams.domain.values import Instant


def now() -> Instant:
    return time.time_ns() // 1_000
