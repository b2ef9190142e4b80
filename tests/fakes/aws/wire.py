"""Reading AWS requests and writing AWS errors in the three wire forms that this provider meets.

| form    | services                        | an error looks like                                   |
|---------|---------------------------------|-------------------------------------------------------|
| `query` | sts, rds, iam                   | XML `<ErrorResponse><Error>…`                         |
| `ec2`   | ec2                             | XML `<Response><Errors><Error>…`                      |
| `json`  | organizations, secretsmanager   | JSON `{"__type": "<code>", "message": "…"}`           |
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


@dataclass
class Call:
    """One AWS request, as far as the rig looks at it."""

    service: str
    action: str
    region: str
    access_key: str
    account: str
    form: str
    params: dict
    user_agent: str = ""
    principal: str = ""
    extra: dict = field(default_factory=dict)

    @property
    def iam_action(self) -> str:
        return f"{self.service}:{self.action}"

    def body(self) -> bytes:
        """The request body for these parameters (they may have been changed since they were read)."""
        if self.form == "json":
            return json.dumps(self.params).encode()
        return urlencode(self.params).encode()


@dataclass(frozen=True)
class Refusal:
    """An AWS error: the code as it stands on the wire, the sentence, the HTTP status."""

    code: str
    message: str
    status: int = 400


def read_call(environ: dict, body: bytes) -> Call | None:
    """The call in a request, or None where it is no AWS request. The account is filled in by the caller."""
    signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = signed.groups() if signed else ("", "us-east-1", "sts")
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        form, action, params = "json", target.split(".")[-1], _json_object(body)
    else:
        params = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        form, action = ("ec2" if service == "ec2" else "query"), params.get("Action", "")
    if not action or (not signed and not action.startswith("AssumeRoleWith")):
        return None
    agent = environ.get("HTTP_USER_AGENT", "")
    return Call(service, action, region, access_key, "", form, params, user_agent=agent)


def render(refusal: Refusal, form: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body of an error in the wire form of the service."""
    request_id = str(uuid.uuid4())
    if form == "json":
        body, kind = json.dumps({"__type": refusal.code, "message": refusal.message}), "application/x-amz-json-1.1"
    else:
        body, kind = _xml(refusal, form, request_id), "text/xml"
    data = body.encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(data))), ("x-amzn-RequestId", request_id)]
    return f"{refusal.status} AWS error", headers, data


def access_denied(call: Call, resource: str = "*") -> Refusal:
    """What a missing permission looks like: the code differs by service, and the JSON services answer 400."""
    message = (
        f"User: {call.principal} is not authorized to perform: {call.iam_action} on resource: {resource} "
        f"because no identity-based policy allows the {call.iam_action} action"
    )
    if call.form == "ec2":
        return Refusal("UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403)
    if call.form == "json":
        return Refusal("AccessDeniedException", message, 400)
    return Refusal("AccessDenied", message, 403)


def _json_object(body: bytes) -> dict:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _xml(refusal: Refusal, form: str, request_id: str) -> str:
    error = f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
    if form == "ec2":
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    return (
        f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
