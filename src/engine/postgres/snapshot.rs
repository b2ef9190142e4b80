//! What was read of a server, shared by all roles until the next write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::catalog::{Cluster, Contents, cluster_query, contents_query};
use super::connect::Pool;
use super::error::{Failure, Remedy};
use super::quote::Sql;
use crate::engine::Fault;

/// One reading of a server. Everything is read on first use, once, however many roles ask at the same time.
#[derive(Default)]
pub(super) struct Snapshot {
    cluster: OnceCell<Arc<Cluster>>,
    databases: Mutex<BTreeMap<String, Cell>>,
}

type Cell = Arc<OnceCell<Inside>>;

/// The inside of a database, or why it cannot be seen.
#[derive(Clone)]
pub(super) enum Inside {
    /// Read
    Open(Arc<Contents>),
    /// The server refused to let the administrator in, in its words
    Closed(String),
}

impl Snapshot {
    /// What all databases share. It is read in the database that will be needed anyway, together with its contents, so
    /// that it costs no round trip of its own.
    pub(super) async fn cluster(&self, pool: &Pool, entry: &str) -> Result<Arc<Cluster>, Failure> {
        let read = || async {
            let answers = ask(pool, entry, &Sql::batch([cluster_query(), contents_query()])).await?;
            let [cluster, contents] = answers.as_slice() else { return Err(short_answer()) };
            let inside = Inside::Open(Arc::new(Contents::parse(contents)?));
            let cluster = Arc::new(Cluster::parse(cluster)?);
            // Another task may have read it meanwhile; either reading will do.
            let _already_read = self.cell(entry).set(inside);
            Ok(cluster)
        };
        self.cluster.get_or_try_init(read).await.cloned()
    }

    /// The inside of one database.
    pub(super) async fn inside(&self, pool: &Pool, database: &str) -> Result<Inside, Failure> {
        let read = || async {
            match ask(pool, database, &contents_query()).await {
                Ok(answers) => {
                    let contents = answers.first().ok_or_else(short_answer)?;
                    Ok(Inside::Open(Arc::new(Contents::parse(contents)?)))
                }
                Err(failure) if failure.remedy == Remedy::OtherDatabase => {
                    Ok(Inside::Closed(failure.fault.to_string()))
                }
                Err(failure) => Err(failure),
            }
        };
        self.cell(database).get_or_try_init(read).await.cloned()
    }

    fn cell(&self, database: &str) -> Cell {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(databases.entry(database.to_owned()).or_default())
    }
}

/// Reads in one round trip. A session that the server has ended meanwhile is replaced once.
async fn ask(pool: &Pool, database: &str, sql: &Sql) -> Result<Vec<String>, Failure> {
    match ask_once(pool, database, sql).await {
        Err(failure) if failure.remedy == Remedy::Retry => {
            pool.close_idle();
            ask_once(pool, database, sql).await
        }
        other => other,
    }
}

async fn ask_once(pool: &Pool, database: &str, sql: &Sql) -> Result<Vec<String>, Failure> {
    let session = pool.session(database).await?;
    let answers = session.run(sql, &format!("reading the catalog of database {database}")).await?;
    session.keep();
    Ok(answers)
}

fn short_answer() -> Failure {
    Fault::Statement { step: "reading the catalog".to_owned(), text: "the answer has no rows".to_owned() }.into()
}
