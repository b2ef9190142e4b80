"""The WSGI application in front of moto: log, faults, refusals, page sizes; `/rig/…` goes to the control API."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable

from . import access, control, regions
from .faults import FAULTS, Fault
from .iam import judge
from .request_log import LOG
from .settings import SETTINGS
from .wire import Call, Refusal, read_call, render

# The parameter that limits a page, for the listings where the page size may be forced down.
PAGED = {
    "DescribeDBInstances": "MaxRecords",
    "DescribeDBClusters": "MaxRecords",
    "ListAccounts": "MaxResults",
    "ListAccountsForParent": "MaxResults",
    "ListOrganizationalUnitsForParent": "MaxResults",
    "ListSecrets": "MaxResults",
}
ORGANIZATIONS_PAGE = 20


class FrontDoor:
    def __init__(self, moto: Callable) -> None:
        self._moto = moto

    def __call__(self, environ: dict, start: Callable) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        if environ.get("PATH_INFO", "").startswith("/rig/"):
            return control.answer(environ, body, start)
        call = read_call(environ, body)
        if call is None:
            return self._forward(environ, body, start)
        access.identify(call)
        return self._serve(call, environ, body, start)

    def _serve(self, call: Call, environ: dict, body: bytes, start: Callable) -> Iterable[bytes]:
        entry, fault = LOG.open(call), FAULTS.find(call)
        hits = fault is not None and not fault.only_slow and not fault.after
        # AWS judges a request when it arrives, however long the work takes then.
        refusal = None if hits else _refuse(call, entry)
        delay = SETTINGS.latency_ms + (int(fault.order.get("latency_ms", 0)) if fault else 0)
        if delay:
            time.sleep(delay / 1000)
        if hits:
            return _hit(fault, call, entry, start)
        if refusal:
            return _answer(refusal, call, entry, start)
        if "act_as" in call.extra:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.extra["act_as"]
        answer = self._forward(environ, call.body() if call.action in PAGED else body, _noting(start, entry, fault))
        if fault and fault.after:
            for _ in answer:
                pass
            return _hit(fault, call, entry, start)
        return answer

    def _forward(self, environ: dict, body: bytes, start: Callable) -> Iterable[bytes]:
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return self._moto(environ, start)


def _refuse(call: Call, entry: dict) -> Refusal | None:
    return regions.refuse(call) or access.refuse(call) or judge.refuse(call, entry) or _limit_page(call)


def _hit(fault: Fault, call: Call, entry: dict, start: Callable) -> Iterable[bytes]:
    if fault.order.get("drop"):
        entry["status"] = "dropped"
        # The server ends the connection without an answer.
        raise ConnectionResetError("dropped by a fault")
    return _answer(fault.refusal(call), call, entry, start)


def _answer(refusal: Refusal, call: Call, entry: dict, start: Callable) -> Iterable[bytes]:
    status, headers, data = render(refusal, call.form)
    entry["status"], entry["code"] = refusal.status, refusal.code
    start(status, headers)
    return [data]


def _noting(start: Callable, entry: dict, fault: Fault | None) -> Callable:
    """Notes the HTTP status of the answer; an answer that a fault will replace is not started."""

    def noting(status: str, headers: list, *rest: object) -> object:
        entry["status"] = int(status.split()[0])
        if fault and fault.after:
            return lambda data: None
        return start(status, headers, *rest)

    return noting


def _limit_page(call: Call) -> Refusal | None:
    """Refuses page sizes that AWS refuses, then forces the page down to the setting `page_size`."""
    name = PAGED.get(call.action)
    if name is None:
        return None
    asked = call.params.get(name)
    if asked is not None and call.service == "rds" and not 20 <= int(asked) <= 100:
        return Refusal("InvalidParameterValue", f"Invalid value {asked} for MaxRecords. Must be between 20 and 100.")
    if asked is not None and call.service == "organizations" and not 1 <= int(asked) <= ORGANIZATIONS_PAGE:
        return Refusal("InvalidInputException", "You specified an invalid value for MaxResults.")
    size = int(asked) if asked is not None else (ORGANIZATIONS_PAGE if call.service == "organizations" else 100)
    size = min(size, SETTINGS.page_size) if SETTINGS.page_size else size
    call.params[name] = size if call.form == "json" else str(size)
    return None
