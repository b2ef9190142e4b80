"""EC2. What a call is about to make has the id `*`."""

from __future__ import annotations

from collections.abc import Mapping

from moto.ec2.models import ec2_backends

from ...wire import Call
from ..patterns import PolicyError
from ..request import Request
from . import shared

TAGS = ("aws:resourcetag/", "ec2:resourcetag/")
GROUP = frozenset({*TAGS, "ec2:vpc", "ec2:securitygroupid", "ec2:region"})
NEW = shared.REQUEST_TAGS | {"ec2:region"}
CREATE_TAGS = GROUP | shared.REQUEST_TAGS | {"ec2:createaction"}


def _list(call: Call) -> list[Request]:
    return [_request(call, call.iam_action, "*", {"ec2:region"})]


def _create_group(call: Call) -> list[Request]:
    shared.only(call, "GroupName", "GroupDescription", "VpcId", "TagSpecification")
    asked = _specified(call, "security-group")
    vpc = call.params["VpcId"]
    keys = {*TAGS, "ec2:vpcid", "ec2:tenancy", "ec2:region"}
    on_vpc = _request(call, call.iam_action, f"vpc/{vpc}", keys, _tags_of(call, vpc), more={"ec2:vpcid": vpc})
    on_group = _request(call, call.iam_action, "security-group/*", NEW, asked=asked)
    return [on_group, on_vpc, *_tag_new(call, "security-group/*", asked)]


def _authorize(call: Call) -> list[Request]:
    shared.only(call, "GroupId", "IpPermissions", "TagSpecification")
    asked = _specified(call, "security-group-rule")
    rule = _request(call, call.iam_action, "security-group-rule/*", NEW, asked=asked)
    return [_on_group(call, call.params["GroupId"]), rule, *_tag_new(call, "security-group-rule/*", asked)]


def _one_group(call: Call) -> list[Request]:
    shared.only(call, "GroupId", "IpPermissions", "SecurityGroupRuleId", "SecurityGroupRuleDescription")
    return [_on_group(call, call.params["GroupId"])]


def _change_tags(call: Call) -> list[Request]:
    shared.only(call, "ResourceId", "Tag")
    asked = shared.pairs(shared.members(call, "Tag"))
    return [
        _request(call, call.iam_action, _kind(name), CREATE_TAGS, _tags_of(call, name), asked, _group_keys(call, name))
        for name in (entry[""] for entry in shared.members(call, "ResourceId"))
    ]


def _tag_new(call: Call, resource: str, asked: Mapping[str, str]) -> list[Request]:
    if not asked:
        return []
    more = {"ec2:createaction": call.action}
    return [_request(call, "ec2:CreateTags", resource, CREATE_TAGS, asked=asked, more=more)]


def _on_group(call: Call, group: str) -> Request:
    more = _group_keys(call, group)
    return _request(call, call.iam_action, f"security-group/{group}", GROUP, _tags_of(call, group), more=more)


def _group_keys(call: Call, name: str) -> dict[str, str]:
    group = _backend(call).get_security_group_from_id(name) if name.startswith("sg-") else None
    if group is None:
        return {}
    return {"ec2:securitygroupid": name, "ec2:vpc": shared.arn(call, f"vpc/{group.vpc_id}")}


def _request(call: Call, action: str, resource: str, known, tags=None, asked=None, more=None) -> Request:
    where = resource if resource == "*" else shared.arn(call, resource)
    return shared.request(action, where, known, tags, asked, {"ec2:region": call.region, **(more or {})}, TAGS)


def _kind(name: str) -> str:
    for prefix, kind in (("sgr-", "security-group-rule"), ("sg-", "security-group")):
        if name.startswith(prefix):
            return f"{kind}/{name}"
    raise PolicyError(f"the rows of EC2 do not know what {name} is")


def _tags_of(call: Call, name: str) -> dict[str, str]:
    found = _backend(call).describe_tags(filters={"resource-id": [name]})
    return {tag["key"]: tag["value"] for tag in found}


def _specified(call: Call, kind: str) -> dict[str, str]:
    """The tags that a TagSpecification asks for; it may be about this kind of thing only."""
    asked = {}
    for entry in shared.members(call, "TagSpecification"):
        if entry.pop("ResourceType") != kind:
            raise PolicyError(f"{call.iam_action} tags something that is no {kind}")
        numbers = {name.split(".")[0] for name in entry}
        asked |= {entry[f"{number}.Key"]: entry.get(f"{number}.Value", "") for number in numbers}
    return asked


def _backend(call: Call):
    return ec2_backends[call.account][call.region]


ROWS = {
    "ec2:DescribeRegions": _list,
    "ec2:DescribeSecurityGroups": _list,
    "ec2:DescribeSecurityGroupRules": _list,
    "ec2:CreateSecurityGroup": _create_group,
    "ec2:AuthorizeSecurityGroupIngress": _authorize,
    "ec2:RevokeSecurityGroupIngress": _one_group,
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress": _one_group,
    "ec2:DeleteSecurityGroup": _one_group,
    "ec2:CreateTags": _change_tags,
    "ec2:DeleteTags": _change_tags,
}
