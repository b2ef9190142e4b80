//! The provider is killed after every single external effect of a rotation. Which effects there are is not written here:
//! the servers' logs tell, and a run is repeated with one effect more until nothing is left to be killed after.

use super::hosted::{Applied, State};
use super::proof::{Row, compare};
use super::stage::{Engine, Stage, Subject};
use super::stores::Kept;
use super::vault::Vault;
use super::watch::Then;

/// More effects than any run has.
const ENDLESS: usize = 40;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    CreateRole,
    Rotate(&'static str),
    /// The turn for which the second login is made
    FirstTurn,
    CreateMaster,
    RotateMaster,
}

impl Case {
    /// The masters come last: the roles' administrator has the first password of the master.
    fn of(engine: Engine) -> Vec<Self> {
        let mut cases = vec![Self::CreateRole, Self::Rotate("single")];
        if engine == Engine::Mysql {
            cases.push(Self::Rotate("dual_password"));
        }
        cases.extend([Self::FirstTurn, Self::Rotate("two_users"), Self::CreateMaster, Self::RotateMaster]);
        cases
    }

    fn words(self) -> String {
        match self {
            Self::CreateRole => "rdsaccess_role, create".to_owned(),
            Self::Rotate(strategy) => format!("rdsaccess_role, rotation, {strategy}"),
            Self::FirstTurn => "rdsaccess_role, rotation, two_users, first turn of the second login".to_owned(),
            Self::CreateMaster => "rdsaccess_master_credential, create".to_owned(),
            Self::RotateMaster => "rdsaccess_master_credential, rotation".to_owned(),
        }
    }

    fn is_create(self) -> bool {
        matches!(self, Self::CreateRole | Self::CreateMaster)
    }

    /// Whether the password before stays good while the new one is on its way.
    fn keeps_the_old(self) -> bool {
        matches!(self, Self::Rotate("dual_password" | "two_users") | Self::FirstTurn)
    }

    fn subject(self, stage: &Stage, round: usize) -> Subject {
        let fresh = |strategy| stage.role(&format!("fresh_{strategy}_{round}"), strategy, round);
        match self {
            Self::CreateRole => fresh("single"),
            Self::FirstTurn => fresh("two_users"),
            Self::Rotate(strategy) => stage.role(&format!("lasting_{strategy}"), strategy, round),
            Self::CreateMaster | Self::RotateMaster => stage.master(round),
        }
    }

    /// The state from which the run starts.
    fn prepared(self, stage: &Stage, round: usize, lasting: &State) -> State {
        match self {
            Self::CreateRole => State::none(),
            Self::CreateMaster => {
                stage.store.purge(&stage.rig, stage.database(), &stage.database().master_username);
                State::none()
            }
            Self::FirstTurn => {
                let subject = stage.role(&format!("fresh_two_users_{round}"), "two_users", 0);
                stage.apply(&subject, &State::none()).ok()
            }
            Self::Rotate("two_users") if lasting.value.is_null() => {
                // Past the turn for which the second login is made.
                let first = stage.apply(&self.subject(stage, 100), &State::none()).ok();
                stage.apply(&self.subject(stage, 101), &first).ok()
            }
            Self::Rotate(_) | Self::RotateMaster if lasting.value.is_null() => {
                stage.apply(&self.subject(stage, 100), &State::none()).ok()
            }
            Self::Rotate(_) | Self::RotateMaster => lasting.clone(),
        }
    }
}

/// Kills after every effect of a case; returns a row for each.
fn killed_after_each(stage: &Stage, case: Case) -> Vec<Row> {
    let (mut rows, mut lasting, mut seen) = (Vec::new(), State::none(), 0);
    while seen < ENDLESS {
        let after = seen + 1;
        let (subject, before) = (case.subject(stage, after), case.prepared(stage, after, &lasting));
        let old = if case.is_create() { None } else { stage.current(&subject) };
        let story = |effects: &[String]| format!("{}, killed after {}", case.words(), effects.join(" > "));
        match stage.apply_until(&subject, &before, after, Then::Hold) {
            Applied::Done(state, errors) => {
                let effects = stage.watch.disarm();
                assert!(errors.is_empty(), "{}: {errors:?}", case.words());
                assert_eq!(effects.len(), seen, "{}: {effects:?}", case.words());
                stage.assert_settled(&subject, &state, &case.words());
                return rows;
            }
            Applied::Killed => {
                let effects = stage.watch.disarm();
                let story = story(&effects);
                let versions = stage.versions(&subject);
                let readers = readers(stage, case, &versions, &story);
                let (state, has_changes) = stage.repair(&subject, &before);
                let recovered_by = if has_changes { "next apply" } else { "read" };
                stage.assert_settled(&subject, &state, &story);
                let current = stage.current(&subject).expect("a current version");
                if let Some(pending) = versions.iter().find(|kept| kept.pending) {
                    assert_eq!(current.password, pending.password, "{story}: what waits is used, not replaced");
                }
                if let Some(old) = old {
                    assert_ne!(old.password, current.password, "{story}: the rotation was wanted");
                }
                // What goes to the server in one message cannot be divided by a kill on this side.
                let effect = effects.get(seen..).expect("there was one more").join(", ");
                seen = effects.len();
                rows.push(Row { what: case.words(), effect, readers, recovered_by });
                lasting = state;
            }
        }
    }
    panic!("{}: more than {ENDLESS} effects", case.words());
}

