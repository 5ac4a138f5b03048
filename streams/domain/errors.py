"""The shapes that failure takes, named by what to do next (design: "Failure has four shapes")."""

from __future__ import annotations


class Poison(Exception):
    """This message can never succeed: it becomes a dead letter, and the next one is processed.

    `reason` is a short, stable phrase that people filter by (`undecodable`, `wrong partition`, `bad picture`);
    `detail` says which field held which value and what was expected.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class Outage(Exception):
    """A neighbour is down or busy: the message waits in place, nothing is lost.

    `what` names the neighbour for people (`index`, `store`, `registry`); `retry_after` is in seconds.
    """

    def __init__(self, what: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.what, self.detail, self.retry_after = what, detail, retry_after


class Gone(Exception):
    """A picture or recording no longer exists. Agents answer it themselves; it is never a dead letter."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri


class SettingsError(Exception):
    """The installation is set up wrongly: refused at start, with the setting's name and what is allowed."""
