//! Logins to SQL Server, with a driver that we did not write.

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio_util::compat::TokioAsyncWriteCompatExt;

use crate::rig::Database;

/// Whether a login works. Its certificate is taken on trust: what the provider checks is tested elsewhere.
pub(crate) fn logs_in(database: &Database, user: &str, password: &str) -> bool {
    // Fails when another test of the process was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut config = Config::new();
    config.host(&database.endpoint);
    config.port(database.port);
    config.authentication(AuthMethod::sql_server(user, password));
    config.encryption(EncryptionLevel::Required);
    config.trust_cert();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", database.port)).await.expect("the stand-in listens");
        Client::connect(config, tcp.compat_write()).await.is_ok()
    })
}
