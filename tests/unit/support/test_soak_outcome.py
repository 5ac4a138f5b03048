"""How the outcomes of two runs are compared: what a clock made of a deadline counts for nothing, all else does."""

from __future__ import annotations

from dataclasses import replace

from streams.domain.messages import Message, ObjectRecord, Tombstone
from streams.domain.records import announcement
from streams.domain.values import Outcome as End
from streams.domain.values import Reason
from tests.support.builders import record
from tests.support.soak_outcome import Outcome, outcome

DONE = record(outcome=End.DONE)
ABANDONED = record(outcome=End.ABANDONED)


def left(*published: Message, points: dict[str, int] | None = None) -> Outcome:
    return outcome(
        published, root="/store", points=points or {}, buried=frozenset(), pictures=frozenset(), letters=frozenset()
    )


def said(known: ObjectRecord, reason: Reason = Reason.ENDED) -> Message:
    return announcement(known, reason)


def test_when_an_object_was_abandoned_does_not_count() -> None:
    later = replace(ABANDONED, revision=ABANDONED.revision + 7)
    one = left(ABANDONED, said(ABANDONED), points={ABANDONED.key: 1})
    two = left(later, said(later), points={ABANDONED.key: 8})
    assert one.differences(two) == []
    assert one.abandoned == {ABANDONED.key}


def test_when_an_object_was_deleted_does_not_count() -> None:
    later = replace(DONE, revision=DONE.revision + 7)
    one, two = left(said(DONE, Reason.DELETED)), left(said(later, Reason.DELETED))
    assert one.differences(two) == []
    assert one.deleted == {DONE.key}


def test_the_revision_of_an_end_that_was_told_counts() -> None:
    later = replace(DONE, revision=DONE.revision + 7)
    (objects,) = left(DONE).differences(left(later))
    assert objects.startswith(f"objects: {DONE.key} differs")


def test_an_object_that_is_deleted_leaves_no_record() -> None:
    assert left(DONE, Tombstone(of=ObjectRecord, name=DONE.key)).objects == {}


def test_what_is_only_in_one_of_them_is_named() -> None:
    (missing,) = left(DONE).differences(left())
    assert missing == f"objects: 1 only in the first, such as {DONE.key}"


def test_a_deadline_that_fired_in_one_of_them_alone_is_a_difference() -> None:
    names = {line.partition(":")[0] for line in left(said(ABANDONED)).differences(left())}
    assert names == {"updates", "abandoned"}
