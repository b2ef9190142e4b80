//! Errors as sentences for the person on call: each module explains its own, one type carries them to the protocol edge.

use std::error::Error;
use std::fmt;

use crate::value::Path;

/// How a module turns its error into words.
///
/// `Display` of an error is a lower-case fragment for logs and for chaining; `Explain` is what a person reads. None of
/// the texts may hold a secret.
pub trait Explain: Error {
    /// A short, constant headline without names, such as `Cannot enter the account`.
    fn summary(&self) -> String;

    /// What failed, on which account, region and ARN, which action, and why. Defaults to the error with its causes.
    fn detail(&self) -> String {
        with_causes(self)
    }

    /// What the person can do now.
    fn next_step(&self) -> Option<String> {
        None
    }

    /// The attribute that the error is about.
    fn attribute(&self) -> Option<Path> {
        None
    }

    /// Whether it says that something could not be reached or entered, rather than that something is wrong.
    fn reach(&self) -> Reach {
        Reach::Fine
    }
}

/// What an error means for a caller that can go on from it; most of it is whether something could be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Something was learned, and it is an error
    #[default]
    Fine,
    /// No connection, no access, no answer
    OutOfReach,
    /// An administrator's login was refused
    Refused,
    /// AWS is taking the account away in which the object is
    Leaving,
    /// The account in which the object is cannot be entered, and is not in the organization (any more)
    Strange,
    /// Whoever should take a value never will, because it breaks a rule: with another value it may work
    Unfit,
}

/// Writes an error and its causes as one line, leaving out a cause that the text before it already contains.
pub fn with_causes<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Whether a report stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The operation failed
    Error,
    /// The operation went on
    Warning,
}

/// What a person gets to read: a Terraform diagnostic before it goes onto the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Error or warning
    pub severity: Severity,
    /// Headline
    pub summary: String,
    /// Sentences, the last one says what to do next
    pub detail: String,
    /// The attribute it is about
    pub attribute: Option<Path>,
    /// Whether it means that nothing could be learned
    pub reach: Reach,
}

impl Report {
    /// An error about the whole object.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            attribute: None,
            reach: Reach::Fine,
        }
    }

    /// A warning about the whole object.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(summary, detail) }
    }

    /// The same report pointed at an attribute.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.attribute = Some(path);
        self
    }

    /// The same report as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Explains an error.
    pub fn of<E: Explain + ?Sized>(error: &E) -> Self {
        let mut detail = sentence(&error.detail());
        if let Some(step) = error.next_step() {
            detail.push_str("\n\n");
            detail.push_str(&sentence(&step));
        }
        Self {
            severity: Severity::Error,
            summary: error.summary(),
            detail,
            attribute: error.attribute(),
            reach: error.reach(),
        }
    }
}

impl<E: Explain> From<E> for Report {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary, self.detail)
    }
}

/// Begins with a capital and ends with a full stop, so that fragments read well on their own. A first word that is a
/// name (it holds something else than lower-case letters) stays as it is.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let word = text.split([' ', ',']).next().unwrap_or_default().trim_end_matches(':');
    let mut out = String::with_capacity(text.len() + 1);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) => {
            out.extend(first.to_uppercase());
            out.push_str(chars.as_str());
        }
        _ => out.push_str(text),
    }
    if !out.is_empty() && !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach the store")]
    struct Outer(#[source] std::io::Error);

    impl Explain for Outer {
        fn summary(&self) -> String {
            "Cannot store the secret".to_owned()
        }

        fn next_step(&self) -> Option<String> {
            Some("check the network and apply again".to_owned())
        }
    }

    #[test]
    fn a_report_names_the_causes_and_ends_with_the_next_step() {
        let report = Report::of(&Outer(std::io::Error::other("connection refused")));
        assert_eq!(report.summary, "Cannot store the secret");
        assert_eq!(report.detail, "Cannot reach the store: connection refused.\n\nCheck the network and apply again.");
    }

    #[test]
    fn a_sentence_that_begins_with_a_name_keeps_it() {
        assert_eq!(sentence("iam.amazonaws.com said no"), "iam.amazonaws.com said no.");
        assert_eq!(sentence("access denied"), "Access denied.");
        assert_eq!(sentence("denied: access"), "Denied: access.");
        assert_eq!(
            sentence("arn:aws:rds:eu-central-1:123456789012:db:a is gone"),
            "arn:aws:rds:eu-central-1:123456789012:db:a is gone."
        );
    }
}
