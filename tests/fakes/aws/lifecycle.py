"""The states a database passes through, counted in Describe calls.

moto answers every change at once and always says `available`. RDS answers, says `available` for a little while,
then `resetting-master-credentials` or `modifying`, then `available` again; and what was changed takes effect somewhere
in between. Counting polls instead of seconds makes the tests exact and quick.
"""

from __future__ import annotations

from collections.abc import Callable

from .settings import LOCK, SETTINGS


class Lifecycle:
    """The status of one instance or cluster, and what happens when later Describes come."""

    def __init__(self) -> None:
        self.resting = "available"
        self._shown: str | None = None
        self._coming: list[str] = []
        self._when_done: list[Callable[[], None]] = []
        self._timers: list[list] = []

    @property
    def status(self) -> str:
        return self._shown or self.resting

    @property
    def busy(self) -> bool:
        """A change is under way, also while the status still says `available`."""
        return bool(self._coming or self._shown)

    def begin(self, status: str, polls: int, available_polls: int = 0) -> None:
        """Shows `status` for `polls` Describes, after `available_polls` that show nothing yet."""
        with LOCK:
            if polls <= 0:
                self._finish()
                return
            self._coming = [self.resting] * available_polls + [status] * polls
            self._shown = None if available_polls else status

    def begin_change(self, status: str) -> None:
        self.begin(status, SETTINGS.modify_polls, SETTINGS.available_polls)

    def when_done(self, action: Callable[[], None]) -> None:
        """Runs `action` when the database is `available` again; at once when no change is under way."""
        with LOCK:
            if self.busy:
                self._when_done.append(action)
            else:
                action()

    def after_polls(self, polls: int, action: Callable[[], None]) -> None:
        """Runs `action` with the `polls`-th Describe from now; at once for 0."""
        with LOCK:
            if polls <= 0:
                action()
            else:
                self._timers.append([polls, action])

    def observe(self) -> None:
        """One Describe came: the next state is shown in its answer."""
        with LOCK:
            if self._coming:
                self._shown = self._coming.pop(0)
            elif self._shown is not None:
                self._finish()
            due = [timer for timer in self._timers if timer[0] <= 1]
            self._timers = [[polls - 1, action] for polls, action in self._timers if polls > 1]
        for _, action in due:
            action()

    def _finish(self) -> None:
        self._shown, self._coming = None, []
        actions, self._when_done = self._when_done, []
        for action in actions:
            action()


def lifecycle_of(database: object) -> Lifecycle:
    """The lifecycle kept on a moto instance or cluster, made on first use."""
    with LOCK:
        found = database.__dict__.get("_lifecycle")
        if found is None:
            found = Lifecycle()
            database.__dict__["_lifecycle"] = found
        return found
