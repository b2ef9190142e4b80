//! Writes XML.

use std::fmt::{Display, Write as _};

/// A document that grows.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with text.
    pub(crate) fn text(&mut self, name: &str, text: impl Display) {
        self.element(name, |xml| {
            let mut escaping = Escaping(&mut xml.0);
            // Writing into a string never fails.
            let _ = write!(escaping, "{text}");
        });
    }

    /// An element with elements.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.0.extend(["<", name, ">"]);
        content(self);
        self.0.extend(["</", name, ">"]);
    }

    /// A list: an element with one element for each entry.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        entry: &str,
        all: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for one in all {
                xml.element(entry, |xml| write(xml, one));
            }
        });
    }

    /// Text in place of elements.
    pub(crate) fn raw(&mut self, words: &[&str]) {
        self.0.extend(words.iter().copied());
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

struct Escaping<'a>(&'a mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_elements_are_closed() {
        let mut xml = Xml::default();
        xml.list("Tags", "Tag", ["a<b", "&"], |xml, name| xml.text("Key", name));
        assert_eq!(xml.into_string(), "<Tags><Tag><Key>a&lt;b</Key></Tag><Tag><Key>&amp;</Key></Tag></Tags>");
    }
}
