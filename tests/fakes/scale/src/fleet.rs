//! The databases: which ones an account has in a region, from their number alone.

use crate::numbering::digits;
use crate::organization::Organization;
use crate::settings::Settings;

/// The order of kinds from one database to the next. A replica follows its source.
const KINDS: [Kind; 10] = [
    Kind::Instance("postgres"),
    Kind::Instance("mysql"),
    Kind::Cluster("aurora-postgresql", 2),
    Kind::Instance("mariadb"),
    Kind::Instance("sqlserver-se"),
    Kind::Cluster("aurora-mysql", 3),
    Kind::Instance("postgres"),
    Kind::Replica("postgres"),
    Kind::Instance("oracle-se2"),
    Kind::Cluster("postgres", 3),
];

/// An account and a region, both by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) account: u32,
    pub(crate) region: usize,
}

/// What a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One instance of this engine
    Instance(&'static str),
    /// A replica of the database before it
    Replica(&'static str),
    /// A cluster with so many members, the first of which writes; Multi-AZ where the engine is not Aurora
    Cluster(&'static str, u32),
}

impl Kind {
    pub(crate) fn engine(self) -> &'static str {
        match self {
            Self::Instance(engine) | Self::Replica(engine) | Self::Cluster(engine, _) => engine,
        }
    }
}

/// A database of one place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Database {
    /// Its number in the whole organization
    pub(crate) number: u64,
    pub(crate) kind: Kind,
}

impl Database {
    pub(crate) fn identifier(&self) -> String {
        identifier(self.number)
    }
}

fn identifier(number: u64) -> String {
    format!("db-{number:07}")
}

/// An instance as DescribeDBInstances lists it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instance {
    pub(crate) database: Database,
    /// Which member of a cluster it is, from 1; 0 for an instance on its own
    pub(crate) member: u32,
}

impl Instance {
    pub(crate) fn identifier(&self) -> String {
        match self.member {
            0 => self.database.identifier(),
            member => format!("{}-{member}", self.database.identifier()),
        }
    }

    /// The source of a replica.
    pub(crate) fn source(&self) -> Option<String> {
        matches!(self.database.kind, Kind::Replica(_)).then(|| identifier(self.database.number - 1))
    }
}

/// Where the databases are.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    databases: u64,
    regions: Vec<String>,
    places: u64,
    seed: String,
}

impl Fleet {
    pub(crate) fn new(settings: &Settings) -> Self {
        let places = u64::from(settings.accounts) * settings.regions.len() as u64;
        Self {
            databases: settings.databases,
            regions: settings.regions.clone(),
            places,
            seed: settings.seed.to_string(),
        }
    }

    /// The number of a region that is on.
    pub(crate) fn region(&self, name: &str) -> Option<usize> {
        self.regions.iter().position(|region| region == name)
    }

    pub(crate) fn region_name(&self, place: Place) -> &str {
        self.regions.get(place.region).map_or("", String::as_str)
    }

    /// The databases of a place, by identifier. The management account has none.
    pub(crate) fn databases(&self, place: Place) -> impl Iterator<Item = Database> + use<> {
        let range = self.numbers(place);
        let first = range.start;
        range.map(move |number| Database { number, kind: kind(number, number == first) })
    }

    /// All instances of a place, by identifier.
    pub(crate) fn instances(&self, place: Place) -> impl Iterator<Item = Instance> + use<> {
        self.databases(place).flat_map(|database| {
            let members = match database.kind {
                Kind::Cluster(_, members) => 1..members + 1,
                Kind::Instance(_) | Kind::Replica(_) => 0..1,
            };
            members.map(move |member| Instance { database, member })
        })
    }

    pub(crate) fn clusters(&self, place: Place) -> impl Iterator<Item = Database> + use<> {
        self.databases(place).filter(|database| matches!(database.kind, Kind::Cluster(..)))
    }

    /// The constant that RDS puts into the host names of an account and region.
    pub(crate) fn host_part(&self, organization: &Organization, place: Place) -> String {
        format!("c{}", digits(&[&organization.account_id(place.account), self.region_name(place)], 11))
    }

    /// So many digits that belong to one thing of one place, in capitals.
    pub(crate) fn digits(&self, place: Place, what: &str, length: usize) -> String {
        digits(&[&self.seed, &place.account.to_string(), self.region_name(place), what], length)
    }

    fn numbers(&self, place: Place) -> std::ops::Range<u64> {
        let Some(account) = place.account.checked_sub(1) else { return 0..0 };
        if self.places == 0 {
            return 0..0;
        }
        let index = u64::from(account) * self.regions.len() as u64 + place.region as u64;
        let (each, rest) = (self.databases / self.places, self.databases % self.places);
        let first = index * each + index.min(rest);
        first..first + each + u64::from(index < rest)
    }
}

/// The first database of a place cannot be a replica: its source would be elsewhere.
fn kind(number: u64, is_first: bool) -> Kind {
    let kind = usize::try_from(number % 10).ok().and_then(|at| KINDS.get(at)).copied();
    match kind.unwrap_or(Kind::Instance("postgres")) {
        Kind::Replica(engine) if is_first => Kind::Instance(engine),
        kind => kind,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(accounts: u32) -> impl Iterator<Item = Place> {
        (0..=accounts).flat_map(|account| (0..3).map(move |region| Place { account, region }))
    }

    #[test]
    fn there_are_exactly_so_many_databases_and_none_twice() {
        for databases in [0, 7, 100, 1000, 1003] {
            let fleet = Fleet::new(&Settings { accounts: 40, databases, ..Settings::default() });
            let all: Vec<Database> = places(40).flat_map(|place| fleet.databases(place)).collect();
            let unique: BTreeSet<String> = all.iter().map(Database::identifier).collect();
            assert_eq!((all.len() as u64, unique.len() as u64), (databases, databases));
        }
    }

    #[test]
    fn a_place_holds_every_kind_and_the_source_of_each_replica() {
        let fleet = Fleet::new(&Settings { accounts: 10, databases: 300, ..Settings::default() });
        for place in places(10).skip(3) {
            let instances: Vec<Instance> = fleet.instances(place).collect();
            let names: BTreeSet<String> = instances.iter().map(Instance::identifier).collect();
            assert_eq!((fleet.databases(place).count(), fleet.clusters(place).count(), names.len()), (10, 3, 15));
            assert!(instances.iter().filter_map(Instance::source).all(|source| names.contains(&source)));
            assert!(instances.windows(2).all(|two| two[0].identifier() < two[1].identifier()));
        }
    }

    #[test]
    fn the_management_account_has_no_database() {
        let fleet = Fleet::new(&Settings::default());
        assert_eq!(fleet.instances(Place { account: 0, region: 0 }).count(), 0);
    }
}