/// What whoever reads the store gets at the moment of the kill. Whatever it is: some stored password logs in, or the
/// password before that was never stored still does.
fn readers(stage: &Stage, case: Case, versions: &[Kept], story: &str) -> &'static str {
    let works: Vec<bool> = versions.iter().map(|kept| stage.works(kept)).collect();
    let current = versions.iter().position(|kept| kept.current).map(|at| works[at]);
    if stage.store.hides_what_waits() && current == Some(false) {
        let shown = versions.iter().find(|kept| kept.current).map(|kept| &kept.password);
        let is_pending = versions.iter().any(|kept| kept.pending && Some(&kept.password) == shown);
        assert!(!is_pending && !case.is_create(), "{story}: readers get what waits before it is proven");
    }
    if case.is_create() {
        return match current {
            Some(true) => "logs in",
            Some(false) => "is not proven, so that nobody is given it",
            None => "is not there yet",
        };
    }
    assert!(works.contains(&true), "{story}: no stored password logs in");
    let current = current.unwrap_or_else(|| panic!("{story}: no current version"));
    assert!(current || !case.keeps_the_old(), "{story}: the password before has ended");
    if current { "logs in" } else { "is refused" }
}

fn every_kill_is_repaired(engine: Engine, stage: &Stage, part: &str, cases: Vec<Case>) {
    let rows: Vec<Row> = cases.into_iter().flat_map(|case| killed_after_each(stage, case)).collect();
    compare(engine, stage.store.name(), part, &rows);
}

fn every_kill_is_repaired_on(engine: Engine) {
    every_kill_is_repaired(engine, &Stage::new(engine), "", Case::of(engine));
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_on_postgres() {
    every_kill_is_repaired_on(Engine::Postgres);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_on_mariadb() {
    every_kill_is_repaired_on(Engine::Mariadb);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_on_mysql() {
    every_kill_is_repaired_on(Engine::Mysql);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_on_the_stand_in_of_sql_server() {
    let cases = vec![Case::CreateRole, Case::Rotate("single")];
    every_kill_is_repaired(Engine::SqlServer, &Stage::new(Engine::SqlServer), "", cases);
}

// Two tests: after every reset the provider gives SQL Server five seconds before it tries the password.
#[test]
fn a_master_whose_create_is_killed_after_any_effect_is_repaired_on_the_stand_in_of_sql_server() {
    let stage = Stage::new(Engine::SqlServer);
    every_kill_is_repaired(Engine::SqlServer, &stage, "master create", vec![Case::CreateMaster]);
}

#[test]
fn a_master_whose_rotation_is_killed_after_any_effect_is_repaired_on_the_stand_in_of_sql_server() {
    let stage = Stage::new(Engine::SqlServer);
    every_kill_is_repaired(Engine::SqlServer, &stage, "master rotation", vec![Case::RotateMaster]);
}

#[test]
fn turns_that_are_killed_after_any_effect_are_repaired_on_the_stand_in_of_sql_server() {
    let cases = vec![Case::FirstTurn, Case::Rotate("two_users")];
    every_kill_is_repaired(Engine::SqlServer, &Stage::new(Engine::SqlServer), "turns", cases);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv2_on_postgres() {
    let stage = Stage::with(Engine::Postgres, Box::new(Vault::kv2()));
    every_kill_is_repaired(Engine::Postgres, &stage, "", vec![Case::CreateRole, Case::Rotate("single")]);
}

#[test]
fn turns_and_masters_that_are_killed_after_any_effect_are_repaired_with_vault_kv2_on_postgres() {
    let stage = Stage::with(Engine::Postgres, Box::new(Vault::kv2()));
    let cases = vec![Case::Rotate("two_users"), Case::RotateMaster];
    every_kill_is_repaired(Engine::Postgres, &stage, "turns and masters", cases);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv1_on_postgres() {
    let stage = Stage::with(Engine::Postgres, Box::new(Vault::kv1()));
    every_kill_is_repaired(Engine::Postgres, &stage, "", vec![Case::CreateRole, Case::Rotate("single")]);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv2_on_mariadb() {
    let stage = Stage::with(Engine::Mariadb, Box::new(Vault::kv2()));
    every_kill_is_repaired(Engine::Mariadb, &stage, "", vec![Case::Rotate("single")]);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv2_on_mysql() {
    let stage = Stage::with(Engine::Mysql, Box::new(Vault::kv2()));
    every_kill_is_repaired(Engine::Mysql, &stage, "", vec![Case::Rotate("dual_password")]);
}

#[test]
fn turns_that_are_killed_after_any_effect_are_repaired_with_vault_kv2_on_mariadb() {
    let stage = Stage::with(Engine::Mariadb, Box::new(Vault::kv2()));
    every_kill_is_repaired(Engine::Mariadb, &stage, "turns", vec![Case::FirstTurn, Case::Rotate("two_users")]);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv1_on_mariadb() {
    let stage = Stage::with(Engine::Mariadb, Box::new(Vault::kv1()));
    every_kill_is_repaired(Engine::Mariadb, &stage, "", vec![Case::Rotate("single")]);
}

#[test]
fn a_provider_killed_after_any_effect_is_repaired_with_vault_kv1_on_mysql() {
    let stage = Stage::with(Engine::Mysql, Box::new(Vault::kv1()));
    every_kill_is_repaired(Engine::Mysql, &stage, "", vec![Case::Rotate("single")]);
}
