"""Which requests to IAM an AWS call stands for.

One row per action, after the Service Authorization Reference and the API reference: the resources that the action is
checked against, the condition keys that it has, and what else the caller must be allowed because the service does it in
the caller's name. A call without a row is an error: add the row before the provider makes the call.

AWS does not say by which ARN it checks CreateSecret, with or without the six characters that it adds to the name: both
must be allowed. Nor does it say by which service RDS reaches the key of a secret that it manages (`kms:ViaService`): the
rows take the service that needs the key itself.
"""

from __future__ import annotations

from collections.abc import Callable

from ...wire import Call
from ..patterns import PolicyError
from ..request import Request
from . import ec2, organizations, rds, secretsmanager, sts

Row = Callable[[Call], list[Request]]

ROWS: dict[str, Row] = {**rds.ROWS, **ec2.ROWS, **secretsmanager.ROWS, **organizations.ROWS, **sts.ROWS}


def requests_of(call: Call) -> list[Request]:
    """What the caller must be allowed to do, in the order in which it is checked."""
    row = ROWS.get(call.iam_action)
    if row is None:
        raise PolicyError(f"no row for {call.iam_action} in aws/iam/actions")
    place = {"aws:requestedregion": call.region}
    return [request.with_context(place) for request in row(call)]
