"""Only URIs inside the configured stores are touched, whatever they are dressed up as."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters.uris import Root, checked_key, locate, parse_root
from streams.domain.errors import Poison, SettingsError

BUCKET = Root("s3", "pics", ("nvr",))
MEMORY = Root("memory", "", ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "store"
    (inside / "a").mkdir(parents=True)
    (inside / "a" / "b.jpg").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return inside


def files(folder: Path) -> tuple[Root, ...]:
    return (parse_root(f"file:{folder}", setting="store.url"),)


def test_a_relative_file_store_becomes_an_absolute_url(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    root = parse_root("file:var/store", setting="store.url")

    assert root.url == f"file://{tmp_path.resolve()}/var/store"
    assert root.uri("objects/a b/1.jpg") == f"file://{tmp_path.resolve()}/var/store/objects/a%20b/1.jpg"


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("memory:", "memory://"),
        ("s3://pics", "s3://pics"),
        ("s3://pics/nvr/", "s3://pics/nvr"),
        ("gs://pics/a b", "gs://pics/a%20b"),
        ("az://account/container", "az://account/container"),
        ("file:///data/pictures", "file:///data/pictures"),
    ],
)
def test_store_urls_have_one_canonical_form(url, canonical) -> None:
    assert parse_root(url, setting="store.url").url == canonical


@pytest.mark.parametrize(
    "url", ["http://host/x", "ftp://x", "var/store", "", "s3:", "file://host/x", "memory:///a", "s3://b?x=1"]
)
def test_a_url_that_is_no_store_is_refused_by_the_settings_name(url) -> None:
    with pytest.raises(SettingsError, match=r"^store\.read: "):
        parse_root(url, setting="store.read")


@pytest.mark.parametrize("root", [BUCKET, MEMORY])
@given(st.lists(st.from_regex(r"[^\x00-\x1f/\\\x7f]{1,20}", fullmatch=True), min_size=1, max_size=4))
def test_every_uri_that_we_give_leads_back_to_its_key(root, parts) -> None:
    key = "/".join(part if part.strip(".") else "dots" for part in parts)

    assert locate(root.uri(key), (BUCKET, MEMORY)) == (root, key)


def test_a_file_leads_back_to_its_key(folder) -> None:
    (root,) = roots = files(folder)

    assert locate(root.uri("a/b.jpg"), roots) == (root, "a/b.jpg")
    assert locate(f"file://localhost{folder}/a/b.jpg", roots) == (root, "a/b.jpg")
    assert locate(root.uri("a/missing.jpg"), roots) == (root, "a/missing.jpg")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/a/../../secret.txt",
        "/a/../a/b.jpg",
        "/%2e%2e/secret.txt",
        "/a/%2E%2E/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/a%5c..%5cb.jpg",
        "/a//b.jpg",
        "/./a/b.jpg",
        "/a/b.jpg%00.png",
        "/a/%ff.jpg",
        "/a/b.jpg?x",
        "/a/b.jpg#x",
        "",
        "/",
        "/" + "x" * 300,
        "/x" * 800,
    ],
)
def test_paths_that_climb_or_hide_are_refused(folder, path) -> None:
    with pytest.raises(Poison, match="outside the stores"):
        locate(f"file://{folder}{path}", files(folder))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "a/b.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://host/etc/passwd",
        "file:///etc",
        "http://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/x.jpg",
        "http://[broken/x.jpg",
        "s3://other/nvr/a.jpg",
        "s3://pics/nvr2/a.jpg",
        "s3://pics/nvr",
        "s3://pics/a.jpg",
        "s3://user@pics/nvr/a.jpg",
        "s3://pics:80/nvr/a.jpg",
        "s3://localhostpics/nvr/a.jpg",
        "gs://pics/nvr/a.jpg",
        "memory://host/a.jpg",
        "data:image/jpeg;base64,AAAA",
    ],
)
def test_other_places_are_refused_and_the_stores_named(uri) -> None:
    with pytest.raises(Poison, match="outside the stores"):
        locate(uri, (BUCKET, MEMORY, Root("file", "", ("data",))))


def test_a_link_that_leads_out_is_refused_and_one_inside_is_followed(folder) -> None:
    (folder / "out").symlink_to(folder.parent)
    (folder / "gone").symlink_to(folder.parent / "nowhere.jpg")
    (folder / "in.jpg").symlink_to(folder / "a" / "b.jpg")
    (folder / "circle").symlink_to(folder / "circle")
    (root,) = roots = files(folder)

    assert locate(f"file://{folder}/in.jpg", roots) == (root, "a/b.jpg")
    for name in ("out/secret.txt", "gone", "circle"):
        with pytest.raises(Poison, match="outside the stores"):
            locate(f"file://{folder}/{name}", roots)


def test_a_store_behind_a_link_is_found_by_both_its_names(folder) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    (root,) = roots = files(link)

    assert locate(f"file://{link}/a/b.jpg", roots) == locate(f"file://{folder}/a/b.jpg", roots) == (root, "a/b.jpg")
    assert locate(f"file://{link}/a/missing.jpg", roots) == (root, "a/missing.jpg")


def test_a_pipe_is_refused_before_anyone_waits_for_it(folder) -> None:
    os.mkfifo(folder / "pipe")

    for name in ("pipe", "a"):
        with pytest.raises(Poison, match="is no file"):
            locate(f"file://{folder}/{name}", files(folder))


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "../a", "a/..", "a\x00", "a\\b", "x" * 256])
def test_a_bad_name_of_ours_is_a_bug(name) -> None:
    with pytest.raises(ValueError, match="picture name"):
        checked_key(name)
