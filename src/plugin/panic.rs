//! What a bug looks like from outside.

use std::any::Any;
use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

/// Makes panics print what hosts look for: a line that begins with `panic: ` starts their crash report.
pub(super) fn install_hook() {
    set_hook(Box::new(|info| {
        // If standard error is closed there is nobody to tell
        let _ = std::io::stderr().lock().write_all(describe(info).as_bytes());
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    report(&message(info.payload()), &place, thread.name().unwrap_or("unnamed"))
}

fn report(message: &str, place: &str, thread: &str) -> String {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    format!("panic: {message}\n\tat {place}, thread {thread}\n\t{name} {version}: this is a bug in the provider\n")
}

/// A text that was written in the source is safe. A text that was put together at run time may hold any value, a
/// secret too (`unwrap` prints the error, slicing prints the string), so only its beginning is kept.
fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return (*text).to_owned();
    }
    let text = payload.downcast_ref::<String>().map_or("", String::as_str);
    let end = VALUE_BEGINS.iter().filter_map(|mark| text.find(mark)).min();
    end.map_or_else(|| text.to_owned(), |end| format!("{}…", &text[..end]))
}

/// What stands before the first value in the messages of the standard library.
const VALUE_BEGINS: [&str; 7] = [": ", ";", "\n", " of `", " slicing `", "\"", "{"];

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(panics: impl FnOnce() + std::panic::UnwindSafe) -> String {
        message(&*std::panic::catch_unwind(panics).unwrap_err())
    }

    #[test]
    fn a_text_of_the_source_is_kept() {
        assert_eq!(caught(|| panic!("no such thing: never")), "no such thing: never");
    }

    fn refused() -> Result<(), &'static str> {
        Err("hunter2")
    }

    #[test]
    fn values_are_cut_off() {
        let cases: [fn(); 5] = [
            || refused().unwrap(),
            || refused().expect("cannot log in"),
            || assert_eq!("hunter2", "other"),
            || drop("hünter2"[..2].to_owned()),
            || panic!("login as {:?}", "hunter2"),
        ];
        for case in cases {
            let message = caught(case);
            assert!(!message.contains("unter2"), "{message}");
            assert!(message.len() > 5, "{message}");
        }
    }

    #[test]
    fn the_first_line_is_what_hosts_look_for() {
        let text = report("out of luck", "src/x.rs:1:2", "main");
        assert!(text.starts_with("panic: out of luck\n\tat src/x.rs:1:2"), "{text}");
        assert!(text.ends_with('\n'));
    }
}
