//! Logins to SQL Server, with a driver that we did not write.

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::rig::Database;

type Session = Client<Compat<TcpStream>>;

/// Whether a login works.
pub(crate) fn logs_in(database: &Database, user: &str, password: &str) -> bool {
    runtime().block_on(async { enter(database, "master", user, password).await.is_ok() })
}

/// Makes a database of this name as the master user, and runs batches in it.
pub(crate) fn make(database: &Database, name: &str, batches: &[&str]) {
    let Database { master_username: user, master_password: password, .. } = database;
    let run = async |inside: &str, batch: &str| {
        let mut client = enter(database, inside, user, password).await.expect("the master user logs in");
        let answer = client.simple_query(batch).await.expect("the batch is sent").into_results().await;
        answer.unwrap_or_else(|error| panic!("{batch}: {error}"));
    };
    runtime().block_on(async {
        run("master", &format!("CREATE DATABASE [{name}];")).await;
        for batch in batches {
            run(name, batch).await;
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A session. Its certificate is taken on trust: what the provider checks is tested elsewhere.
async fn enter(database: &Database, inside: &str, user: &str, password: &str) -> tiberius::Result<Session> {
    // Fails when another test of the process was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = Config::new();
    config.host(&database.endpoint);
    config.port(database.port);
    config.database(inside);
    config.authentication(AuthMethod::sql_server(user, password));
    config.encryption(EncryptionLevel::Required);
    config.trust_cert();
    let tcp = TcpStream::connect(("127.0.0.1", database.port)).await.expect("the stand-in listens");
    Client::connect(config, tcp.compat_write()).await
}
