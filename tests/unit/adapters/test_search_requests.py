"""Search requests: what may be asked, and how a question and its answer travel over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.rendering import line
from streams.adapters.search import Search, SearchRequest, hits_of, parameters_of, request_of
from streams.domain.errors import SettingsError
from streams.ports import Hit
from tests.support.documents import NOON, document, vector
from tests.support.fake_index import FakeIndex
from tests.support.search_server import WordEmbedder

EMBEDDER = WordEmbedder({"red": (1.0, 0.0), "green": (0.0, 1.0)})
HIT = Hit(
    object_id="a/b c",
    score=0.25,
    camera="yard",
    label="person",
    sub_label=None,
    zones=("porch", "street"),
    start_time=NOON + 123_456,
    end_time=None,
    top_score=0.5,
    description="Tür\n🚪",
    thumbnail=None,
)

names = st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple)
moments = st.none() | st.integers(min_value=0, max_value=4 * 10**15)


def grouped(request: SearchRequest) -> dict[str, tuple[str, ...]]:
    pairs = list(parameters_of(request))
    return {name: tuple(value for other, value in pairs if other == name) for name, _ in pairs}


@given(
    st.builds(
        SearchRequest,
        text=st.none() | st.text(min_size=1, max_size=20).filter(lambda text: text == text.strip()),
        cameras=names,
        labels=names,
        zones=names,
        sub_labels=names,
        plates=names,
        after=moments,
        limit=st.integers(min_value=1, max_value=1000),
    )
)
def test_a_request_survives_its_query_string(request):
    assert request_of(grouped(request)) == request


def test_options_are_parameters_and_lists_repeat():
    asked = {"text": (" a dog ",), "camera": ("a", "b"), "sub-label": ("Rex",), "before": ("2025-11-25T12:00",)}
    assert request_of(asked) == SearchRequest(text="a dog", cameras=("a", "b"), sub_labels=("Rex",), before=NOON)


def test_nothing_asks_for_the_newest():
    request = request_of({})
    assert (request.ranked, request.limit) == (False, 20)
    assert request_of({"text": ("  ",), "like": ("",)}) == request


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"colour": ("red",)}, "colour: no such parameter; there are camera, label"),
        ({"limit": ("many",)}, "limit: 'many' is no whole number"),
        ({"limit": ("0",)}, "limit: 0 is not between 1 and 1000"),
        ({"limit": ("1001",)}, "limit: 1001 is not between"),
        ({"text": ("a", "b")}, "text: given 2 times"),
        ({"text": ("a",), "like": ("b",)}, "a text and an object to be like: one of them"),
        ({"after": ("yesterday",)}, "after: 'yesterday' is no time"),
        ({"before": ("9999-12-31T23:59:59-23:59",), "after": ("9999-12-31T23:59:59-23:59",)}, "earlier than before"),
    ],
)
def test_a_wrong_question_is_refused_by_name(parameters, said):
    with pytest.raises(ValueError, match=said):
        request_of(parameters)


def test_hits_survive_the_answer():
    hits = [HIT, replace(HIT, score=None, end_time=NOON, sub_label="Alice", thumbnail="https://a/b.jpg")]
    assert hits_of(line({"hits": hits}).encode()) == hits


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"hits": [{"object_id": "a"}]}'])
def test_another_programs_answer_is_no_list_of_hits(answer):
    with pytest.raises(ValueError, match=r"."):
        hits_of(answer)


@pytest.fixture
async def index():
    index = FakeIndex()
    await index.put(document("red", thumbnail=vector((1.0, 0.0))))
    await index.put(document("green", camera="yard", thumbnail=vector((0.0, 1.0)), start_time=NOON + 1))
    return index


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (SearchRequest(text="red"), ["red", "green"]),
        (SearchRequest(text="red", limit=1), ["red"]),
        (SearchRequest(text="red", cameras=("yard",)), ["green"]),
        (SearchRequest(like="red"), ["green"]),
        (SearchRequest(), ["green", "red"]),
        (SearchRequest(before=NOON + 1), ["red"]),
    ],
)
async def test_words_likeness_and_filters_find_objects(index, request_, expected):
    assert [hit.object_id for hit in await Search(index, EMBEDDER).run(request_)] == expected


async def test_without_embedding_filters_work_and_words_say_why_not(index):
    search = Search(index, None)
    assert [hit.object_id for hit in await search.answer({"camera": ("yard",)})] == ["green"]
    with pytest.raises(SettingsError, match=r"embedding\.enabled is false"):
        await search.answer({"text": ("red",)})
