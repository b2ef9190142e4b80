//! What telling others needs: who sends, what a command may know, and whether there may be one.

use std::sync::Arc;

use crate::access::{SecretRef, Target};
use crate::notify::{Jitter, Retry, Sender};
use crate::report::{Explain, Reach};
use crate::schema::Reports;
use crate::value::Path;

use super::Context;

/// What the provider block and the environment say about commands.
#[derive(Debug, Clone, Default)]
pub struct CommandSettings {
    /// `allow_command`
    pub allowed: bool,
    /// The variables that a command inherits
    pub environment: Vec<(String, String)>,
}

/// Commands are not allowed.
#[derive(Debug, thiserror::Error)]
#[error("the provider block does not allow commands, and `command` names one")]
pub struct NoCommands;

impl Explain for NoCommands {
    fn summary(&self) -> String {
        "Commands are not allowed".to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            "A command runs on the machine that runs Terraform, with the rights of its user. Set `allow_command = true` in \
             the provider block if configurations may run commands there, or take `command` out."
                .to_owned(),
        )
    }

    fn attribute(&self) -> Option<Path> {
        Some(Path::attribute("command"))
    }

    fn reach(&self) -> Reach {
        Reach::Fine
    }
}

impl Context {
    /// Sends events. Nothing is opened before the first one.
    pub fn sender(&self) -> &Sender {
        self.sender.get_or_init(|| {
            let own = concat!("terraform-provider-rdsaccess/", env!("CARGO_PKG_VERSION"));
            let further = self.parts.gateway.user_agent.as_ref().map(|further| format!(" {further}"));
            let clock = self.parts.clock.clone();
            // Without entropy pauses are merely not spread.
            let jitter: Jitter = Arc::new(|| getrandom::u32().unwrap_or_default());
            Sender::new(
                format!("{own}{}", further.unwrap_or_default()),
                Retry::new(jitter),
                Arc::new(move || clock.now()),
            )
        })
    }

    /// The variables that a command inherits.
    pub fn command_environment(&self) -> &[(String, String)] {
        &self.parts.commands.environment
    }

    /// Whether commands may run; a provider block that does not say so yet is not judged.
    ///
    /// # Errors
    /// They may not.
    pub fn check_commands(&self) -> Result<(), Reports> {
        let is_open = self.parts.unknown.iter().any(|name| name == "allow_command");
        if self.parts.commands.allowed || is_open { Ok(()) } else { Err(NoCommands.into()) }
    }

    /// The secret of the master user, where one can be found: the one that RDS manages, else the one at the default
    /// place.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn master_secret(&self, target: &Target) -> Result<Option<SecretRef>, Reports> {
        match &target.managed_secret {
            Some(managed) => Ok(Some(managed.clone())),
            None => self.default_master_secret(target).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Clock;
    use super::*;

    #[test]
    fn commands_are_refused_unless_the_provider_block_allows_them_or_does_not_say_yet() {
        let mut context = Context::with_clock(Clock::default());
        let report = context.check_commands().unwrap_err().0.remove(0);
        assert!(report.detail.contains("allow_command = true") && report.attribute == Some(Path::attribute("command")));
        context.parts.unknown = vec!["allow_command".to_owned()];
        assert_eq!(context.check_commands(), Ok(()));
        assert!(context.aws().is_ok(), "AWS does not wait for it");
        context.parts.unknown.clear();
        context.parts.commands.allowed = true;
        assert_eq!(context.check_commands(), Ok(()));
    }
}
