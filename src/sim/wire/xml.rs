//! Writes XML: elements that close what they open, and text that is always escaped.

use std::fmt::{self, Display, Write};

/// A growing XML document.
#[derive(Debug, Default)]
pub struct Xml {
    text: String,
}

impl Xml {
    /// The document that `write` writes.
    pub fn written(write: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::default();
        write(&mut xml);
        xml.text
    }

    /// An element with text in it.
    pub fn leaf(&mut self, name: &str, text: impl Display) {
        self.open(name);
        // Writing to a String cannot fail, and a Display that fails says nothing worth keeping.
        let _ = write!(Escaped(&mut self.text), "{text}");
        self.close(name);
    }

    /// An element with text in it, if there is any.
    pub fn optional(&mut self, name: &str, text: Option<impl Display>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }

    /// An element with elements in it.
    pub fn node(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    /// A root element in a namespace.
    pub fn root(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{name} xmlns=\"{namespace}\">");
        inside(self);
        self.close(name);
    }

    /// One element a thing.
    pub fn list<T>(&mut self, name: &str, item: &str, things: impl IntoIterator<Item = T>, mut inside: impl FnMut(&mut Self, T)) {
        self.node(name, |xml| {
            for thing in things {
                xml.node(item, |xml| inside(xml, thing));
            }
        });
    }

    /// XML that is written already.
    pub fn raw(&mut self, xml: &str) {
        self.text.push_str(xml);
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}

/// Escapes what is written through it. Characters that XML 1.0 has no way to write are replaced.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                // A bare carriage return would be read back as a line feed.
                '\r' => self.0.push_str("&#13;"),
                '\t' | '\n' => self.0.push(character),
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn whatever_text_is_written_the_document_can_be_read(text: String) {
            let xml = Xml::written(|xml| xml.root("Root", "urn:x", |xml| xml.leaf("Text", &text)));
            let document = roxmltree::Document::parse(&xml).expect("well-formed");
            let read = document.root_element().first_element_child().and_then(|node| node.text()).unwrap_or_default().to_owned();
            let sayable: String = text.chars().map(|c| match c {
                '\t' | '\n' | '\r' => c,
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                c => c,
            }).collect();
            proptest::prop_assert_eq!(read, sayable);
        }
    }
}
