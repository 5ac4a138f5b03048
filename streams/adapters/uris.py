"""Which configured store a picture's URI lies in, and under which key; everything else is refused."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from streams.domain.errors import Poison, SettingsError

SCHEMES = ("file", "s3", "gs", "az", "memory")

_LONGEST_KEY = 1024
"""Bytes: the longest key that S3 and Google Cloud Storage accept."""

_LONGEST_SEGMENT = 255
"""Bytes: the longest file name of the usual file systems."""

_OUTSIDE = "outside the stores"


@dataclass(frozen=True, slots=True)
class Root:
    """One configured store: its URIs begin with `scheme://place/folder/`. A file store's folder is a real path."""

    scheme: str
    place: str
    folder: tuple[str, ...]

    @property
    def url(self) -> str:
        """The canonical URL of the store, without a slash at its end (but `memory://`)."""
        return "/".join([f"{self.scheme}://{self.place}", *map(quote, self.folder)])

    @property
    def path(self) -> Path:
        """The folder of a file store."""
        return Path("/", *self.folder)

    def uri(self, key: str) -> str:
        return f"{self.url}/{quote(key)}"


def parse_root(url: str, *, setting: str) -> Root:
    """Read a store's URL, such as `file:var/store` (relative to the working directory) or `s3://bucket/folder`.

    Raises `SettingsError` naming `setting`.
    """
    parts = urlsplit(url)
    allowed = "file:, s3://, gs://, az:// or memory:"
    if parts.scheme not in SCHEMES or parts.query or parts.fragment:
        raise SettingsError(f"{setting}: {url!r} is no store; allowed: {allowed}")
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise SettingsError(f"{setting}: {url!r} names a host; write file:/path or file:relative/path")
        return Root("file", "", Path(unquote(parts.path)).resolve().parts[1:])
    folder = tuple(unquote(part) for part in parts.path.split("/") if part)
    if parts.scheme == "memory":
        if parts.netloc or folder:
            raise SettingsError(f"{setting}: a store in memory has no path; write memory:")
        return Root("memory", "", ())
    if not parts.netloc:
        raise SettingsError(f"{setting}: {url!r} names no bucket; allowed: {allowed}")
    return Root(parts.scheme, parts.netloc, folder)


def locate(uri: str, roots: tuple[Root, ...]) -> tuple[Root, str]:
    """The store that `uri` lies in, and its key there. Looks at the file system for `file:` URIs.

    Raises `Poison` when it lies in none of them: another scheme or bucket, a path that climbs or is encoded to hide
    that, a symbolic link that leads out, something that is no plain file.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise Poison(_OUTSIDE, f"{uri[:200]!r} is no URI") from error
    elsewhere = f"{uri[:200]!r}; store.url and store.read name {', '.join(root.url for root in roots)}"
    if parts.query or parts.fragment or parts.scheme not in {root.scheme for root in roots}:
        raise Poison(_OUTSIDE, elsewhere)
    segments, place = _segments(parts.path), parts.netloc
    if parts.scheme == "file":
        segments, place = _real(Path("/", *segments)), place.removeprefix("localhost")
    for root in roots:
        depth = len(root.folder)
        inside = (root.scheme, root.place, root.folder) == (parts.scheme, place, segments[:depth])
        if inside and len(segments) > depth:
            if root.scheme == "file":
                _refuse_pipes(Path("/", *segments))
            return root, "/".join(segments[depth:])
    raise Poison(_OUTSIDE, elsewhere)


def checked_key(name: str) -> str:
    """`name` when it can be a key of our own store. Raises `ValueError`: names are ours, a bad one is a bug."""
    if (wrong := _wrong(tuple(name.split("/")))) is not None:
        raise ValueError(f"picture name {name[:200]!r}: {wrong}")
    return name


def _segments(path: str) -> tuple[str, ...]:
    """The decoded segments of a URI's path; decoded once and each by itself, so that nothing hides in an encoding."""
    try:
        segments = tuple(unquote(part, errors="strict") for part in path.removeprefix("/").split("/"))
    except UnicodeDecodeError as error:
        raise Poison(_OUTSIDE, f"{path[:200]!r} is not UTF-8") from error
    if (wrong := _wrong(segments)) is not None:
        raise Poison(_OUTSIDE, f"{path[:200]!r}: {wrong}")
    return segments


def _wrong(segments: tuple[str, ...]) -> str | None:
    """Why these segments are no key, or None."""
    if any(part in {"", ".", ".."} for part in segments):
        return "empty, `.` and `..` segments are not allowed"
    if any(char in "/\\\x7f" or char < " " for part in segments for char in part):
        return "encoded slashes, backslashes and control characters are not allowed"
    if any(len(part.encode()) > _LONGEST_SEGMENT for part in segments) or len(_key(segments)) > _LONGEST_KEY:
        return f"longer than {_LONGEST_SEGMENT} bytes a segment or {_LONGEST_KEY} in all"
    return None


def _key(segments: tuple[str, ...]) -> bytes:
    return "/".join(segments).encode()


def _real(path: Path) -> tuple[str, ...]:
    """The segments of the real path, symbolic links followed."""
    try:
        return path.resolve().parts[1:]
    except (OSError, RuntimeError) as error:
        raise Poison(_OUTSIDE, f"{str(path)[:200]!r} is a circle of symbolic links") from error


def _refuse_pipes(path: Path) -> None:
    """A pipe or a device would block its reader for ever."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return  # reading it will say why
    if not stat.S_ISREG(kind):
        raise Poison("bad picture", f"{str(path)[:200]!r} is no file")
