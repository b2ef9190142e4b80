//! EC2: the regions.

use super::no_such_action;
use crate::caller::{Caller, unknown};
use crate::wire::{Answer, Refusal, Request, Service};
use crate::world::World;
use crate::xml::Xml;

pub(super) fn answer(world: &World, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
    if request.action != "DescribeRegions" {
        return Err(no_such_action(request));
    }
    if world.fleet.region(&caller.region).is_none() {
        return Err(unknown(Service::Ec2));
    }
    let wanted: Vec<&str> = request.list("RegionName").collect();
    let off: &[String] =
        if request.parameter("AllRegions") == Some("true") { &world.settings.regions_off } else { &[] };
    let on = world.settings.regions.iter().map(|name| (name, "opt-in-not-required"));
    let all = on.chain(off.iter().map(|name| (name, "not-opted-in")));
    let all = all.filter(|(name, _)| wanted.is_empty() || wanted.contains(&name.as_str()));
    let mut xml = Xml::default();
    xml.list("regionInfo", "item", all, |xml, (name, status)| {
        xml.text("regionName", name);
        xml.text("regionEndpoint", format!("ec2.{name}.amazonaws.com"));
        xml.text("optInStatus", status);
    });
    Ok(Answer::Xml(xml))
}
