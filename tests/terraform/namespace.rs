//! Running programs where the host names of the fake RDS endpoints resolve to this machine.
//!
//! The hosts file of the rig is mounted over `/etc/hosts` in a mount namespace that only the program and its children
//! see: nothing on the machine changes, and programs of every kind (static ones too) find the names.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

const MOUNT_AND_RUN: &str = r#"mount --bind "$0" /etc/hosts && exec "$@""#;

/// A command that will run `program` inside the namespace of `hosts`. The process id is the program's own.
///
/// # Panics
/// When this machine does not allow mount namespaces; the text says what to change.
pub(crate) fn command(hosts: &Path, program: impl AsRef<OsStr>) -> Command {
    if let Some(reason) = obstacle() {
        panic!("{reason}");
    }
    unchecked(hosts, program)
}

fn unchecked(hosts: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    command.arg(if is_root() { "-m" } else { "-rm" }).args(["--", "sh", "-c", MOUNT_AND_RUN]).arg(hosts).arg(program);
    command
}

/// Why namespaces do not work here, tried once.
fn obstacle() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let tried = unchecked(Path::new("/etc/hosts"), "true").output();
            let said = match tried {
                Ok(output) if output.status.success() => return None,
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            Some(format!(
                "the tests mount a hosts file of their own in a mount namespace, and this machine does not allow it \
                 ({said}); run them as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
                 kernel.apparmor_restrict_unprivileged_userns=0), or give the container CAP_SYS_ADMIN"
            ))
        })
        .as_deref()
}

fn is_root() -> bool {
    static ROOT: OnceLock<bool> = OnceLock::new();
    *ROOT.get_or_init(|| {
        let output = Command::new("id").arg("-u").output().expect("the program id runs");
        output.stdout.trim_ascii() == b"0"
    })
}
