//! What the login itself holds: the single rights of `grants`, whatever is within its level, and nothing more.

use std::collections::BTreeSet;

use super::catalog::{Cluster, Contents, Database, PUBLIC, Privilege, Role};
use super::change::{Difference, Gaps};
use super::defaults;
use super::grants::{self, Hold, Place};
use super::group::Group;
use super::reach::Reach;
use super::wanted::{Wishes, unknown_to_server};
use crate::engine::RoleSpec;

/// The login in a database that it covers.
pub(super) fn compare(level: &Place<'_>, spec: &RoleSpec, out: &mut Difference) {
    let wishes = Wishes::of(spec, &level.database.name, level.cluster.version);
    let login = Group::login(spec);
    let oid = level.cluster.role_named(&login.name).map(|role| role.oid);
    let place = Place { group: &login, group_oid: oid, hold: Hold::Single(&wishes), ..*level };
    grants::compare_login(&place, out);
    defaults::compare(&place, out);
    for absent in wishes.absent(place.contents) {
        out.uncovered.plain(format!("there is no {absent}, which grants names"));
    }
    if let Some(text) = unknown_to_server(spec, level.cluster.version) {
        out.uncovered.plain(text);
    }
    out_of_sight(&place, &wishes, &mut out.uncovered);
}

/// Schemas where the login has rights on objects and cannot get at them.
fn out_of_sight(place: &Place<'_>, wishes: &Wishes<'_>, out: &mut Gaps) {
    let rights = place.group_oid.map(|oid| place.reach.rights_of(oid)).unwrap_or_default();
    let asked: BTreeSet<&str> = wishes.with_objects().collect();
    for schema in place.contents.schemas.iter().filter(|s| asked.contains(s.name.as_str())) {
        let usage = schema.acl.iter().filter(|g| g.privilege == Privilege::Usage);
        let held = usage.clone().any(|g| g.grantee == PUBLIC || rights.contains(&g.grantee));
        let wanted = place.covers(schema) || wishes.on_schema(&schema.name).contains(&Privilege::Usage);
        if !held && !wanted {
            out.plain(format!(
                "what grants gives in schema {0} cannot be reached without USAGE on schema {0}, which no grant gives",
                schema.name
            ));
        }
    }
}

/// The login in a database that it does not cover: it holds nothing there. `contents` are `None` where nothing but
/// rights on the database itself can be.
pub(super) fn compare_elsewhere(
    cluster: &Cluster,
    reach: &Reach<'_>,
    role: &Role,
    database: &Database,
    contents: Option<&Contents>,
) -> Difference {
    let (nothing, login) = (Contents::default(), Group::retiring(role));
    let place = Place {
        cluster,
        reach,
        database,
        contents: contents.unwrap_or(&nothing),
        group: &login,
        group_oid: Some(role.oid),
        hold: Hold::Nothing,
        kin: [None; 2],
    };
    let mut out = Difference::default();
    grants::compare_login(&place, &mut out);
    defaults::compare(&place, &mut out);
    out
}

/// Databases that the login does not cover and where something lists it in its rights, the databases themselves apart.
pub(super) fn databases_left<'a>(cluster: &'a Cluster, login: &str, covered: &[Database]) -> Vec<&'a Database> {
    let Some(role) = cluster.role_named(login) else { return Vec::new() };
    let footprints = cluster.footprints.iter().filter(|f| f.role == role.oid && f.granted);
    let found = footprints.filter_map(|f| cluster.databases.iter().find(|d| d.oid == f.database));
    let mut left: Vec<&Database> = found.filter(|d| covered.iter().all(|c| c.oid != d.oid)).collect();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    left
}
