"""Any object id gives a safe prefix, and different ids give different ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.naming import object_prefix

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_an_upstream_id_stays_readable() -> None:
    assert object_prefix("1607123955.475377-mxklsc") == "objects/1607123955.475377-mxklsc"


@pytest.mark.parametrize(
    "strange", ["", ".", "..", "...", "../x", "a/b", "a\\b", "O'Test", "a#b", "🚲", "a\x00b", "x" * 65]
)
def test_a_strange_id_becomes_a_uuid(strange) -> None:
    assert re.fullmatch(r"objects/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", object_prefix(strange))


def test_the_prefix_of_an_id_never_changes() -> None:
    assert object_prefix("O'Test") == "objects/1da8783b-b324-5daf-8336-6cba0b7d1ef9"


@given(st.one_of(TEXT, st.just("x" * 10_000)))
def test_every_prefix_is_one_short_plain_folder(object_id) -> None:
    assert re.fullmatch(r"objects/(?!\.+$)[A-Za-z0-9._-]{1,64}", object_prefix(object_id))


@given(TEXT, TEXT)
def test_different_ids_never_share_a_prefix(one, other) -> None:
    assert (object_prefix(one) == object_prefix(other)) == (one == other)
