from streams.domain.records import announcement, merge, next_revision
from streams.domain.values import Facts, Outcome, PictureSet, Reason
from tests.support.builders import OBJECT, at, facts, picture, record, sighting


def test_the_first_revision_is_the_time_of_the_record():
    assert next_revision(None, 1_764_000_000_000_000) == 1_764_000_000_000_000


def test_revisions_grow_with_time():
    assert next_revision(record(1), at(2)) == at(2)


def test_revisions_grow_even_where_clocks_lag():
    assert next_revision(record(5), at(2)) == at(5) + 1


def test_a_first_sighting_makes_a_record_of_all_that_it_tells():
    told = sighting(1, updates=3)
    made = merge(None, told, at(1.5))
    assert made.object_id == OBJECT
    assert (made.revision, made.updates, made.outcome) == (at(1.5), 3, Outcome.OPEN)
    assert (made.facts, made.pictures, made.description) == (told.facts, told.pictures, None)


def test_the_same_sighting_again_changes_nothing():
    made = merge(None, sighting(1), at(1))
    assert merge(made, sighting(1), at(9)) is made


def test_a_newer_sighting_makes_a_new_revision():
    made = merge(None, sighting(1), at(1))
    newer = merge(made, sighting(2), at(2))
    assert (newer.revision, newer.facts.frame_time) == (at(2), at(2))


def test_an_older_sighting_never_replaces_a_newer_one():
    made = merge(None, sighting(2), at(2))
    assert merge(made, sighting(1), at(3)) is made


def test_an_end_stays_an_end():
    ended = merge(None, sighting(2, outcome=Outcome.DONE, reason=Reason.ENDED), at(2))
    assert merge(ended, sighting(3), at(3)) is ended


def test_an_end_counts_whatever_its_frame_time():
    made = merge(None, sighting(5), at(5))
    assert merge(made, sighting(4, outcome=Outcome.DONE), at(6)).outcome is Outcome.DONE


def test_facts_never_take_a_description_away():
    described = record(1, outcome=Outcome.OPEN, description="A person at the door.")
    assert merge(described, sighting(2), at(2)).description == "A person at the door."


def test_an_announcement_names_what_changed_in_upstreams_shape():
    known = record(
        3,
        facts=Facts(
            camera="porch", label="person", sub_label="Ada", start_time=1, frame_time=at(3), top_score=0.9, zones=("a",)
        ),
        pictures=PictureSet(best=picture("best")),
    )
    told = announcement(known, Reason.ENDED)
    assert (told.type, told.id, told.camera, told.timestamp) == ("object", OBJECT, "porch", at(3))
    assert (told.reason, told.revision, told.outcome) == (Reason.ENDED, at(3), Outcome.DONE)
    assert (told.label, told.sub_label, told.score, told.zones) == ("person", "Ada", 0.9, ("a",))


def test_an_object_of_which_nothing_but_facts_is_known_has_a_record_too():
    assert merge(None, sighting(1, pictures=PictureSet(), facts=facts(1)), at(1)).pictures == PictureSet()
