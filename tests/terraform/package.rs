//! The release as clients take it: `scripts/package` packs the program, and Terraform installs it from a filesystem
//! mirror of packages. No release is built for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::without_network;
use crate::rig::{python_program, repository};
use crate::workspace::{Workspace, provider_address};

const NAME: &str = "terraform-provider-rdsaccess";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const BUILT: &str = env!("CARGO_BIN_EXE_terraform-provider-rdsaccess");
const REQUIRED: &str =
    "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";

/// `scripts/package`, which sees no key of whoever runs the test.
fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(python_program());
    command.arg(repository().join("scripts/package")).args(arguments);
    command.env_remove("GPG_FINGERPRINT").env_remove("GPG_PASSPHRASE");
    command
}

fn ended(mut command: Command) -> Output {
    command.output().expect("the program runs")
}

fn well(command: Command) -> String {
    let output = ended(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refusal(command: Command) -> String {
    let output = ended(command);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Packs a program into a folder.
fn packed(binary: &Path, out: &Path) -> String {
    well(script(&["--binary", binary.to_str().unwrap(), "--out", out.to_str().unwrap()]))
}

/// A program that is packed in no time.
fn small(folder: &TempDir) -> PathBuf {
    let program = folder.path().join("program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    program
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The zip files of a folder.
fn zips(folder: &Path) -> Vec<PathBuf> {
    names(folder).iter().filter(|name| name.ends_with(".zip")).map(|name| folder.join(name)).collect()
}

#[test]
fn terraform_installs_the_package_from_a_filesystem_mirror() {
    let mut workspace = Workspace::offline();
    let (dist, mirror) = (workspace.home().join("dist"), workspace.home().join("packages"));
    packed(Path::new(BUILT), &dist);
    let place = mirror.join(provider_address());
    fs::create_dir_all(&place).unwrap();
    for zip in zips(&dist) {
        fs::copy(&zip, place.join(zip.file_name().unwrap())).unwrap();
    }
    let configuration = workspace.home().join("packages.rc");
    let text = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n"
    );
    fs::write(&configuration, text).unwrap();
    workspace.set("TF_CLI_CONFIG_FILE", configuration.to_str().unwrap());
    workspace.write("main.tf", REQUIRED);

    without_network(&workspace, &["init", "-input=false", "-no-color"]).ok();

    let versions = workspace.folder().join(".terraform/providers").join(provider_address()).join(VERSION);
    let installed = versions.join(&names(&versions)[0]);
    assert_eq!(names(&installed), ["CHANGELOG.md", "LICENSE", "README.md", &format!("{NAME}_v{VERSION}")]);
    assert_eq!(fs::read(installed.join("LICENSE")).unwrap(), fs::read(repository().join("LICENSE")).unwrap());
    let schemas = without_network(&workspace, &["providers", "schema", "-json", "-no-color"]).ok().stdout;
    let schemas: Value = serde_json::from_str(&schemas).unwrap();
    let ours = &schemas["provider_schemas"][provider_address()];
    assert!(ours["resource_schemas"]["rdsaccess_role"].is_object(), "{schemas}");
    let lock = fs::read_to_string(workspace.folder().join(".terraform.lock.hcl")).unwrap();
    assert!(lock.contains(&format!("version = \"{VERSION}\"")), "{lock}");
}

#[test]
fn the_files_are_named_as_the_registry_wants_and_their_sums_are_true() {
    let folder = TempDir::new().unwrap();
    let dist = folder.path().join("dist");
    let said = packed(&small(&folder), &dist);

    let platform = zips(&dist)[0].file_stem().unwrap().to_str().unwrap().to_owned();
    let stem = format!("{NAME}_{VERSION}");
    assert!(platform.starts_with(&format!("{stem}_")) && platform.matches('_').count() == 3, "{platform}");
    let sums = format!("{stem}_SHA256SUMS");
    assert_eq!(names(&dist), [sums.clone(), format!("{platform}.zip"), format!("{stem}_manifest.json")]);
    let text = fs::read_to_string(dist.join(&sums)).unwrap();
    let summed: Vec<_> = text.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(summed, [format!("{platform}.zip"), format!("{stem}_manifest.json")]);
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict", &sums]).current_dir(&dist);
    well(check);
    let manifest: Value =
        serde_json::from_slice(&fs::read(dist.join(format!("{stem}_manifest.json"))).unwrap()).unwrap();
    assert_eq!(manifest["metadata"]["protocol_versions"][0], "6.0");
    assert!(said.contains("no signature: GPG_FINGERPRINT names no key"), "{said}");
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let (program, first, second) = (small(&folder), folder.path().join("first"), folder.path().join("second"));
    packed(&program, &first);
    let later = fs::metadata(&program).unwrap().modified().unwrap() + std::time::Duration::from_secs(86_400);
    fs::File::options().write(true).open(&program).unwrap().set_modified(later).unwrap();
    packed(&program, &second);
    assert_eq!(fs::read(&zips(&first)[0]).unwrap(), fs::read(&zips(&second)[0]).unwrap());

    fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
    packed(&program, &second);
    assert_ne!(fs::read(&zips(&first)[0]).unwrap(), fs::read(&zips(&second)[0]).unwrap(), "another program");
}

#[test]
fn one_list_of_sums_covers_every_platform_of_the_version() {
    let folder = TempDir::new().unwrap();
    let (program, dist) = (small(&folder), folder.path().join("dist"));
    let (program, out) = (program.to_str().unwrap(), dist.to_str().unwrap());
    let targets =
        ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin"];
    for target in targets {
        well(script(&["--binary", program, "--out", out, target]));
    }
    fs::write(dist.join(format!("{NAME}_0.0.1_linux_amd64.zip")), "of an earlier version").unwrap();
    well(script(&["--sums", "--out", out]));

    let text = fs::read_to_string(dist.join(format!("{NAME}_{VERSION}_SHA256SUMS"))).unwrap();
    let stem = format!("{NAME}_{VERSION}");
    let summed: Vec<_> = text.lines().map(|line| line.split_once(&stem).unwrap().1).collect();
    assert_eq!(
        summed,
        ["_darwin_amd64.zip", "_darwin_arm64.zip", "_linux_amd64.zip", "_linux_arm64.zip", "_manifest.json",]
    );
}

#[test]
fn the_key_that_the_environment_names_signs_the_sums() {
    let folder = TempDir::with_prefix("gpg-").unwrap();
    let (keys, dist) = (folder.path().join("keys"), folder.path().join("dist"));
    fs::create_dir(&keys).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &keys).args(["--batch", "--pinentry-mode", "loopback"]).args(arguments);
        let output = command.output().expect("gpg runs: apt-get install gpg gpg-agent");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let owner = "releases@example.com";
    gpg(&["--passphrase", "opens it", "--quick-generate-key", owner, "ed25519", "sign", "never"]);
    let mut command = script(&["--binary", small(&folder).to_str().unwrap(), "--out", dist.to_str().unwrap()]);
    command.env("GNUPGHOME", &keys).env("GPG_FINGERPRINT", owner).env("GPG_PASSPHRASE", "opens it");
    let said = well(command);
    let sums = dist.join(format!("{NAME}_{VERSION}_SHA256SUMS"));
    let signature = dist.join(format!("{NAME}_{VERSION}_SHA256SUMS.sig"));
    gpg(&["--verify", signature.to_str().unwrap(), sums.to_str().unwrap()]);
    assert!(!said.contains("opens it"), "{said}");
    assert!(!fs::read(&signature).unwrap().starts_with(b"-----BEGIN"), "the registry takes no armor");

    well(script(&["--sums", "--out", dist.to_str().unwrap()]));
    assert!(!signature.exists(), "a signature of earlier sums stayed");
    well({
        let mut stop = Command::new("gpgconf");
        stop.env("GNUPGHOME", &keys).args(["--kill", "all"]);
        stop
    });
}

#[test]
fn what_cannot_be_packed_is_refused_with_the_next_step() {
    let folder = TempDir::new().unwrap();
    let (program, out) = (small(&folder), folder.path().join("dist"));
    let (program, out) = (program.to_str().unwrap(), out.to_str().unwrap());
    let said = refusal(script(&["--out", out, "--binary", program, "riscv64gc-unknown-linux-gnu"]));
    assert!(said.contains("riscv64gc-unknown-linux-gnu: the provider is packed for x86_64, aarch64"), "{said}");
    let said = refusal(script(&["--out", out, "--binary", "/no/such/program"]));
    assert!(said.contains("there is no file /no/such/program"), "{said}");
    let said = refusal(script(&["--out", out, "--sums"]));
    assert!(said.contains(&format!("has no package of version {VERSION}")), "{said}");
    let said = refusal(script(&["--out", out, "--binary", program, "x86_64-apple-darwin", "aarch64-apple-darwin"]));
    assert!(said.contains("--binary is the program of one target"), "{said}");
    assert!(!Path::new(out).exists() || names(Path::new(out)).is_empty());
}
