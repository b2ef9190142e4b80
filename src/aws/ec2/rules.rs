//! Rules of a security group, by rule id.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, SecurityGroupRule,
    SecurityGroupRuleDescription, TagSpecification, UserIdGroupPair,
};

use super::groups::{SecurityGroups, sdk_tags, tags};
use crate::access::{AccountId, Cidr, GroupRef, RuleSource};
use crate::aws::{Error, Fault};

/// A rule as EC2 has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `sgr-…`
    pub id: String,
    /// Whether it is about outgoing traffic
    pub egress: bool,
    /// `tcp`, `udp`, a number, or `-1` for all
    pub protocol: String,
    /// First port; `None` for all
    pub from_port: Option<i32>,
    /// Last port; `None` for all
    pub to_port: Option<i32>,
    /// The other end; `None` when it is of a kind that this provider does not know
    pub source: Option<RuleSource>,
    /// Description, empty when there is none
    pub description: String,
    /// Tags
    pub tags: BTreeMap<String, String>,
}

impl Rule {
    /// Whether it lets TCP in on exactly this port.
    pub fn is_tcp_ingress_on(&self, port: u16) -> bool {
        let port = Some(i32::from(port));
        !self.egress && self.protocol == "tcp" && self.from_port == port && self.to_port == port
    }
}

/// A TCP ingress rule to make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewRule {
    /// Who may connect
    pub source: RuleSource,
    /// TCP port
    pub port: u16,
    /// Description; may be empty
    pub description: String,
}

impl SecurityGroups {
    /// All rules of a group, both directions, sorted by id.
    ///
    /// # Errors
    /// `ec2:DescribeSecurityGroupRules` is refused.
    pub async fn rules(&self, group_id: &str) -> Result<Vec<Rule>, Error> {
        let filter = Filter::builder().name("group-id").values(group_id).build();
        let mut pages = self.session.ec2().describe_security_group_rules().filters(filter).into_paginator().send();
        let mut rules = Vec::new();
        while let Some(page) = pages.next().await {
            let call = || self.session.call("ec2:DescribeSecurityGroupRules").on(group_id);
            let page = page.map_err(|e| call().refused(&e))?;
            let found = page.security_group_rules.unwrap_or_default();
            rules.extend(found.into_iter().filter_map(|r| rule(r, &self.session.account)));
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(rules)
    }

    /// Adds rules in one call: all or none. Their ids are read with [`SecurityGroups::rules`].
    ///
    /// # Errors
    /// [`Fault::Duplicate`] when one of them exists (also after a lost answer): read the rules again and add what is
    /// still missing; [`Fault::LimitExceeded`].
    pub async fn authorize(
        &self,
        group_id: &str,
        rules: &[NewRule],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        if rules.is_empty() {
            return Ok(());
        }
        let call = self.session.call("ec2:AuthorizeSecurityGroupIngress").on(group_id);
        let mut all_tags = self.session.sessions.settings().tags.clone();
        all_tags.extend(tags.clone());
        let mut request = self.session.ec2().authorize_security_group_ingress().group_id(group_id);
        request = request.set_ip_permissions(Some(rules.iter().map(permission).collect()));
        if !all_tags.is_empty() {
            let specification = TagSpecification::builder().resource_type(ResourceType::SecurityGroupRule);
            request = request.tag_specifications(specification.set_tags(Some(sdk_tags(&all_tags))).build());
        }
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    /// Removes ingress rules by id; those that are gone already count as removed.
    ///
    /// # Errors
    /// `ec2:RevokeSecurityGroupIngress` is refused.
    pub async fn revoke(&self, group_id: &str, rule_ids: &[String]) -> Result<(), Error> {
        match self.try_revoke(group_id, rule_ids).await {
            Err(error) if error.is_not_found() && rule_ids.len() > 1 => {
                for id in rule_ids {
                    self.revoke_one(group_id, id).await?;
                }
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }

    /// Changes descriptions, rule id -> text.
    ///
    /// # Errors
    /// `ec2:UpdateSecurityGroupRuleDescriptionsIngress` is refused, or a rule is gone.
    pub async fn describe_rules(&self, group_id: &str, texts: &BTreeMap<String, String>) -> Result<(), Error> {
        if texts.is_empty() {
            return Ok(());
        }
        let call = self.session.call("ec2:UpdateSecurityGroupRuleDescriptionsIngress").on(group_id);
        let description = |(id, text): (&String, &String)| {
            SecurityGroupRuleDescription::builder().security_group_rule_id(id).description(text).build()
        };
        let request = self.session.ec2().update_security_group_rule_descriptions_ingress().group_id(group_id);
        let request = request.set_security_group_rule_descriptions(Some(texts.iter().map(description).collect()));
        request.send().await.map(drop).map_err(|e| call.refused(&e))
    }

    async fn revoke_one(&self, group_id: &str, rule_id: &str) -> Result<(), Error> {
        match self.try_revoke(group_id, &[rule_id.to_owned()]).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }

    async fn try_revoke(&self, group_id: &str, rule_ids: &[String]) -> Result<(), Error> {
        if rule_ids.is_empty() {
            return Ok(());
        }
        let call = self.session.call("ec2:RevokeSecurityGroupIngress").on(group_id);
        let request = self.session.ec2().revoke_security_group_ingress().group_id(group_id);
        let answer = request.set_security_group_rule_ids(Some(rule_ids.to_vec())).send().await;
        let answer = answer.map_err(|e| call.clone().refused(&e))?;
        if answer.r#return == Some(false) {
            return Err(call.failed(Fault::Unexpected("EC2 did not remove the rules".to_owned())));
        }
        Ok(())
    }
}

fn permission(rule: &NewRule) -> IpPermission {
    let port = i32::from(rule.port);
    let text = Some(rule.description.clone()).filter(|d| !d.is_empty());
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
    match &rule.source {
        RuleSource::Cidr(cidr) if cidr.is_ipv4() => {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr.to_string()).set_description(text).build())
        }
        RuleSource::Cidr(cidr) => {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr.to_string()).set_description(text).build())
        }
        RuleSource::Group(group) => {
            let owner = group.account_id.as_ref().map(AccountId::to_string);
            let pair = UserIdGroupPair::builder().group_id(&group.id).set_user_id(owner);
            permission.user_id_group_pairs(pair.set_description(text).build())
        }
        RuleSource::PrefixList(id) => {
            permission.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(text).build())
        }
    }
    .build()
}

