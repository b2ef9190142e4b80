//! Reading the tree: every parent as soon as it is known, its units and its accounts at the same time, page by page.
//! So it takes as long as the longest chain of pages that can only be asked for one after the other. The flat list of
//! the accounts is read beside it: a tree that lacks one of them is no answer.

use std::collections::BTreeSet;

use futures_util::stream::{FuturesUnordered, TryStreamExt};

use super::tree::{Account, OrganizationTree, Unit};
use crate::access::AccountId;
use crate::aws::{Call, Error, Fault};

/// How often the organization is read when it changes meanwhile.
const MOST_WALKS: usize = 3;

/// What there are pages of.
#[derive(Debug, Clone)]
pub(super) enum Listing {
    /// The roots
    Roots,
    /// The units that a unit holds itself
    Units(Unit),
    /// The accounts that a unit holds itself
    Accounts(Unit),
    /// The accounts of the organization, wherever they are
    Every,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) units: Vec<Unit>,
    pub(super) accounts: Vec<Account>,
    /// Of [`Listing::Every`], which does not tell where an account is
    pub(super) members: Vec<AccountId>,
    /// Where the next page begins; a page may be empty although there is a next one
    pub(super) next: Option<String>,
}

/// Whoever has the pages.
pub(super) trait Pages {
    /// One page; the first, without a token.
    fn page(&self, of: &Listing, token: Option<String>) -> impl Future<Output = Result<Page, Error>> + Send;
}

/// What one walk found.
#[derive(Default)]
struct Walk {
    tree: OrganizationTree,
    members: BTreeSet<AccountId>,
}

/// Reads the whole tree. One that changes meanwhile is read again: a unit that goes away in between, or an account that
/// was seen in two units or in none, must neither fail the plan nor count twice nor be missing.
pub(super) async fn walk(pages: &impl Pages) -> Result<OrganizationTree, Error> {
    let mut walks = 1;
    loop {
        let found = walk_once(pages).await;
        let again = match &found {
            Ok(walk) => walk.twice().is_some() || walk.missed().is_some(),
            Err(error) => error.is_not_found(),
        };
        if !again || walks == MOST_WALKS {
            return found.and_then(Walk::settled);
        }
        walks += 1;
    }
}

async fn walk_once(pages: &impl Pages) -> Result<Walk, Error> {
    let ask = |of: Listing, token: Option<String>| async move {
        let page = pages.page(&of, token).await?;
        Ok::<_, Error>((of, page))
    };
    let mut walk = Walk::default();
    // Not before the roots have answered: whoever may not read the organization is told so of the first call.
    let mut every = Some(ask(Listing::Every, None));
    let mut under_way = FuturesUnordered::new();
    under_way.push(ask(Listing::Roots, None));
    while let Some((of, page)) = under_way.try_next().await? {
        under_way.extend(every.take());
        if page.next.is_some() {
            under_way.push(ask(of, page.next));
        }
        for unit in page.units {
            under_way.push(ask(Listing::Units(unit.clone()), None));
            under_way.push(ask(Listing::Accounts(unit.clone()), None));
            walk.tree.units.push(unit);
        }
        walk.tree.accounts.extend(page.accounts);
        walk.members.extend(page.members);
    }
    walk.tree.sort();
    Ok(walk)
}

impl Walk {
    /// An account that was found in two units: it was moved from one to the other between two pages.
    fn twice(&self) -> Option<&AccountId> {
        let mut seen = BTreeSet::new();
        self.tree.accounts.iter().map(|account| &account.id).find(|id| !seen.insert(*id))
    }

    /// An account of the organization that was found in no unit: it was moved from one that was not read yet to one that
    /// was read already. The other way round, an account that joined behind the flat list, is none that is missing.
    fn missed(&self) -> Option<&AccountId> {
        let found: BTreeSet<&AccountId> = self.tree.accounts.iter().map(|account| &account.id).collect();
        self.members.iter().find(|id| !found.contains(id))
    }

