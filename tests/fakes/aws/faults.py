"""Faults that a test orders: throttling, server errors, lost answers, slow calls."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .settings import LOCK
from .wire import Call, Refusal

DEFAULT_CODES = {"ec2": "RequestLimitExceeded", "json": "TooManyRequestsException", "query": "Throttling"}
FIELDS = {"times", "skip", "service", "action", "account", "region", "code", "message", "status", "drop", "when"} | {
    "latency_ms"
}


class Fault:
    """One order: which calls, how many of them, and what happens to them.

    `times` calls are hit (-1 = all), after `skip` matching calls went through. Without `drop` the client gets an error
    (`code`, `message`, `status`; default: the service's throttling error); with `drop` the connection ends without an
    answer. `when = "after"` lets the call do its work first. With `latency_ms` alone the call is only slow.
    """

    def __init__(self, order: dict) -> None:
        unknown = set(order) - FIELDS
        if unknown:
            raise ValueError(f"unknown in a fault: {', '.join(sorted(unknown))}; known: {', '.join(sorted(FIELDS))}")
        if order.get("when", "before") not in ("before", "after"):
            raise ValueError("when is before or after")
        self.order = dict(order)
        self.left = int(order.get("times", 1))
        self.skip = int(order.get("skip", 0))
        self.hits = 0

    @property
    def only_slow(self) -> bool:
        return "latency_ms" in self.order and not {"code", "status", "drop"} & set(self.order)

    @property
    def after(self) -> bool:
        return self.order.get("when") == "after"

    def takes(self, call: Call) -> bool:
        """Whether this call is hit; counts it."""
        names = ("service", "action", "account", "region")
        if self.left == 0 or not all(fnmatchcase(getattr(call, name), self.order.get(name, "*")) for name in names):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.left -= 1 if self.left > 0 else 0
        self.hits += 1
        return True

    def refusal(self, call: Call) -> Refusal:
        code = self.order.get("code", DEFAULT_CODES[call.form])
        return Refusal(code, self.order.get("message", "Rate exceeded"), int(self.order.get("status", 400)))


class Faults:
    """All orders; the first that takes a call hits it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, order: dict) -> None:
        fault = Fault(order)
        with LOCK:
            self._faults.append(fault)

    def clear(self) -> None:
        with LOCK:
            self._faults.clear()

    def find(self, call: Call) -> Fault | None:
        with LOCK:
            return next((fault for fault in self._faults if fault.takes(call)), None)

    def describe(self) -> list[dict]:
        with LOCK:
            return [{**fault.order, "left": fault.left, "hits": fault.hits} for fault in self._faults]


FAULTS = Faults()
