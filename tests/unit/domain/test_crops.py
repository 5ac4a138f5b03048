from streams.domain.crops import crop, crop_name, crop_region, last_crop
from streams.domain.values import Attribute, Box, CropSource
from tests.support.builders import OBJECT, at, event, facts, frame, picture

FACE = Attribute(label="face", score=0.7, box=Box(620, 310, 640, 330))


def test_a_crop_has_a_margin_and_at_least_the_input_of_a_classifier():
    assert crop_region(Box(600, 300, 680, 420), frame()) == Box(528, 248, 752, 472)
    assert crop_region(Box(400, 100, 800, 500), frame()) == Box(360, 60, 840, 540)


def test_a_crop_stays_inside_the_frame():
    assert crop_region(Box(0, 0, 1280, 720), frame()) == Box(0, 0, 1280, 720)


def test_without_a_box_the_crop_is_the_whole_frame():
    told = crop(event(1, box=None), frame(1), picture("crop"), attempt=1, mask="")
    assert (told.frame_box, told.box) == (Box(0, 0, 1280, 720), None)


def test_a_crop_says_where_it_was_cut_and_where_the_object_is_inside():
    cut = picture("crop", 2)
    told = crop(event(2, current_attributes=(FACE,)), frame(2), cut, attempt=3, mask="0,0,1,1")
    assert (told.object_id, told.camera, told.label, told.frame_time) == (OBJECT, "porch", "person", at(2))
    assert (told.frame_box, told.box) == (Box(528, 248, 752, 472), Box(72, 52, 152, 172))
    assert (told.frame_width, told.frame_height, told.mask) == (1280, 720, "0,0,1,1")
    assert (told.attributes, told.attempt, told.source) == ((FACE,), 3, CropSource.DETECT)
    assert (told.picture, told.ended) == (cut, False)


def test_the_last_crop_has_no_picture():
    told = last_crop(OBJECT, facts(9, frame_width=1280, frame_height=720), attempt=4)
    assert (told.object_id, told.picture, told.ended, told.attempt) == (OBJECT, None, True, 4)
    assert (told.camera, told.label, told.frame_time, told.frame_width) == ("porch", "person", at(9), 1280)


def test_a_crop_is_named_after_its_object_and_the_time_of_its_frame():
    assert crop_name(event(1)) == f"objects/{OBJECT}/crop-1764000001000000.jpg"
