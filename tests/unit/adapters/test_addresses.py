"""Workers are found by the small files that they leave while they run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.adapters.addresses import Address, announced, candidates, found
from streams.domain.errors import SettingsError
from streams.settings import Worker


def test_a_worker_is_found_while_it_runs(tmp_path):
    with announced(tmp_path / "worker", "porch", "http://127.0.0.1:8077"):
        expected = Address(name="porch", url="http://127.0.0.1:8077", pid=os.getpid())
        assert found(tmp_path / "worker") == (expected,)
    assert found(tmp_path / "worker") == ()


def test_several_workers_share_a_folder(tmp_path):
    with announced(tmp_path, "b", "http://127.0.0.1:2"), announced(tmp_path, "a", "http://127.0.0.1:1"):
        assert [address.name for address in found(tmp_path)] == ["a", "b"]


def test_nothing_is_found_where_no_worker_ever_ran(tmp_path):
    assert found(tmp_path / "nowhere") == ()


def test_a_damaged_file_is_passed_over(tmp_path):
    (tmp_path / "http-old.json").write_text('{"name": "old"')
    with announced(tmp_path, "new", "http://127.0.0.1:1"):
        assert [address.name for address in found(tmp_path)] == ["new"]


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("127.0.0.1", "http://127.0.0.1:8077"),
        ("0.0.0.0", "http://127.0.0.1:8077"),
        ("::", "http://[::1]:8077"),
        ("porch.example", "http://porch.example:8077"),
    ],
)
def test_the_configured_port_is_asked_where_it_can_be_reached(tmp_path, host, asked):
    assert candidates(Worker(host=host, port=8077, data=tmp_path)) == (asked,)


def test_announced_workers_are_asked_first_and_nobody_twice(tmp_path):
    with announced(tmp_path, "b", "http://127.0.0.1:8077"), announced(tmp_path, "a", "http://127.0.0.1:1"):
        expected = ("http://127.0.0.1:1", "http://127.0.0.1:8077")
        assert candidates(Worker(port=8077, data=tmp_path)) == expected
        assert candidates(Worker(port=0, data=tmp_path)) == expected


def test_a_folder_that_cannot_be_written_is_refused_by_the_settings_name(tmp_path):
    blocked = Path(tmp_path / "file")
    blocked.write_text("")
    with (
        pytest.raises(SettingsError, match=r"worker\.data: cannot write .*http-porch\.json"),
        announced(blocked, "porch", "http://127.0.0.1:1"),
    ):
        pass
