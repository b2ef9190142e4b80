//! The gateway's agents: the processes that open the database sessions.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Method;
use serde::Deserialize;
use tokio::sync::OnceCell;

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

impl Agent {
    /// Whether it goes by this name or id.
    pub fn is(&self, name_or_id: &str) -> bool {
        self.name == name_or_id || self.id == name_or_id
    }
}

/// The outcome of one look-up.
type Cell = Arc<OnceCell<Result<Option<Agent>, Error>>>;

/// The agents that this process has found, by what they were asked for: all connections of a plan name the same few. Who
/// asks at the same time waits for one call and shares its outcome. Only what was found is kept, because an agent that
/// is missing may come into being during an apply; one that was found keeps its id, which follows from its name.
#[derive(Debug, Default)]
pub(super) struct Found {
    cells: Mutex<HashMap<String, Cell>>,
}

impl Found {
    fn cell(&self, asked: &str) -> Cell {
        Arc::clone(self.lock().entry(asked.to_owned()).or_default())
    }

    /// Forgets a look-up, unless a later one has taken its place.
    fn forget(&self, asked: &str, cell: &Cell) {
        let mut cells = self.lock();
        if cells.get(asked).is_some_and(|kept| Arc::ptr_eq(kept, cell)) {
            cells.remove(asked);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Cell>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// Every agent, by name, for those who ask for some of them: one listing of this process serves all whose `wanted` are
    /// in it, with the `status` of that time. Where one is missing the gateway is asked again, because it may have come
    /// into being during an apply.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn agents_among(&self, wanted: &BTreeSet<String>) -> Result<Arc<[Agent]>, Error> {
        let all_there = |agents: &Arc<[Agent]>| wanted.iter().all(|one| agents.iter().any(|agent| agent.is(one)));
        self.listed_agents().get(all_there, || async { self.agents().await.map(Arc::from) }).await
    }

    /// One agent by its name or id; `None` when there is none. An agent that was found is not asked for again, so that
    /// its `status` is that of the first time.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn agent(&self, name_or_id: &str) -> Result<Option<Agent>, Error> {
        let cell = self.found_agents().cell(name_or_id);
        let outcome = cell.get_or_init(|| self.look_up(name_or_id)).await.clone();
        if !matches!(outcome, Ok(Some(_))) {
            self.found_agents().forget(name_or_id, &cell);
        }
        outcome
    }

    async fn look_up(&self, name_or_id: &str) -> Result<Option<Agent>, Error> {
        match self.send(&self.request(Method::GET, &["agents", name_or_id])).await {
            Err(error) if error.is_not_found() => Ok(None),
            answer => answer.map(Some),
        }
    }
}
