//! The calls of each service.

mod ec2;
mod organizations;
mod rds;
mod rds_answers;
mod sts;

use crate::caller::Caller;
use crate::page::{Page, page};
use crate::wire::{Answer, Refusal, Request, Service};
use crate::world::World;

/// Answers a call of somebody who is known; `now` is in seconds since 1970.
pub(crate) fn answer(world: &World, caller: &Caller, request: &Request, now: u64) -> Result<Answer, Refusal> {
    match request.service {
        Service::Organizations => organizations::answer(world, caller, request),
        Service::Sts => sts::answer(world, caller, request, now),
        Service::Rds => rds::answer(world, caller, request),
        Service::Ec2 => ec2::answer(world, caller, request),
    }
}

fn no_such_action(request: &Request) -> Refusal {
    let text = format!("The action {} is not valid for this web service.", request.action);
    Refusal::bad(
        if request.service == Service::Organizations { "UnknownOperationException" } else { "InvalidAction" },
        text,
    )
}

/// What the paging parameters of a service are called, and what they may be.
struct Paging {
    token: &'static str,
    size: &'static str,
    least: usize,
    most: usize,
    /// Of what may be, the most that is given
    given: usize,
    empty_first: bool,
}

impl Paging {
    /// The page that is asked for. `scope` is what the list depends on beside the parameters: account and region.
    fn cut<T>(&self, request: &Request, scope: &[&str], all: impl Iterator<Item = T>) -> Result<Page<T>, Refusal> {
        let size = match request.parameter(self.size) {
            None => self.most,
            Some(text) => {
                text.parse().ok().filter(|size| (self.least..=self.most).contains(size)).ok_or_else(|| {
                    let text = format!(
                        "Invalid value {text} for {}. Must be between {} and {}",
                        self.size, self.least, self.most
                    );
                    Refusal::invalid(request.service, text)
                })?
            }
        };
        let asked = request.parameters.iter().filter(|(name, _)| ![self.token, self.size].contains(&name.as_str()));
        let asked: Vec<&str> = asked.flat_map(|(name, value)| [name.as_str(), value]).collect();
        let list = [&[request.action.as_str()], scope, &asked].concat();
        page(all, &list, request.parameter(self.token), size.min(self.given).max(1), self.empty_first)
            .map_err(|_| Refusal::invalid(request.service, format!("The {} is not valid for this list.", self.token)))
    }
}
