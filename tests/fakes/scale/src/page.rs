//! Pages. A token holds where the next page begins, and is good for the list that it came from only.

use crate::numbering::digits;

/// A part of a list, and the token for the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) entries: Vec<T>,
    pub(crate) next: Option<String>,
}

/// A token that does not belong to the list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrongToken;

/// Cuts a page out of `all`. `list` names the list: action, account, region and what was asked for. With `empty_first`
/// every page comes twice, first empty.
pub(crate) fn page<T>(
    all: impl Iterator<Item = T>,
    list: &[&str],
    token: Option<&str>,
    size: usize,
    empty_first: bool,
) -> Result<Page<T>, WrongToken> {
    let (start, was_empty) = token.map_or(Ok((0, false)), |token| read(token, list))?;
    if empty_first && !was_empty {
        return Ok(Page { entries: Vec::new(), next: Some(token_for(list, start, true)) });
    }
    let mut rest = all.skip(start);
    let entries: Vec<T> = rest.by_ref().take(size).collect();
    let next = rest.next().is_some().then(|| token_for(list, start + entries.len(), false));
    Ok(Page { entries, next })
}

fn token_for(list: &[&str], start: usize, was_empty: bool) -> String {
    let kind = if was_empty { "x" } else { "n" };
    format!("{start}{kind}{}", digits(&[list, &[&start.to_string(), kind]].concat(), 16))
}

fn read(token: &str, list: &[&str]) -> Result<(usize, bool), WrongToken> {
    let was_empty = token.contains('x');
    let start = token.split(['n', 'x']).next().and_then(|start| start.parse().ok()).ok_or(WrongToken)?;
    if token_for(list, start, was_empty) == token { Ok((start, was_empty)) } else { Err(WrongToken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: usize, size: usize, empty_first: bool) -> (Vec<usize>, usize) {
        let (mut found, mut pages, mut token) = (Vec::new(), 0, None);
        loop {
            let part = page(0..count, &["list", "a"], token.as_deref(), size, empty_first).unwrap();
            found.extend(part.entries);
            pages += 1;
            token = part.next;
            if token.is_none() {
                return (found, pages);
            }
        }
    }

    #[test]
    fn pages_together_are_the_list() {
        for (count, pages) in [(0, 1), (19, 1), (20, 1), (21, 2), (1000, 50)] {
            assert_eq!(all(count, 20, false), ((0..count).collect(), pages));
            assert_eq!(all(count, 20, true), ((0..count).collect(), 2 * pages));
        }
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let token = page(0..30, &["list", "a"], None, 20, false).unwrap().next.unwrap();
        assert!(page(0..30, &["list", "a"], Some(&token), 20, false).is_ok());
        assert_eq!(page(0..30, &["list", "b"], Some(&token), 20, false), Err(WrongToken));
        assert_eq!(page(0..30, &["list", "a"], Some("nonsense"), 20, false), Err(WrongToken));
    }
}
