//! The gateway's agents: the processes that open the database sessions.

use reqwest::Method;
use serde::Deserialize;

use super::{Error, Gateway};

/// Whether an agent is there right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AgentStatus {
    /// It holds a stream to the gateway
    Connected,
    /// It does not, or never did
    #[serde(other)]
    Disconnected,
}

impl AgentStatus {
    /// The gateway's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "CONNECTED",
            Self::Disconnected => "DISCONNECTED",
        }
    }
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Agent {
    /// UUID; the gateway derives it from organisation and name
    pub id: String,
    /// Name, unique in the organisation
    pub name: String,
    /// `standard` or `embedded`
    #[serde(default)]
    pub mode: String,
    /// Connected or not
    pub status: AgentStatus,
}

impl Gateway {
    /// Every agent, by name.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn agents(&self) -> Result<Vec<Agent>, Error> {
        let mut agents: Vec<Agent> = self.send(&self.request(Method::GET, &["agents"])).await?;
        agents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(agents)
    }

    /// One agent by its name or id; `None` when there is none.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn agent(&self, name_or_id: &str) -> Result<Option<Agent>, Error> {
        match self.send(&self.request(Method::GET, &["agents", name_or_id])).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }
}
