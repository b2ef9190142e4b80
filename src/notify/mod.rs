//! Telling others that the roles of a database are there: the event `dbroles.job.finished` to a webhook or to Svix, and
//! a command on this machine.
//!
//! | module    | what it does                                                                     |
//! |-----------|----------------------------------------------------------------------------------|
//! | `event`   | what there is to tell, in our words                                              |
//! | `payload` | the same in the documented JSON: of the webhook, and of the command's variables  |
//! | `webhook` | signs an event and sends it until somebody takes it                              |
//! | `retry`   | which answers are worth another attempt, and when                                |
//! | `hook`    | runs a command within its time                                                   |
//! | `output`  | what may be seen of a command's output                                           |
//! | `escaped` | finds a text in what programs write, whatever they escape                        |
//! | `error`   | puts into words what can go wrong                                                |
//!
//! Whoever is told may be told twice, because an answer can be lost and an apply can be killed: the id of an event is
//! always the same, and receivers tell a repetition by it.

mod error;
mod escaped;
mod event;
mod hook;
mod output;
mod payload;
mod retry;
mod webhook;

pub use error::{Error, Kind};
pub use event::{Database, Event, Outcome, SecretPlace};
pub use hook::{Hook, Ran};
pub use output::Redactor;
pub use payload::{EVENT_TYPE, HookStatus, Passwords};
pub use retry::{Jitter, Retry};
pub use webhook::{Address, Delivery, Now, Receipt, Receiver, Sender, svix_messages};
