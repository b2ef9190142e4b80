//! The rules of a group compared with what is written: pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{MANAGED_TAG, RuleSource};
use crate::aws::ec2::{NewRule, Rule};

use super::model::Ingress;

/// What has to change so that the group has the wanted rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Rules to add
    pub(super) add: Vec<NewRule>,
    /// Rule id -> description
    pub(super) describe: BTreeMap<String, String>,
    /// Ids of rules to remove
    pub(super) remove: Vec<String>,
}

/// The rules that stand for `ingress`: those that we made or that stood there before, on the port of the database.
pub(super) fn ingress(rules: &[Rule], known: &BTreeSet<Ingress>, port: u16, all: bool) -> BTreeSet<Ingress> {
    let known: BTreeSet<RuleSource> = known.iter().filter_map(Ingress::source).collect();
    rules
        .iter()
        .filter(|rule| rule.is_tcp_ingress_on(port))
        .filter_map(|rule| {
            let source = rule.source.as_ref()?;
            (all || is_ours(rule) || known.contains(source)).then(|| Ingress::of(source, &rule.description))
        })
        .collect()
}

/// The other ingress rules, in words.
pub(super) fn others(rules: &[Rule], listed: &BTreeSet<Ingress>, port: u16) -> BTreeSet<String> {
    let listed: BTreeSet<RuleSource> = listed.iter().filter_map(Ingress::source).collect();
    rules.iter().filter(|rule| !rule.egress && !stands_in(rule, &listed, port)).map(words).collect()
}

/// Compares the rules with the wanted ones. Rules that are neither wanted nor ours stay, unless `exclusive`.
pub(super) fn changes(
    rules: &[Rule],
    wanted: &BTreeSet<Ingress>,
    before: &BTreeSet<Ingress>,
    port: u16,
    exclusive: bool,
) -> Changes {
    let sources: BTreeMap<RuleSource, &str> =
        wanted.iter().filter_map(|i| Some((i.source()?, i.description.get().map_or("", String::as_str)))).collect();
    let wanted: BTreeSet<RuleSource> = sources.keys().cloned().collect();
    let before: BTreeSet<RuleSource> = before.iter().filter_map(Ingress::source).collect();
    let mut changes = Changes::default();
    for rule in rules.iter().filter(|rule| !rule.egress) {
        if let Some(description) =
            rule.source.as_ref().and_then(|s| sources.get(s)).filter(|_| rule.is_tcp_ingress_on(port))
        {
            if rule.description != *description {
                changes.describe.insert(rule.id.clone(), (*description).to_owned());
            }
        } else if exclusive || is_ours(rule) || stands_in(rule, &before, port) {
            changes.remove.push(rule.id.clone());
        }
    }
    let present: BTreeSet<&RuleSource> =
        rules.iter().filter(|rule| rule.is_tcp_ingress_on(port)).filter_map(|rule| rule.source.as_ref()).collect();
    changes.add = wanted
        .iter()
        .filter(|source| !present.contains(source))
        .map(|source| NewRule {
            source: source.clone(),
            port,
            description: sources.get(source).copied().unwrap_or_default().to_owned(),
        })
        .collect();
    changes
}

fn stands_in(rule: &Rule, sources: &BTreeSet<RuleSource>, port: u16) -> bool {
    rule.is_tcp_ingress_on(port) && rule.source.as_ref().is_some_and(|source| sources.contains(source))
}

fn is_ours(rule: &Rule) -> bool {
    rule.tags.get(MANAGED_TAG).is_some_and(|value| value == "true")
}

fn words(rule: &Rule) -> String {
    let source = rule.source.as_ref().map_or_else(|| "an unknown source".to_owned(), ToString::to_string);
    let protocol = if rule.protocol == "-1" { "all protocols" } else { &rule.protocol };
    let ports = match (rule.from_port, rule.to_port) {
        (Some(from), Some(to)) if from == to => format!(" {from}"),
        (Some(from), Some(to)) => format!(" {from}-{to}"),
        _ => String::new(),
    };
    format!("{protocol}{ports} from {source}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str, source: &str, port: i32, ours: bool) -> Rule {
        let tags = if ours { vec![(MANAGED_TAG.to_owned(), "true".to_owned())] } else { vec![] };
        Rule {
            id: id.to_owned(),
            egress: false,
            protocol: "tcp".to_owned(),
            from_port: Some(port),
            to_port: Some(port),
            source: Some(RuleSource::Cidr(source.parse().unwrap())),
            description: "office".to_owned(),
            tags: tags.into_iter().collect(),
        }
    }

    fn cidr(text: &str, description: &str) -> Ingress {
        Ingress::of(&RuleSource::Cidr(text.parse().unwrap()), description)
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let rules = [rule("sgr-1", "10.0.0.0/8", 5432, true)];
        let wanted = BTreeSet::from([cidr("10.0.0.0/8", "office")]);
        assert_eq!(changes(&rules, &wanted, &wanted, 5432, false), Changes::default());
    }

    #[test]
    fn only_our_own_rules_are_removed() {
        let rules = [rule("sgr-1", "10.0.0.0/8", 5432, true), rule("sgr-2", "192.168.0.0/16", 5432, false)];
        let wanted = BTreeSet::from([cidr("172.16.0.0/12", "")]);
        let found = changes(&rules, &wanted, &BTreeSet::new(), 5432, false);
        assert_eq!(found.remove, ["sgr-1"]);
        assert_eq!(found.add.len(), 1);
        assert_eq!(changes(&rules, &wanted, &BTreeSet::new(), 5432, true).remove, ["sgr-1", "sgr-2"]);
    }

    #[test]
    fn a_rule_that_stood_in_the_configuration_before_is_ours_without_a_mark() {
        let rules = [rule("sgr-2", "192.168.0.0/16", 5432, false)];
        let before = BTreeSet::from([cidr("192.168.0.0/16", "")]);
        assert_eq!(changes(&rules, &BTreeSet::new(), &before, 5432, false).remove, ["sgr-2"]);
    }

    #[test]
    fn another_port_moves_our_rules() {
        let rules = [rule("sgr-1", "10.0.0.0/8", 5432, true)];
        let wanted = BTreeSet::from([cidr("10.0.0.0/8", "office")]);
        let found = changes(&rules, &wanted, &wanted, 5433, false);
        assert_eq!((found.add.len(), found.remove), (1, vec!["sgr-1".to_owned()]));
        assert!(ingress(&rules, &wanted, 5433, false).is_empty(), "the plan shows the rule as missing");
    }

    #[test]
    fn a_new_description_is_changed_in_place() {
        let rules = [rule("sgr-1", "10.0.0.0/8", 5432, true)];
        let wanted = BTreeSet::from([cidr("10.0.0.0/8", "vpn")]);
        let found = changes(&rules, &wanted, &wanted, 5432, false);
        assert_eq!(found.describe, BTreeMap::from([("sgr-1".to_owned(), "vpn".to_owned())]));
        assert!(found.add.is_empty() && found.remove.is_empty());
    }

    #[test]
    fn other_rules_are_listed_in_words() {
        let rules = [rule("sgr-1", "10.0.0.0/8", 5432, true), rule("sgr-2", "192.168.0.0/16", 22, false)];
        let listed = ingress(&rules, &BTreeSet::new(), 5432, false);
        assert_eq!(listed, BTreeSet::from([cidr("10.0.0.0/8", "office")]));
        assert_eq!(others(&rules, &listed, 5432), BTreeSet::from(["tcp 22 from 192.168.0.0/16".to_owned()]));
    }
}
