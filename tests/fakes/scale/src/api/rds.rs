//! RDS: the Describe calls.

use super::rds_answers::{Describe, cluster, instance, subnet_group};
use super::{Paging, no_such_action};
use crate::caller::{Caller, unknown};
use crate::fleet::{Database, Instance, Place};
use crate::wire::{Answer, Refusal, Request, Service};
use crate::world::World;
use crate::xml::Xml;

pub(super) fn answer(world: &World, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
    let region = world.fleet.region(&caller.region).ok_or_else(|| unknown(Service::Rds))?;
    let call = Call { world, request, place: Place { account: caller.account, region }, region: &caller.region };
    match request.action.as_str() {
        "DescribeDBInstances" => call.instances(),
        "DescribeDBClusters" => call.clusters(),
        "DescribeDBSubnetGroups" => call.subnet_groups(),
        _ => Err(no_such_action(request)),
    }
}

struct Call<'a> {
    world: &'a World,
    request: &'a Request,
    place: Place,
    region: &'a str,
}

impl Call<'_> {
    fn instances(&self) -> Result<Answer, Refusal> {
        let filters = self.filters(&["db-instance-id", "db-cluster-id"])?;
        let wanted = self.request.parameter("DBInstanceIdentifier").map(short);
        let takes = |found: &Instance| {
            let cluster = (found.member > 0).then(|| found.database.identifier());
            wanted.is_none_or(|wanted| found.identifier() == wanted)
                && filters.iter().all(|(name, values)| match *name {
                    "db-instance-id" => values.contains(&found.identifier().as_str()),
                    _ => cluster.as_ref().is_some_and(|cluster| values.contains(&cluster.as_str())),
                })
        };
        let all: Vec<Instance> = self.world.fleet.instances(self.place).filter(takes).collect();
        if let Some(wanted) = wanted.filter(|_| all.is_empty()) {
            return Err(Refusal::not_found("DBInstanceNotFound", format!("DBInstance {wanted} not found.")));
        }
        let describe = self.describe();
        self.answer("DBInstances", "DBInstance", all.into_iter(), |xml, found| instance(xml, &describe, &found))
    }

    fn clusters(&self) -> Result<Answer, Refusal> {
        let filters = self.filters(&["db-cluster-id"])?;
        let wanted = self.request.parameter("DBClusterIdentifier").map(short);
        let takes = |found: &Database| {
            let name = found.identifier();
            wanted.is_none_or(|wanted| name == wanted)
                && filters.iter().all(|(_, values)| values.contains(&name.as_str()))
        };
        let all: Vec<Database> = self.world.fleet.clusters(self.place).filter(takes).collect();
        if let Some(wanted) = wanted.filter(|_| all.is_empty()) {
            return Err(Refusal::not_found("DBClusterNotFoundFault", format!("DBCluster {wanted} not found.")));
        }
        let describe = self.describe();
        self.answer("DBClusters", "DBCluster", all.into_iter(), |xml, found| cluster(xml, &describe, &found))
    }

    /// Every account and region with databases has one group.
    fn subnet_groups(&self) -> Result<Answer, Refusal> {
        let describe = self.describe();
        let has_databases = self.world.fleet.databases(self.place).next().is_some();
        let wanted = self.request.parameter("DBSubnetGroupName");
        let found = (has_databases && wanted.is_none_or(|wanted| wanted == "dbs")).then_some(());
        if let Some(wanted) = wanted.filter(|_| found.is_none()) {
            let text = format!("DBSubnetGroup {wanted} not found.");
            return Err(Refusal::not_found("DBSubnetGroupNotFoundFault", text));
        }
        self.answer("DBSubnetGroups", "DBSubnetGroup", found.into_iter(), |xml, ()| subnet_group(xml, &describe))
    }

    fn describe(&self) -> Describe<'_> {
        Describe::new(self.world, self.place)
    }

    fn answer<T>(
        &self,
        list: &str,
        entry: &str,
        all: impl Iterator<Item = T>,
        write: impl FnMut(&mut Xml, T),
    ) -> Result<Answer, Refusal> {
        let given = self.world.settings.rds_page;
        let paging = Paging { token: "Marker", size: "MaxRecords", least: 20, most: 100, given, empty_first: false };
        let account = self.place.account.to_string();
        let page = paging.cut(self.request, &[&account, self.region], all)?;
        let mut xml = Xml::default();
        if let Some(marker) = page.next {
            xml.text("Marker", marker);
        }
        xml.list(list, entry, page.entries, write);
        Ok(Answer::Xml(xml))
    }

    /// The filters, by name with the values of which one must match.
    fn filters(&self, known: &[&str]) -> Result<Vec<(&str, Vec<&str>)>, Refusal> {
        let mut filters = Vec::new();
        for number in 1.. {
            let Some(name) = self.request.parameter(&format!("Filters.Filter.{number}.Name")) else { break };
            if !known.contains(&name) {
                let text = format!("Unrecognized filter name: {name}");
                return Err(Refusal::invalid(Service::Rds, text));
            }
            let values = format!("Filters.Filter.{number}.Values.Value");
            let values = (1..).map_while(|at| self.request.parameter(&format!("{values}.{at}"))).map(short);
            filters.push((name, values.collect()));
        }
        Ok(filters)
    }
}

/// RDS takes an ARN where it takes an identifier.
fn short(name: &str) -> &str {
    if name.starts_with("arn:") { name.rsplit(':').next().unwrap_or(name) } else { name }
}
