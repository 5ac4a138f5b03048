import pytest

from streams.domain.embedding import Embedded, candidates, digest, is_due
from streams.domain.values import Outcome, PictureSet
from tests.support.builders import at, picture, record

FIRST, SECOND, THIRD = (picture(f"thumb-{second}", second) for second in (1, 2, 3))


def test_the_best_picture_stands_for_the_object_then_the_newest_thumbnails_then_the_snapshot():
    best, snapshot = picture("best"), picture("snapshot")
    pictures = PictureSet(best=best, thumbnails=(FIRST, SECOND, THIRD), snapshot=snapshot)
    assert candidates(pictures) == (best, THIRD, SECOND, FIRST, snapshot)


def test_no_picture_is_tried_twice():
    assert candidates(PictureSet(best=SECOND, thumbnails=(FIRST, SECOND))) == (SECOND, FIRST)


def test_without_pictures_there_is_nothing_to_try():
    assert candidates(PictureSet()) == ()


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.NO_PICTURE, Outcome.ABANDONED])
def test_every_ended_object_gets_a_document(outcome):
    assert is_due(None, record(1, outcome=outcome))


def test_an_open_object_gets_no_document():
    assert not is_due(None, record(1, outcome=Outcome.OPEN))


@pytest.mark.parametrize(("revision", "due"), [(at(1) - 1, False), (at(1), False), (at(1) + 1, True)])
def test_only_a_higher_revision_calls_for_another_document(revision, due):
    assert is_due(Embedded(revision=at(1)), record(1, revision=revision)) is due


def test_texts_are_remembered_by_a_digest_of_the_same_length():
    assert len(digest("a")) == len(digest("a" * 10_000)) == 64
    assert digest("a") != digest("b")
