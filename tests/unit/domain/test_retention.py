from datetime import timedelta

from streams.domain.retention import Retention, micros


def test_durations_become_microseconds():
    assert micros(timedelta(days=30)) == 2_592_000_000_000
    kept = Retention.of(objects=timedelta(days=1), open_objects=timedelta(hours=1), ended=timedelta(seconds=1.5))
    assert (kept.objects, kept.open_objects, kept.ended) == (86_400_000_000, 3_600_000_000, 1_500_000)
