//! Arguments and results of `rdsaccess_security_group`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::access::{Arn, Cidr, GroupRef, Invalid, RuleSource};
use crate::model;
use crate::schema::Timeouts;
use crate::value::Value;

model! {
    /// A security group of its own for one database: who may open a connection to it.
    ///
    /// The group is attached beside the groups that are there; other people's groups and rules are never touched. Port
    /// and protocol of the rules come from the database. Destroying it detaches the group and deletes it.
    ///
    /// ~> Beside an `aws_db_instance` or `aws_rds_cluster` in the same configuration write
    /// `lifecycle { ignore_changes = [vpc_security_group_ids] }` there, or keep the group in hashicorp/aws and leave
    /// this resource out.
    pub struct SecurityGroup {
        /// ARN of the instance, cluster or read replica. A member of a cluster takes its groups from the cluster.
        target_arn: Arn = required().replace(),
        /// Name of the group.
        name: GroupName = optional().computed().replace().default_words("`hoop-aws-connect-sg-<identifier>`"),
        /// Who may connect.
        ingress: BTreeSet<Ingress> = optional(),
        /// Whether the group is attached to the database.
        attach: bool = optional().computed().defaults_to(true),
        /// Whether ingress rules of the group that do not stand in `ingress` are removed.
        exclusive: bool = optional().computed().defaults_to(false),
        /// Tags of the group, besides those of the provider block.
        tags: BTreeMap<String, String> = optional().check("free of keys that begin with `aws:` or `rdsaccess:`", own_keys),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// Id of the group.
        id: String = computed(),
        /// ARN of the group.
        arn: String = computed(),
        /// VPC of the database.
        vpc_id: String = computed(),
        /// Port of the database, which the rules open.
        port: i64 = computed(),
        /// Whether the group is attached.
        attached: bool = computed(),
        /// Ingress rules of the group that do not stand in `ingress`, in words.
        other_ingress: BTreeSet<String> = computed(),
        /// Resource id of the database; null when the database is gone, and then the group is replaced.
        target_resource_id: String = computed(),
    }
}

model! {
    /// An ingress rule: exactly one source.
    #[derive(Eq, PartialOrd, Ord)]
    pub struct Ingress {
        /// IPv4 block, such as `10.20.0.0/16`.
        cidr_ipv4: CidrV4 = optional(),
        /// IPv6 block, such as `2001:db8::/32`.
        cidr_ipv6: CidrV6 = optional(),
        /// Members of a security group, `sg-…`, or `<account>/sg-…` in another account over VPC peering.
        security_group_id: GroupRef = optional(),
        /// Managed prefix list, `pl-…`.
        prefix_list_id: PrefixList = optional(),
        /// What the rule is for, as AWS shows it: at most 255 of the characters that EC2 takes.
        description: String = optional().check("at most 255 letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`", describes),
    }
}

model! {
    /// What names a group for ever.
    pub struct SecurityGroupIdentity {
        /// ARN of the database.
        target_arn: Arn = required(),
        /// Id of the group.
        id: String = required(),
    }
}

impl Ingress {
    /// The source; `None` when none or more than one is set.
    pub(super) fn source(&self) -> Option<RuleSource> {
        let sources = [
            self.cidr_ipv4.get().map(|c| RuleSource::Cidr(c.0)),
            self.cidr_ipv6.get().map(|c| RuleSource::Cidr(c.0)),
            self.security_group_id.get().map(|g| RuleSource::Group(g.clone())),
            self.prefix_list_id.get().map(|p| RuleSource::PrefixList(p.0.clone())),
        ];
        let mut set = sources.into_iter().flatten();
        set.next().filter(|_| set.next().is_none())
    }

    /// How many sources are set, unknown ones included.
    pub(super) fn sources(&self) -> usize {
        [
            self.cidr_ipv4.is_null(),
            self.cidr_ipv6.is_null(),
            self.security_group_id.is_null(),
            self.prefix_list_id.is_null(),
        ]
        .into_iter()
        .filter(|null| !null)
        .count()
    }

    /// The rule of a source.
    pub(super) fn of(source: &RuleSource, description: &str) -> Self {
        let mut ingress =
            Self { description: Some(description.to_owned()).filter(|d| !d.is_empty()).into(), ..Self::default() };
        match source {
            RuleSource::Cidr(cidr) if cidr.is_ipv4() => ingress.cidr_ipv4 = CidrV4(*cidr).into(),
            RuleSource::Cidr(cidr) => ingress.cidr_ipv6 = CidrV6(*cidr).into(),
            RuleSource::Group(group) => ingress.security_group_id = group.clone().into(),
            RuleSource::PrefixList(id) => ingress.prefix_list_id = PrefixList(id.clone()).into(),
        }
        ingress
    }
}

/// The name of a security group in a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(pub String);

impl FromStr for GroupName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.chars().count() > 255 || !text.chars().all(is_group_character) {
            let expected = "1 to 255 letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*` are expected";
            return Err(Invalid::new(format!("`{text}` is not the name of a security group: {expected}")));
        }
        if text.starts_with("sg-") {
            return Err(Invalid::new(format!("`{text}` begins with `sg-`, which EC2 keeps for ids")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The characters that EC2 takes in names and descriptions.
fn is_group_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c)
}

fn describes(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && text.chars().count() <= 255 && text.chars().all(is_group_character),
        _ => true,
    }
}

fn own_keys(value: &Value) -> bool {
    match value {
        Value::Map(tags) => {
            tags.keys().all(|key| !key.is_empty() && !key.starts_with("aws:") && !key.starts_with("rdsaccess:"))
        }
        _ => true,
    }
}

macro_rules! sources {
    ($($(#[$doc:meta])* $name:ident($inner:ty) = $parse:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $inner);

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                $parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

sources! {
    /// A canonical IPv4 block.
    CidrV4(Cidr) = |text: &str| block(text, true);
    /// A canonical IPv6 block.
    CidrV6(Cidr) = |text: &str| block(text, false);
    /// The id of a managed prefix list.
    PrefixList(String) = |text: &str| RuleSource::prefix_list(text).map(|list| list.to_string());
}

fn block(text: &str, ipv4: bool) -> Result<Cidr, Invalid> {
    let cidr: Cidr = text.parse()?;
    if cidr.is_ipv4() == ipv4 {
        return Ok(cidr);
    }
    let (found, right) = if ipv4 { ("IPv6", "cidr_ipv6") } else { ("IPv4", "cidr_ipv4") };
    Err(Invalid::new(format!("`{text}` is an {found} block: write it as `{right}`")))
}

crate::text_kinds! {
    GroupName;
    CidrV4;
    CidrV6;
    PrefixList;
}
