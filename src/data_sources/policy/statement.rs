//! Documents of IAM: statements and their JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A document, whose fields keep the usual order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

/// A statement that allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement {
    /// Letters and digits, unique in its document
    pub sid: String,
    /// Always `Allow`
    pub effect: &'static str,
    /// Who, in a trust policy
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<BTreeMap<&'static str, Texts>>,
    /// What may be done
    pub action: Texts,
    /// On what; not in a trust policy
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Texts>,
    /// When
    #[serde(skip_serializing_if = "Conditions::is_empty")]
    pub condition: Conditions,
}

/// Texts in order, a single one without a list, as IAM writes them back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl<T: Into<String>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let sorted: BTreeSet<String> = texts.into_iter().map(Into::into).collect();
        let mut texts: Vec<String> = sorted.into_iter().collect();
        match (texts.len(), texts.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => Self::Many(texts.into_iter().chain(last).collect()),
        }
    }
}

/// Conditions, operator -> key -> values; all of them must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Conditions(BTreeMap<&'static str, BTreeMap<String, Texts>>);

impl Conditions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of the values, exactly; without values there is no condition.
    pub(super) fn equals<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("StringEquals", key, values);
    }

    /// One of the values, which may hold wildcards.
    pub(super) fn like<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("StringLike", key, values);
    }

    /// One of the ARNs, which may hold wildcards.
    pub(super) fn arn_like<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("ArnLike", key, values);
    }

    /// Every value of the request is one of these.
    pub(super) fn all_equal<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("ForAllValues:StringEquals", key, values);
    }

    /// A value of the request is one of these.
    pub(super) fn any_equals<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("ForAnyValue:StringEquals", key, values);
    }

    /// No value of the request is one of these.
    pub(super) fn none_equals<T: Into<String>>(&mut self, key: impl Into<String>, values: impl IntoIterator<Item = T>) {
        self.add("ForAllValues:StringNotEquals", key, values);
    }

    /// The request has a value.
    pub(super) fn is_given(&mut self, key: impl Into<String>) {
        self.add("Null", key, ["false"]);
    }

    /// The flag is set.
    pub(super) fn is_true(&mut self, key: impl Into<String>) {
        self.add("Bool", key, ["true"]);
    }

    fn add<T: Into<String>>(
        &mut self,
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) {
        let values: Texts = values.into_iter().collect();
        if values != Texts::Many(Vec::new()) {
            self.0.entry(operator).or_default().insert(key.into(), values);
        }
    }

    /// Adds all of the others.
    pub(super) fn extend(&mut self, others: &Self) {
        for (operator, keys) in &others.0 {
            self.0.entry(operator).or_default().extend(keys.clone());
        }
    }
}

impl Document {
    /// A document; `None` without statements, which IAM refuses.
    pub(super) fn new(statement: Vec<Statement>) -> Option<Self> {
        (!statement.is_empty()).then_some(Self { version: "2012-10-17", statement })
    }

    /// On one line: quotas do not count white space.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As a value, to be put into a template.
    pub(super) fn to_value(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_reads_as_people_write_it() {
        let mut condition = Conditions::default();
        condition.equals("b", ["2", "1", "2"]);
        condition.equals("a", ["1"]);
        condition.equals("none", Vec::<String>::new());
        let statement = Statement {
            sid: "One".to_owned(),
            effect: "Allow",
            principal: None,
            action: ["rds:B", "rds:A"].into_iter().collect(),
            resource: Some(["*"].into_iter().collect()),
            condition,
        };
        let json = Document::new(vec![statement]).unwrap().to_json();
        let expected = r#"{"Version":"2012-10-17","Statement":[{"Sid":"One","Effect":"Allow","Action":["rds:A","rds:B"],"Resource":"*","Condition":{"StringEquals":{"a":"1","b":["1","2"]}}}]}"#;
        assert_eq!(json, expected);
        assert_eq!(Document::new(Vec::new()), None);
    }
}