    fn settled(self) -> Result<OrganizationTree, Error> {
        let (action, text) = if let Some(id) = self.twice() {
            let text = format!("account {id} is listed in two organizational units each time");
            ("organizations:ListAccountsForParent", text)
        } else if let Some(id) = self.missed() {
            let text = format!(
                "account {id} is in the organization, and no organizational unit lists it; the organization was read \
                 {MOST_WALKS} times and may be changing all the while"
            );
            ("organizations:ListAccounts", text)
        } else {
            return Ok(self.tree);
        };
        Err(Call::new(action).failed(Fault::Unexpected(text)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::path::UnitPath;
    use super::*;

    const LATENCY: Duration = Duration::from_millis(50);

    /// An organization that answers each page after 50 ms: how many units and accounts every unit holds, by its path.
    #[derive(Default)]
    struct Organization {
        units: BTreeMap<String, usize>,
        accounts: BTreeMap<String, usize>,
        page_size: usize,
        asked: Mutex<Vec<String>>,
        /// Pages that fail, by number of the request
        gone: BTreeSet<usize>,
        /// Until this request an account of `Root` is also in `Root/0`
        moved_until: usize,
        /// Until this request the first account of `Root/0` is in no unit
        missed_until: usize,
    }

    impl Organization {
        fn new(page_size: usize, units: &[(&str, usize)], accounts: &[(&str, usize)]) -> Self {
            let map = |all: &[(&str, usize)]| all.iter().map(|(path, n)| ((*path).to_owned(), *n)).collect();
            Self { units: map(units), accounts: map(accounts), page_size, ..Self::default() }
        }

        fn asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }

        fn members(&self) -> Vec<AccountId> {
            let of = |(path, count): (&String, &usize)| {
                let parent = unit(path.parse().unwrap());
                (0..*count).map(|number| account(number, &parent).id).collect::<Vec<_>>()
            };
            self.accounts.iter().flat_map(of).collect()
        }

        fn range(&self, of: usize, token: Option<&String>) -> (std::ops::Range<usize>, Option<String>) {
            let start = token.map_or(0, |text| text.parse().unwrap());
            let end = (start + self.page_size).min(of);
            (start..end, (end < of).then(|| end.to_string()))
        }
    }

    fn unit(path: UnitPath) -> Unit {
        let name = path.to_string();
        Unit { id: format!("id of {name}"), name, path }
    }

    fn account(number: usize, parent: &Unit) -> Account {
        // A number of its own for each unit and position.
        let place: usize = parent.path.to_string().bytes().map(usize::from).sum();
        Account {
            id: format!("{:012}", place * 10_000 + number).parse().unwrap(),
            name: String::new(),
            email: String::new(),
            arn: String::new(),
            status: "ACTIVE".to_owned(),
            joined_method: String::new(),
            joined_at: None,
            ou_id: parent.id.clone(),
            ou_path: parent.path.clone(),
        }
    }

    impl Pages for Organization {
        async fn page(&self, of: &Listing, token: Option<String>) -> Result<Page, Error> {
            let number = {
                let mut asked = self.asked.lock().unwrap();
                asked.push(format!("{of:?}"));
                asked.len()
            };
            tokio::time::sleep(LATENCY).await;
            if self.gone.contains(&number) {
                let gone = Fault::NotFound("You specified a parent that doesn't exist.".to_owned());
                return Err(Call::new("organizations:ListAccountsForParent").failed(gone));
            }
            Ok(match of {
                Listing::Roots => Page { units: vec![unit(UnitPath::root("Root"))], ..Page::default() },
                Listing::Units(parent) => {
                    let count = self.units.get(&parent.path.to_string()).copied().unwrap_or_default();
                    let (range, next) = self.range(count, token.as_ref());
                    let units = range.map(|n| unit(parent.path.child(&n.to_string()))).collect();
                    Page { units, next, ..Page::default() }
                }
                Listing::Accounts(parent) => {
                    let path = parent.path.to_string();
                    let (range, next) =
                        self.range(self.accounts.get(&path).copied().unwrap_or_default(), token.as_ref());
                    let mut accounts: Vec<Account> = range.map(|n| account(n, parent)).collect();
                    if path == "Root/0" && number < self.moved_until {
                        accounts
                            .push(Account { id: account(0, &unit(UnitPath::root("Root"))).id, ..account(0, parent) });
                    }
                    if path == "Root/0" && number < self.missed_until {
                        accounts.remove(0);
                    }
                    Page { accounts, next, ..Page::default() }
                }
                Listing::Every => {
                    let all: Vec<AccountId> = self.members();
                    let (range, next) = self.range(all.len(), token.as_ref());
                    Page { members: all[range].to_vec(), next, ..Page::default() }
                }
            })
        }
    }

    /// The tree, and how many latencies it took by the clock of the test.
    async fn timed(organization: &Organization) -> (OrganizationTree, u32) {
        let start = Instant::now();
        let tree = walk(organization).await.unwrap();
        (tree, u32::try_from(start.elapsed().as_millis() / LATENCY.as_millis()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn it_takes_as_long_as_the_longest_chain_of_pages() {
        // Root, its first page of units, and 7 pages of accounts in the first of them.
        let wide = Organization::new(2, &[("Root", 40)], &[("Root/0", 13)]);
        let (tree, latencies) = timed(&wide).await;
        assert_eq!((tree.units.len(), tree.accounts.len()), (41, 13));
        // Roots, 20 pages of units, one of the units of the last: nothing else is waited for.
        assert_eq!(latencies, 1 + 20 + 1);

        let deep = Organization::new(
            20,
            &[("Root", 3), ("Root/1", 1), ("Root/1/0", 1), ("Root/1/0/0", 1)],
            &[("Root/0", 85), ("Root/1/0/0/0", 21)],
        );
        let (tree, latencies) = timed(&deep).await;
        assert_eq!((tree.units.len(), tree.accounts.len()), (7, 106));
        // Four steps down to the unit at the end and its two pages; beside it the 5 pages of `Root/0`, which is no barrier.
        assert_eq!(latencies, 1 + 4 + 2);
        assert_eq!(deep.asked(), 1 + 7 + 7 + 4 + 1 + 6, "one request per listing, and one per further page");
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_page_in_between_does_not_end_a_listing() {
        struct Sparse;
        impl Pages for Sparse {
            async fn page(&self, of: &Listing, token: Option<String>) -> Result<Page, Error> {
                let root = unit(UnitPath::root("Root"));
                Ok(match (of, token.as_deref()) {
                    (Listing::Roots, _) => Page { units: vec![root], ..Page::default() },
                    (Listing::Accounts(_), None) => Page { next: Some("more".to_owned()), ..Page::default() },
                    (Listing::Accounts(_), Some(_)) => Page { accounts: vec![account(1, &root)], ..Page::default() },
                    (Listing::Units(_) | Listing::Every, _) => Page::default(),
                })
            }
        }
        assert_eq!(walk(&Sparse).await.unwrap().accounts.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_organization_that_changes_meanwhile_is_read_again() {
        let mut gone = Organization::new(20, &[("Root", 2)], &[("Root/0", 2)]);
        gone.gone = BTreeSet::from([5]);
        let (tree, _) = timed(&gone).await;
        assert_eq!((tree.units.len(), tree.accounts.len()), (3, 2));

        let mut moved = Organization::new(20, &[("Root", 2)], &[("Root", 1)]);
        moved.moved_until = 9;
        let (tree, _) = timed(&moved).await;
        assert_eq!(tree.accounts.iter().map(|a| a.ou_path.to_string()).collect::<Vec<_>>(), ["Root"]);
        assert_eq!(moved.asked(), 2 * 8);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_in_two_units_is_an_error_at_last() {
        let mut moving = Organization::new(20, &[("Root", 1)], &[("Root", 1)]);
        moving.moved_until = usize::MAX;
        let error = walk(&moving).await.unwrap_err();
        assert!(error.to_string().contains("in two organizational units"), "{error}");
        assert_eq!(moving.asked(), MOST_WALKS * 6);
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_moves_behind_the_reader_is_not_lost() {
        let mut moved = Organization::new(20, &[("Root", 1)], &[("Root/0", 3)]);
        moved.missed_until = 7;
        assert_eq!(timed(&moved).await.0.accounts.len(), 3);
        assert_eq!(moved.asked(), 2 * 6, "one walk found two, the next all three");

        moved.missed_until = usize::MAX;
        moved.asked = Mutex::default();
        let error = walk(&moved).await.unwrap_err().to_string();
        assert!(error.contains(moved.members()[0].as_str()) && error.contains("no organizational unit"), "{error}");
        assert_eq!(moved.asked(), MOST_WALKS * 6);
    }

    #[tokio::test(start_paused = true)]
    async fn the_list_of_all_accounts_is_read_beside_the_tree() {
        // Roots, and 9 pages of all accounts; the tree itself is read after 4.
        let flat = Organization::new(20, &[("Root", 6)], &[("Root/0", 30), ("Root/1", 30), ("Root/5", 120)]);
        assert_eq!(timed(&flat).await.1, 1 + 9);
        assert_eq!(flat.asked(), 1 + 7 + 7 + 1 + 1 + 5 + 9);
    }
}
