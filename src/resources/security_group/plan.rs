//! What a plan of the group says beyond the declarations.

use crate::access::Arn;
use crate::context::{Context, Takes};
use crate::report::Report;
use crate::schema::{Attr, Change, Reports};
use crate::value::{Path, Step};

use super::model::{GroupName, Ingress, SecurityGroup};

/// Rules that need no target.
pub(super) fn validate(config: &SecurityGroup) -> Vec<Report> {
    let exactly_one = |ingress: &Ingress| ingress.sources() == 1;
    match config.ingress.get() {
        Some(rules) if !rules.iter().all(exactly_one) => vec![
            Report::error(
                "An ingress rule needs exactly one source",
                "Set one of `cidr_ipv4`, `cidr_ipv6`, `security_group_id` and `prefix_list_id` in each element of \
                 `ingress`.",
            )
            .at(Path::attribute("ingress")),
        ],
        Some(rules) if has_duplicates(rules) => vec![
            Report::error(
                "Two ingress rules have the same source",
                "EC2 keeps one rule per source and port. Join the two elements of `ingress` into one.",
            )
            .at(Path::attribute("ingress")),
        ],
        _ => Vec::new(),
    }
}

fn has_duplicates(rules: &std::collections::BTreeSet<Ingress>) -> bool {
    let sources: Vec<_> = rules.iter().filter_map(Ingress::source).collect();
    let distinct: std::collections::BTreeSet<_> = sources.iter().collect();
    distinct.len() != sources.len()
}

/// The default name.
pub(super) fn default_name(arn: &Arn) -> GroupName {
    GroupName(format!("hoop-aws-connect-sg-{}", arn.identifier))
}

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<SecurityGroup>) -> Result<(), Reports> {
    if let (Attr::Known(arn), true) = (&change.planned.target_arn, change.config.name.is_null()) {
        change.planned.name = default_name(arn).into();
    }
    let Some(prior) = change.prior.clone() else {
        return plan_create(context, change).await;
    };
    if prior.target_resource_id.is_null() {
        change.planned.target_resource_id = Attr::Unknown;
        change.replace.push(Path::root().with(Step::Attribute("target_resource_id".to_owned())));
        return Ok(());
    }
    if prior.attached != change.planned.attach {
        change.planned.attached = change.planned.attach.clone();
    }
    let removes_others = change.planned.exclusive.get() == Some(&true)
        && prior.other_ingress.get().is_some_and(|others| !others.is_empty());
    if removes_others {
        change.planned.other_ingress = Attr::Known(std::collections::BTreeSet::new());
    } else if change.changes("ingress") || change.changes("exclusive") {
        change.planned.other_ingress = Attr::Unknown;
    }
    Ok(())
}

async fn plan_create(context: &Context, change: &mut Change<SecurityGroup>) -> Result<(), Reports> {
    if let Attr::Known(attach) = change.planned.attach {
        change.planned.attached = attach.into();
    }
    if let Attr::Known(arn) = &change.planned.target_arn {
        context.find_for_plan(arn, Takes::ReplicasToo).await?;
    }
    Ok(())
}
