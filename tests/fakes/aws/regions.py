"""Regions that need an opt-in: off until a test switches them on, and what calls are answered in a region that is off.

moto calls every region enabled and answers in all of them. AWS has regions that each account switches on for itself;
where one is off it knows no credentials of the account.
"""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions

from .settings import LOCK
from .wire import Call, Refusal

OPT_IN = frozenset(
    "af-south-1 ap-east-1 ap-south-2 ap-southeast-3 ap-southeast-4 ca-west-1 eu-central-2 eu-south-1 eu-south-2 "
    "il-central-1 me-central-1 me-south-1".split()
)
INVALID = "The security token included in the request is invalid."
_switched_on: set[tuple[str, str]] = set()


def switch(account: str, region: str, enabled: bool) -> None:
    """Switches a region of an account on or off."""
    if region not in OPT_IN:
        raise ValueError(f"{region} needs no opt-in; those that do: {', '.join(sorted(OPT_IN))}")
    with LOCK:
        (_switched_on.add if enabled else _switched_on.discard)((account, region))


def is_on(account: str, region: str) -> bool:
    return region not in OPT_IN or (account, region) in _switched_on


def refuse(call: Call) -> Refusal | None:
    """What every service answers where the caller's account has not switched the region on."""
    if is_on(call.account, call.region):
        return None
    if call.form == "ec2":
        return Refusal("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    if call.form == "json":
        return Refusal("UnrecognizedClientException", INVALID, 400)
    return Refusal("InvalidClientTokenId", INVALID, 403)


def install() -> None:
    AvailabilityZonesAndRegions.describe_regions = _describe


def _describe(self) -> ActionResult:
    """DescribeRegions with AllRegions, RegionName and the filters region-name and opt-in-status."""
    account, names = self.ec2_backend.account_id, self._get_param("RegionNames", [])
    every = self._get_bool_param("AllRegions", False)
    filters = {entry["Name"]: entry["Values"] for entry in self._get_param("Filters", [])}
    found = []
    for region in RegionsAndZonesBackend.regions:
        status = "opt-in-not-required" if region.name not in OPT_IN else "not-opted-in"
        if region.name in OPT_IN and is_on(account, region.name):
            status = "opted-in"
        shown = {"region-name": region.name, "opt-in-status": status}
        if (every or status != "not-opted-in") and (not names or region.name in names):
            if all(shown[name] in values for name, values in filters.items()):
                found.append({"RegionName": region.name, "Endpoint": region.endpoint, "OptInStatus": status})
    return ActionResult({"Regions": found})
