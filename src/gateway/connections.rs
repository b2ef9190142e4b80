//! Reading and writing connections.

use std::borrow::Cow;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::connection::ENV_PREFIX;
use super::env::{initial_env, weakness};
use super::{Connection, ConnectionSpec, Creation, Env, Error, Gateway, Kind, ListedConnection, MANAGED_TAG};

/// Connections per page of a list; the gateway takes 1 to 100.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct Page {
    pages: Pages,
    data: Vec<ListedConnection>,
}

#[derive(Deserialize)]
struct Pages {
    total: usize,
}

impl Gateway {
    /// One connection by its name; `None` when the gateway says that there is none. A `404` that is not the gateway's
    /// own (a proxy, a wrong address) is an error.
    ///
    /// # Errors
    /// [`Kind::MaybeHidden`] when this token might not see it; otherwise when the gateway cannot be asked or refuses.
    pub async fn get_connection(&self, name: &str) -> Result<Option<Connection>, Error> {
        let request = self.request(Method::GET, &["connections", name]).about(name);
        match self.send(&request).await {
            Err(error) if error.is_not_found() && self.sees_everything() => Ok(None),
            Err(error) if error.is_not_found() => Err(self.error(&request, Kind::MaybeHidden)),
            answer => answer.map(Some),
        }
    }

    /// Makes a connection, and the gateway resource if there is none of that name.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when the name is taken; [`Kind::Invalid`] when the gateway would refuse or misread a value;
    /// otherwise when the gateway refuses or cannot be asked. After [`Error::may_have_happened`] look before trying
    /// again: a `POST` is not repeated by itself.
    pub async fn create_connection(&self, spec: &ConnectionSpec) -> Result<Connection, Error> {
        let request = self.request(Method::POST, &["connections"]).about(&spec.name).hiding(spec.env.values());
        let body = spec.new_body().map_err(|error| self.error(&request, error))?;
        let answer = self.send(&request.body(Value::Object(body))).await?;
        Ok(self.written(answer).await)
    }

    /// As [`Gateway::create_connection`], and looks when the name is taken or the answer was lost. Where the look shows
    /// nothing and the gateway was away for the moment, it tries again: a gateway that restarts breaks no large apply.
    ///
    /// # Errors
    /// As [`Gateway::create_connection`], after every attempt.
    pub async fn create_or_find_connection(&self, spec: &ConnectionSpec) -> Result<Creation, Error> {
        let retry = &self.settings().retry;
        let (mut lost, mut attempt) = (None, 1);
        loop {
            let error = match self.create_connection(spec).await {
                Ok(made) => return Ok(Creation::Made(made)),
                Err(error) if error.is_conflict() || error.may_have_happened() => error,
                Err(error) => return Err(error),
            };
            // A name that was taken and is free now: another object of this run has just been destroyed.
            let may_pass = error.is_unreachable() || error.is_conflict();
            // After an answer that was lost, a name that is taken is most likely our own doing.
            let error = lost.unwrap_or(error);
            match self.get_connection(&spec.name).await {
                Ok(Some(found)) => return Ok(Creation::Found(found, error)),
                Ok(None) if may_pass && attempt < retry.attempts => {}
                _ => return Err(error),
            }
            let pause = retry.pause(attempt, None);
            tracing::debug!(connection = spec.name, attempt, ?pause, reason = %error.kind, "making the connection is repeated");
            tokio::time::sleep(pause).await;
            lost = Some(error);
            attempt += 1;
        }
    }

