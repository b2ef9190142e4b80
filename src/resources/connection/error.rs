//! What can go wrong with a connection besides the gateway itself.

use crate::access::list_names;
use crate::gateway;
use crate::report::{Explain, Reach};
use crate::store;
use crate::value::Path;

/// Why a connection cannot be made, changed or imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Somebody else has a connection of this name
    #[error("connection `{name}`: {conflict}; this provider did not make the connection of that name")]
    Taken {
        /// Name
        name: String,
        /// What the gateway said
        conflict: gateway::Error,
    },
    /// We have one of this name, for another database or user
    #[error(
        "connection `{name}`: {conflict}; this provider made the connection of that name for another login: user \
         `{user}` on {database}"
    )]
    TakenByOurs {
        /// Name
        name: String,
        /// What the gateway said
        conflict: gateway::Error,
        /// User of the other one
        user: String,
        /// ARN of its database
        database: String,
    },
    /// Another block of the same run has this name
    #[error("two blocks have the same name `{name}`, and the gateway has one connection of a name")]
    SameName {
        /// Name
        name: String,
    },
    /// One that this run deletes is there still
    #[error(
        "connection `{name}` cannot be made: another object of this run deletes the connection of that name, and the \
         gateway shows it still"
    )]
    BeingDeleted {
        /// Name
        name: String,
    },
    /// An agent has one of this name
    #[error("connection `{name}` on the gateway is managed by `{managed_by}`, and nobody else can change it")]
    AgentManaged {
        /// Name
        name: String,
        /// Content of `managed_by`
        managed_by: String,
    },
    /// Somebody else manages it, and it was to be made anew
    #[error(
        "connection `{name}` is to be replaced, and on the gateway it is managed by `{managed_by}`: nobody else can delete \
         it and make it anew"
    )]
    Irreplaceable {
        /// Name
        name: String,
        /// Content of `managed_by`
        managed_by: String,
    },
    /// It is something else than a database
    #[error("connection `{name}` is of the type `{kind}`, subtype `{subtype}`")]
    NotADatabase {
        /// Name
        name: String,
        /// Type
        kind: String,
        /// Subtype
        subtype: String,
    },
    /// No agent of this name
    #[error(
        "connection `{name}`: the gateway has no agent `{agent}` (GET {base}/agents/{} answered 404)",
        gateway::encoded(agent)
    )]
    NoAgent {
        /// Name of the connection
        name: String,
        /// Name of the agent
        agent: String,
        /// Address of the API
        base: String,
        /// The agents that it has
        known: Vec<String>,
    },
    /// The password that is to be copied cannot be read
    #[error("connection `{name}`: its password cannot be read from `role.secret_ref`: {why}")]
    NoPassword {
        /// Name
        name: String,
        /// What the store said, with the secret
        why: store::Error,
    },
    /// The password that is to be copied is that of somebody else
    #[error("connection `{name}` logs in as `{wanted}`, and the secret {secret} holds the password of `{found}`")]
    OtherUser {
        /// Name
        name: String,
        /// The secret
        secret: String,
        /// User in the secret
        found: String,
        /// User of the connection
        wanted: String,
    },
    /// The gateway took the request, but shows another password
    #[error("connection `{name}`: after the change its password still shows as `{state}`")]
    NotInSync {
        /// Name
        name: String,
        /// `differs` or `hidden`
        state: String,
    },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Taken { .. } | Self::TakenByOurs { .. } => "The gateway connection exists already",
            Self::SameName { .. } => "Two blocks for one gateway connection",
            Self::BeingDeleted { .. } => "The gateway connection is being deleted",
            Self::AgentManaged { .. } | Self::Irreplaceable { .. } => "The gateway connection belongs to an agent",
            Self::NotADatabase { .. } => "The gateway connection is not one to a database",
            Self::NoAgent { .. } => "The gateway has no such agent",
            Self::NoPassword { .. } => "Cannot read the password of the gateway connection",
            Self::OtherUser { .. } => "The secret is for another user",
            Self::NotInSync { .. } => "The gateway connection has another password",
        }
        .to_owned()
    }

    fn reach(&self) -> Reach {
        match self {
            Self::NoPassword { why, .. } => why.reach(),
            _ => Reach::Fine,
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::NoPassword { why, .. } => return next_step(why),
            Self::Taken { name, .. } => format!(
                "To manage that connection, import it: an import block with `id = \"{name}\"`, or `terraform import \
                 <address> {name}`. Otherwise choose another name."
            ),
            Self::TakenByOurs { name, .. } => format!(
                "Choose another name. If the other connection is to become this one, import it by its name, `{name}`."
            ),
            Self::SameName { .. } => {
                "Give each block a name of its own, or take one of them out. To move a connection to \
                                      another address of the configuration write a `moved` block. Nothing was changed."
                    .to_owned()
            }
            Self::BeingDeleted { .. } => {
                "Apply again when the delete is done; if it failed, mend what its error says first. A \
                                          block that gets another address keeps its connection with a `moved` block."
                    .to_owned()
            }
            Self::AgentManaged { .. } => "Change it where the agent is configured, or choose another name.".to_owned(),
            Self::Irreplaceable { .. } => "To keep it, plan without `-replace` and `replace_triggered_by`, leave its name, \
                                           and take a taint back with `terraform untaint`. To give it up, take it out of \
                                           the configuration with a `removed` block. Nothing was changed."
                .to_owned(),
            Self::NotADatabase { .. } => {
                "Import a connection of the type `database` with the subtype `postgres`, `mysql` or `mssql`.".to_owned()
            }
            Self::NoAgent { known, .. } if known.is_empty() => "Create an agent in the gateway first.".to_owned(),
            Self::NoAgent { known, .. } => format!("Use one of its agents: {}.", list_names(known)),
            Self::OtherUser { .. } => {
                "Plan again: the turn of two logins may have changed since. With a role object of \
                                       your own correct `role.username` or `role.secret_ref`. Nothing was changed."
                    .to_owned()
            }
            Self::NotInSync { .. } => "Look into the gateway's log, then apply again.".to_owned(),
        })
    }

    fn attribute(&self) -> Option<Path> {
        match self {
            Self::Taken { .. }
            | Self::TakenByOurs { .. }
            | Self::SameName { .. }
            | Self::BeingDeleted { .. }
            | Self::AgentManaged { .. }
            | Self::Irreplaceable { .. } => Some(Path::attribute("name")),
            Self::NoAgent { .. } => Some(Path::attribute("agent_name")),
            Self::NoPassword { .. } | Self::OtherUser { .. } => Some(Path::attribute("role").field("secret_ref")),
            Self::NotADatabase { .. } | Self::NotInSync { .. } => None,
        }
    }
}

fn next_step(why: &store::Error) -> Option<String> {
    match why.fault {
        store::Fault::Gone => Some(
            "Restore the secret, apply the resource that makes it, or give `role.secret_ref` another one.".to_owned(),
        ),
        _ => why.next_step(),
    }
}
