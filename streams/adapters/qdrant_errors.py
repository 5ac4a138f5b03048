"""What Qdrant's answers mean for a message: it can never be stored, or it has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from streams.domain.errors import Outage, Poison

REFUSED = "refused by the index"

# Bad request, conflict, too large, unprocessable: the request itself is wrong, and stays so.
_REFUSALS = frozenset({400, 409, 413, 422})
_HINTS = {
    401: "check index.api_key",
    403: "forbidden, or locked against writes",
    404: "the collection is not there",
    429: "too many requests",
    507: "its disk is full",
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the client raises as `Poison` (the request is wrong) or `Outage` (everything else)."""
    try:
        yield
    except ResourceExhaustedResponse as error:
        raise Outage("index", str(error), retry_after=float(error.retry_after_s)) from error
    except UnexpectedResponse as error:
        raise _answered(error) from error
    except (ApiException, QdrantException) as error:
        raise Outage("index", _source(error)) from error


def _answered(error: UnexpectedResponse) -> Poison | Outage:
    if error.status_code in _REFUSALS:
        return Poison(REFUSED, _said(error))
    hint = _HINTS.get(error.status_code or 0)
    return Outage("index", ": ".join(filter(None, (f"HTTP {error.status_code}", hint, _said(error)))))


def _said(error: UnexpectedResponse) -> str:
    try:
        return str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):  # a proxy's page, not Qdrant's own answer
        return error.content[:200].decode(errors="replace")


def _source(error: Exception) -> str:
    source = getattr(error, "source", error)
    return f"{type(source).__name__}: {source}".rstrip(": ")