    /// Waits until another object of this run has deleted a connection. `false`: it is there still after every look.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn await_deletion(&self, name: &str, id: &str) -> Result<bool, Error> {
        let retry = &self.settings().retry;
        for attempt in 1..=retry.attempts {
            if self.get_connection(name).await?.is_none_or(|found| found.id != id) {
                return Ok(true);
            }
            tokio::time::sleep(retry.pause(attempt, None)).await;
        }
        Ok(false)
    }

    /// Changes a connection: reads it, lays the spec over it, and sends it back when something else than our mark
    /// differs. Settings that the spec does not name stay, fields that this provider does not know included.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when it is gone; [`Kind::AgentManaged`] when an agent owns it; otherwise as
    /// [`Gateway::create_connection`].
    pub async fn update_connection(&self, spec: &ConnectionSpec) -> Result<Connection, Error> {
        self.update_connection_of(None, spec).await
    }

    /// As [`Gateway::update_connection`], for the connection with this id only.
    ///
    /// # Errors
    /// [`Kind::Replaced`] when the name belongs to another connection by now; otherwise as
    /// [`Gateway::update_connection`].
    pub async fn update_connection_of(&self, id: Option<&str>, spec: &ConnectionSpec) -> Result<Connection, Error> {
        let read = self.request(Method::GET, &["connections", &spec.name]).about(&spec.name);
        let old: Connection = self.send(&read).await?;
        let write = self.request(Method::PUT, &["connections", &spec.name]).about(&spec.name).hiding(spec.env.values());
        if let Some(was) = id.filter(|id| *id != old.id) {
            return Err(self.error(&write, Kind::Replaced { was: was.to_owned(), is: old.id }));
        }
        if let Some(managed_by) = &old.managed_by {
            return Err(self.error(&write, Kind::AgentManaged { managed_by: managed_by.clone() }));
        }
        let invalid = |error| self.error(&write, Kind::Invalid(error));
        let body = spec.laid_over(&old.raw.0).map_err(invalid)?;
        if body.iter().all(|(field, value)| same(field, old.raw.0.get(field), &spec.worth(field, value, &old))) {
            return Ok(old);
        }
        let answer = self.send(&write.body(Value::Object(body))).await?;
        Ok(self.written(answer).await)
    }

    /// Deletes a connection; one that is gone already is a success. The gateway resource stays;
    /// see [`Gateway::remove_unused_resource`].
    ///
    /// # Errors
    /// When the gateway refuses or cannot be asked.
    pub async fn delete_connection(&self, name: &str) -> Result<(), Error> {
        match self.send_for_nothing(&self.request(Method::DELETE, &["connections", name]).about(name)).await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer,
        }
    }

    /// Every connection with this tag, such as [`super::DATABASE_TAG`] and an ARN, by name.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn connections_tagged(&self, key: &str, value: &str) -> Result<Vec<ListedConnection>, Error> {
        self.listed("tag_selector", &format!("{key}={value}")).await
    }

    /// Every connection of a gateway resource, by name.
    ///
    /// # Errors
    /// When the gateway cannot be asked or refuses.
    pub async fn connections_of_resource(&self, resource: &str) -> Result<Vec<ListedConnection>, Error> {
        let mut found = self.listed("resource_name", resource).await?;
        // The gateway takes `_` and `%` for wildcards.
        found.retain(|connection| connection.resource_name == resource);
        Ok(found)
    }

    async fn listed(&self, filter: &str, value: &str) -> Result<Vec<ListedConnection>, Error> {
        let mut found = Vec::new();
        for page in 1.. {
            let request = self.request(Method::GET, &["connections"]).query(filter, value);
            let request = request.query("page", &format!("{page}")).query("page_size", &format!("{PAGE}"));
            let answer: Page = self.send(&request).await?;
            let last = answer.data.is_empty();
            found.extend(answer.data);
            if last || found.len() >= answer.pages.total {
                break;
            }
        }
        Ok(found)
    }

    /// What is there after a write. The answer to the write itself shows the secrets of the gateway resource as if they
    /// were the connection's, so it only stands in when the connection cannot be read again: a write that succeeded
    /// must not end as an error.
    async fn written(&self, answer: Connection) -> Connection {
        let request = self.request(Method::GET, &["connections", &answer.name]).about(&answer.name);
        match self.send(&request).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a written connection could not be read again");
                answer
            }
        }
    }
}

impl ConnectionSpec {
    /// The wanted value, without what is added only along with something else: our mark, and a word on TLS that says no
    /// more than none does, are not worth a write of their own.
    fn worth<'a>(&self, field: &str, value: &'a Value, old: &Connection) -> Cow<'a, Value> {
        let mut value = Cow::Borrowed(value);
        let beside: Vec<String> = match field {
            "connection_tags" if !old.tags.contains_key(MANAGED_TAG) => vec![MANAGED_TAG.to_owned()],
            "secret" => {
                let is_weak = |found: &Env| weakness(found, self.engine, self.tls).is_some();
                let adds_nothing = |found: &Env| *found == Env::Absent && !is_weak(found);
                let missing = initial_env(self.engine, self.tls).into_keys().filter(|key| adds_nothing(&old.env(key)));
                missing.map(|key| format!("{ENV_PREFIX}{key}")).collect()
            }
            _ => Vec::new(),
        };
        if !beside.is_empty()
            && let Value::Object(fields) = value.to_mut()
        {
            beside.iter().for_each(|key| drop(fields.remove(key)));
        }
        value
    }
}

/// Whether a field is already as the body wants it. Lists are sets, except the command; nothing and empty are alike.
fn same(field: &str, old: Option<&Value>, new: &Value) -> bool {
    let old = old.unwrap_or(&Value::Null);
    match (old, new) {
        (Value::Array(a), Value::Array(b)) if field != "command" => {
            a.len() == b.len() && a.iter().all(|item| b.contains(item))
        }
        (Value::Null, Value::Array(b)) => b.is_empty(),
        (Value::Null, Value::Object(b)) => b.is_empty(),
        (Value::Null, Value::String(b)) => b.is_empty(),
        _ => old == new,
    }
}
