//! Where on disk the server's socket lies.
//!
//! A socket in a directory that only we may enter is the safest place: without TLS nothing else keeps other users of
//! the machine away.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::Error;

/// How many names are tried; a killed process leaves its directory behind, and process ids come again.
const ATTEMPTS: u32 = 100;

/// The file and directory of a socket; both are removed on drop.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    directory: Option<PathBuf>,
}

impl SocketFile {
    /// Where to connect to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Nobody is left to tell, and a left-over file does no harm
        let _ = fs::remove_file(&self.path);
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Opens a socket: in the host's directory if it names one, else in a new directory of our own.
///
/// # Errors
/// When the directory cannot be written to, the path is longer than a socket address holds (about 100 bytes), or the
/// group does not exist.
pub(super) fn bind(environment: &Environment) -> Result<(UnixListener, SocketFile), Error> {
    let (listener, file) = match &environment.socket_directory {
        Some(directory) => bind_in(directory)?,
        None => bind_in_own_directory(environment.temporary_directory.as_deref().unwrap_or(Path::new("/tmp")))?,
    };
    if let Some(group) = &environment.socket_group {
        give_to_group(&file, group)?;
    }
    Ok((listener, file))
}

fn bind_in(directory: &Path) -> Result<(UnixListener, SocketFile), Error> {
    let path = |attempt| directory.join(format!("{}.sock", unique_name(attempt)));
    let (listener, path) = first_free(path, |path| UnixListener::bind(path)).map_err(failed_at(directory))?;
    let file = SocketFile { path, directory: None };
    restrict(&file, 0o600)?;
    Ok((listener, file))
}

fn bind_in_own_directory(parent: &Path) -> Result<(UnixListener, SocketFile), Error> {
    let path = |attempt| parent.join(unique_name(attempt));
    let create = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    let ((), directory) = first_free(path, create).map_err(failed_at(parent))?;
    let file = SocketFile { path: directory.join("plugin.sock"), directory: Some(directory) };
    let listener = UnixListener::bind(&file.path).map_err(failed_at(&file.path))?;
    Ok((listener, file))
}

fn unique_name(attempt: u32) -> String {
    format!("rdsaccess-{}-{attempt}", std::process::id())
}

/// Creates the first path that nobody has taken. Creating is atomic, so a name that others can guess is no danger.
fn first_free<T>(path: impl Fn(u32) -> PathBuf, create: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    let mut attempt = 0;
    loop {
        let path = path(attempt);
        match create(&path) {
            Ok(created) => return Ok((created, path)),
            Err(error) if attempt < ATTEMPTS && is_taken(&error) => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::AddrInUse)
}

fn give_to_group(file: &SocketFile, group: &str) -> Result<(), Error> {
    let id = group_id(group).ok_or_else(|| Error::SocketGroup(group.to_owned()))?;
    chown(file.path(), None, Some(id)).map_err(failed_at(file.path()))?;
    restrict(file, 0o660)?;
    let Some(directory) = &file.directory else { return Ok(()) };
    chown(directory, None, Some(id)).map_err(failed_at(directory))?;
    fs::set_permissions(directory, Permissions::from_mode(0o750)).map_err(failed_at(directory))
}

fn restrict(file: &SocketFile, mode: u32) -> Result<(), Error> {
    fs::set_permissions(file.path(), Permissions::from_mode(mode)).map_err(failed_at(file.path()))
}

/// A number as it is, a name as `/etc/group` has it.
fn group_id(group: &str) -> Option<u32> {
    if let Ok(id) = group.parse() {
        return Some(id);
    }
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group).then(|| fields.nth(1)?.parse().ok())?
    })
}

fn failed_at(place: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let place = place.to_owned();
    |source| Error::Listen { place, source }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn environment(variables: &[(&str, &Path)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), value.as_os_str().to_owned()));
        Environment::collect(variables, [], || jiff::Timestamp::UNIX_EPOCH)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_enter_the_directory_and_it_goes_with_the_server() {
        let temporary = tempfile::tempdir().unwrap();
        let (_listener, file) = bind(&environment(&[("TMPDIR", temporary.path())])).unwrap();
        let directory = file.path().parent().unwrap().to_owned();
        assert_eq!(mode(&directory), 0o700);
        drop(file);
        assert!(!directory.exists());
        assert!(temporary.path().exists());
    }

    #[test]
    fn a_directory_that_a_killed_process_left_is_stepped_over() {
        let temporary = tempfile::tempdir().unwrap();
        fs::create_dir(temporary.path().join(unique_name(0))).unwrap();
        let (_listener, file) = bind(&environment(&[("TMPDIR", temporary.path())])).unwrap();
        assert!(file.path().starts_with(temporary.path().join(unique_name(1))));
    }

    #[test]
    fn the_hosts_directory_gets_the_socket_itself() {
        let directory = tempfile::tempdir().unwrap();
        let (_listener, file) = bind(&environment(&[("PLUGIN_UNIX_SOCKET_DIR", directory.path())])).unwrap();
        assert_eq!(file.path().parent(), Some(directory.path()));
        assert_eq!(mode(file.path()), 0o600);
        drop(file);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_group_may_connect_when_the_host_names_one() {
        let directory = tempfile::tempdir().unwrap();
        let own = std::os::unix::fs::MetadataExt::gid(&fs::metadata(directory.path()).unwrap()).to_string();
        let variables = [("PLUGIN_UNIX_SOCKET_DIR", directory.path()), ("PLUGIN_UNIX_SOCKET_GROUP", Path::new(&own))];
        let (_listener, file) = bind(&environment(&variables)).unwrap();
        assert_eq!(mode(file.path()), 0o660);
    }

    #[test]
    fn a_group_is_a_number_or_a_name_of_this_system() {
        assert_eq!(group_id("4711"), Some(4711));
        assert_eq!(group_id("no such group"), None);
        let first = fs::read_to_string("/etc/group").unwrap();
        let fields: Vec<_> = first.lines().next().unwrap().split(':').collect();
        assert_eq!(group_id(fields[0]), fields[2].parse().ok());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_an_error_with_its_place() {
        let temporary = tempfile::tempdir().unwrap();
        let deep = temporary.path().join("x".repeat(120));
        fs::create_dir(&deep).unwrap();
        let Err(Error::Listen { place, .. }) = bind(&environment(&[("TMPDIR", &deep)])) else {
            panic!("a path of over 120 bytes fits into no socket address")
        };
        assert!(place.starts_with(&deep));
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0, "the directory made for the socket is removed again");
    }
}