fn rule(found: SecurityGroupRule, account: &AccountId) -> Option<Rule> {
    let source = source(&found, account);
    let unlimited = |port: Option<i32>| port.filter(|p| *p >= 0);
    Some(Rule {
        id: found.security_group_rule_id?,
        egress: found.is_egress.unwrap_or_default(),
        protocol: found.ip_protocol.unwrap_or_default(),
        from_port: unlimited(found.from_port),
        to_port: unlimited(found.to_port),
        source,
        description: found.description.unwrap_or_default(),
        tags: tags(found.tags.as_deref().unwrap_or_default()),
    })
}

fn source(found: &SecurityGroupRule, account: &AccountId) -> Option<RuleSource> {
    let cidr = found.cidr_ipv4().or(found.cidr_ipv6()).and_then(Cidr::containing).map(RuleSource::Cidr);
    let group = || {
        let group = found.referenced_group_info()?;
        let owner = group.user_id().and_then(|id| id.parse().ok()).filter(|owner| owner != account);
        Some(RuleSource::Group(GroupRef { account_id: owner, id: group.group_id()?.to_owned() }))
    };
    let prefix_list = || found.prefix_list_id().map(|id| RuleSource::PrefixList(id.to_owned()));
    cidr.or_else(group).or_else(prefix_list)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::ReferencedSecurityGroup;

    use super::*;

    fn account() -> AccountId {
        "123456789012".parse().unwrap()
    }

    fn new(source: RuleSource) -> NewRule {
        NewRule { source, port: 5432, description: "office".to_owned() }
    }

    #[test]
    fn each_source_is_sent_in_its_own_list_with_its_description() {
        let cidr = |text: &str| permission(&new(RuleSource::Cidr(text.parse().unwrap())));
        assert_eq!(cidr("10.0.0.0/16").ip_ranges()[0].cidr_ip(), Some("10.0.0.0/16"));
        assert_eq!(cidr("2001:db8::/32").ipv6_ranges()[0].cidr_ipv6(), Some("2001:db8::/32"));
        assert_eq!(cidr("10.0.0.0/16").ip_ranges()[0].description(), Some("office"));
        let group = permission(&new(RuleSource::Group("210987654321/sg-0123456789abcdef0".parse().unwrap())));
        let pair = &group.user_id_group_pairs()[0];
        assert_eq!((pair.user_id(), pair.group_id()), (Some("210987654321"), Some("sg-0123456789abcdef0")));
        let list = permission(&new(RuleSource::PrefixList("pl-12345678".to_owned())));
        assert_eq!(list.prefix_list_ids()[0].prefix_list_id(), Some("pl-12345678"));
        assert_eq!((list.from_port(), list.to_port(), list.ip_protocol()), (Some(5432), Some(5432), Some("tcp")));
    }

    #[test]
    fn an_empty_description_is_not_sent() {
        let rule = NewRule { description: String::new(), ..new(RuleSource::Cidr("10.0.0.0/8".parse().unwrap())) };
        assert_eq!(permission(&rule).ip_ranges()[0].description(), None);
    }

    #[test]
    fn a_group_of_the_own_account_is_read_without_the_account() {
        let read = |owner: &str| {
            let group = ReferencedSecurityGroup::builder().group_id("sg-0123456789abcdef0").user_id(owner).build();
            let found =
                SecurityGroupRule::builder().security_group_rule_id("sgr-1").referenced_group_info(group).build();
            rule(found, &account()).unwrap().source.unwrap().to_string()
        };
        assert_eq!(read("123456789012"), "sg-0123456789abcdef0");
        assert_eq!(read("210987654321"), "210987654321/sg-0123456789abcdef0");
    }

    #[test]
    fn a_rule_for_all_ports_has_none() {
        let found =
            SecurityGroupRule::builder().security_group_rule_id("sgr-1").ip_protocol("-1").from_port(-1).to_port(-1);
        let all = rule(found.cidr_ipv4("10.2.3.4/16").build(), &account()).unwrap();
        assert_eq!((all.from_port, all.to_port), (None, None));
        assert_eq!(all.source.as_ref().unwrap().to_string(), "10.2.0.0/16");
        assert!(!all.is_tcp_ingress_on(5432));
    }
}
