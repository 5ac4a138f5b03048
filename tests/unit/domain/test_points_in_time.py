import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.errors import Poison
from streams.domain.times import instant, rfc3339
from streams.domain.values import SECOND
from tests.support.documents import NOON

EARLIEST, LATEST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1


@given(st.integers(min_value=EARLIEST, max_value=LATEST))
def test_times_survive_writing_and_reading(moment):
    assert instant(rfc3339(moment)) == moment


@pytest.mark.parametrize("text", ["2025-11-25T14:00:00+02:00", "2025-11-25T12:00:00Z", "2025-11-25T12:00"])
def test_times_are_read_with_any_offset_and_are_utc_without(text):
    assert instant(text) == NOON


def test_what_is_no_time_is_refused():
    with pytest.raises(ValueError, match="yesterday"):
        instant("yesterday")


@pytest.mark.parametrize("moment", [EARLIEST - 1, LATEST + 1, 2**62])
def test_a_time_that_no_calendar_has_is_poison(moment):
    with pytest.raises(Poison, match=f"bad time: {moment} µs"):
        rfc3339(moment)
