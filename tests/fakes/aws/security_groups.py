"""EC2 security groups: dependencies, canonical CIDRs, names and groups of other accounts."""

from __future__ import annotations

import ipaddress

import moto.ec2.models.security_groups as groups
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError, InvalidVPCIdError
from moto.ec2.models import ec2_backends
from moto.ec2.responses.security_groups import SecurityGroups
from moto.rds.models import rds_backends
from moto.utilities.utils import get_partition


def install() -> None:
    backend, rule = groups.SecurityGroupBackend, groups.SecurityGroupRule
    backend.create_security_group = _create(backend.create_security_group)
    backend.delete_security_group = _delete(backend.delete_security_group)
    backend._add_source_group = _add_source_group(backend._add_source_group)
    rule.__init__ = _with_canonical_range(rule.__init__)
    # moto shows the description of rules for blocks only; EC2 shows that of groups and prefix lists too.
    rule.description = property(lambda self: self.text)
    name = "update_security_group_rule_descriptions_ingress"
    setattr(SecurityGroups, name, _describe_rules(getattr(SecurityGroups, name)))


def _create(original):
    def create_security_group(self, name, description, vpc_id=None, *args, **kwargs):
        if name.startswith("sg-"):
            raise EC2ClientError("InvalidParameterValue", "Group names may not be in the format sg-*.")
        if len(name) > 255:
            raise EC2ClientError("InvalidParameterValue", "Value for parameter GroupName is longer than 255.")
        if vpc_id and vpc_id not in self.vpcs:
            raise InvalidVPCIdError(vpc_id)
        made = original(self, name, description, vpc_id, *args, **kwargs)
        made.arn = made.arn.replace("arn:aws:", f"arn:{get_partition(self.region_name)}:", 1)
        return made

    return create_security_group


def _delete(original):
    def delete_security_group(self, name=None, group_id=None):
        if group_id and (_is_attached(self, group_id) or _is_referenced(self, group_id)):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        return original(self, name, group_id)

    return delete_security_group


def _is_attached(backend: object, group_id: str) -> bool:
    """A group that is being removed from a database counts as attached until the change has ended."""
    rds = rds_backends[backend.account_id][backend.region_name]
    databases = list(rds.databases.values()) + list(rds.clusters.values())
    return any(
        group_id in (database.vpc_security_group_ids or [])
        or group_id in database.__dict__.get("_group_change", ((), ()))[1]
        for database in databases
    )


def _is_referenced(backend: object, group_id: str) -> bool:
    others = [group for by_vpc in backend.groups.values() for group in by_vpc.values() if group.id != group_id]
    rules = [rule for group in others for rule in group.ingress_rules + group.egress_rules]
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)


def _add_source_group(original):
    def _add(self, source_groups, vpc_id):
        """A group of another account is looked up there; whether the VPCs are peered is not checked."""
        own, foreign = [], []
        for item in source_groups or []:
            owner = item.get("UserId")
            (foreign if owner and owner != self.account_id else own).append(item)
        for item in foreign:
            item["OwnerId"] = item["UserId"]
            if not ec2_backends[item["UserId"]][self.region_name].get_security_group_from_id(item["GroupId"]):
                message = f"The security group '{item['GroupId']}' does not exist"
                raise EC2ClientError("InvalidGroup.NotFound", message)
        return original(self, own, vpc_id) + foreign

    return _add


def _with_canonical_range(original):
    def __init__(self, ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, *args, **kwargs):
        ip_range = dict(ip_range or {})
        for name in ("CidrIp", "CidrIpv6"):
            if ip_range.get(name):
                ip_range[name] = _canonical(ip_range[name])
        original(self, ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, *args, **kwargs)
        sources = [ip_range, *(source for source in args if isinstance(source, dict))]
        self.text = next((source["Description"] for source in sources if source.get("Description")), None)

    return __init__


def _describe_rules(original):
    """moto takes descriptions by permission, and drops those by rule id."""

    def update_security_group_rule_descriptions_ingress(self):
        for wanted in self._get_param("SecurityGroupRuleDescriptions") or []:
            rule = _rule(self, wanted["SecurityGroupRuleId"])
            rule.text = wanted.get("Description", "")
            if rule.ip_range:
                rule.ip_range["Description"] = rule.text
        return original(self)

    return update_security_group_rule_descriptions_ingress


def _rule(response: object, rule_id: str) -> object:
    group = response.ec2_backend.get_security_group_from_id(response._get_param("GroupId"))
    found = next((rule for rule in (group.ingress_rules if group else []) if rule.id == rule_id), None)
    if found is None:
        message = f"The security group rule ID '{rule_id}' does not exist"
        raise EC2ClientError("InvalidSecurityGroupRuleId.NotFound", message)
    return found


def _canonical(cidr: str) -> str:
    """EC2 clears the host bits: 10.2.3.4/16 is stored as 10.2.0.0/16."""
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        return cidr
