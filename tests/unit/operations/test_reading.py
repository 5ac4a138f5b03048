"""Topics are read whole up to the end that they have now, or followed, with every byte as it lies there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import pytest
from confluent_kafka import KafkaError

from streams.domain.errors import Outage, SettingsError
from streams.operations import lags, reading
from streams.operations.lags import group_lags
from streams.operations.reading import follow, whole
from streams.settings import Kafka
from tests.support.mock_broker import mock_broker

NOBODY = Kafka(bootstrap="127.0.0.1:9")


@pytest.fixture(scope="module")
def broker():
    with mock_broker() as running:
        yield running


@pytest.fixture
def kafka(broker):
    return Kafka(bootstrap=broker.bootstrap)


def test_a_record_comes_as_it_lies_there(broker, kafka):
    headers = {"ce_id": b"1", "odd": b"\xff"}
    broker.put("bytes", b"k\xff", b"\x00raw", headers=headers, time_ms=1_600_000_000_123)
    (record,) = whole(kafka, "bytes")
    assert (record.topic, record.offset, record.time) == ("bytes", 0, 1_600_000_000_123_000)
    assert (record.key, record.value, record.headers) == (b"k\xff", b"\x00raw", tuple(headers.items()))


def test_a_missing_key_and_a_missing_value_stay_missing(broker, kafka):
    broker.put("nulls", None, None)
    (record,) = whole(kafka, "nulls")
    assert (record.key, record.value, record.headers) == (None, None, ())


def test_an_empty_value_is_no_missing_value(broker, kafka):
    broker.put("empties", b"k", b"")
    assert [record.value for record in whole(kafka, "empties")] == [b""]


def test_every_partition_is_read_to_its_end(broker, kafka):
    for number in range(40):
        broker.put("many", str(number).encode(), b"x")
    records = list(whole(kafka, "many"))
    assert sorted(int(record.key or b"") for record in records) == list(range(40))
    assert len({record.partition for record in records}) > 1


@dataclass(frozen=True)
class Word:
    """What the client hands out at the end of a partition, or a record without content."""

    offset_: int
    code: int | None = None

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.offset_

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


def test_a_partition_whose_last_offsets_hold_no_record_ends_too():
    """Compacted away, or the marker of a transaction."""
    unread = reading._Unread({0: (0, 3)})
    assert unread.take(Word(0))
    assert unread
    assert not unread.take(Word(3, KafkaError._PARTITION_EOF))
    assert not unread


def test_progress_ends_with_everything(broker, kafka):
    for number in range(3):
        broker.put("bar", str(number).encode(), b"x")
    told = []
    list(whole(kafka, "bar", lambda done, total: told.append((done, total))))
    assert told[-1] == (3, 3)


def test_a_topic_that_does_not_exist_is_named_with_the_cure(kafka):
    with pytest.raises(LookupError, match=r"no topic nowhere: .*run: nvr-streams topics create"):
        list(whole(kafka, "nowhere"))


def test_following_from_the_beginning_gives_all_and_then_waits(broker, kafka):
    broker.put("follow", b"k", b"1")
    broker.put("follow", b"k", b"")
    records = follow(kafka, "follow", from_beginning=True)
    seen = list(islice((record for record in records if record), 2))
    assert [record.value for record in seen] == [b"1", b""]
    assert next(records) is None
    broker.put("follow", b"k", b"3")
    assert next(record for record in records if record).value == b"3"
    records.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(reading, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(lags, "ANSWER_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("read", [whole, follow])
def test_where_no_broker_answers_one_line_says_so(read):
    with pytest.raises(Outage, match=r"^kafka: no broker answers at 127\.0\.0\.1:9$"):
        next(read(NOBODY, "events"))


def test_a_client_that_cannot_start_is_a_wrong_setting(tmp_path):
    wrong = Kafka(security="ssl", ca_file=tmp_path / "none.pem")
    with pytest.raises(SettingsError, match=r"kafka: .*ssl\.ca\.location"):
        list(whole(wrong, "events"))


# ---- lags


def test_a_group_that_never_committed_lags_by_everything(broker, kafka):
    for number in range(5):
        broker.put("lagging", str(number).encode(), b"x")
    assert group_lags(kafka, {"nvr-track": ["lagging"]}) == {"nvr-track": 5}


def test_a_lag_is_unknown_while_a_topic_is_missing(kafka):
    assert group_lags(kafka, {"nvr-track": ["nowhere"]}) == {"nvr-track": None}


@pytest.mark.usefixtures("impatient")
def test_lags_of_nobody_are_an_outage():
    with pytest.raises(Outage, match="no broker answers"):
        group_lags(NOBODY, {"nvr-track": ["events"]})
