//! As much of XML as the answers of a core use: a tree of elements, names without prefixes.

/// An element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Xml {
    /// The local name.
    pub(crate) name: String,
    /// The name as it was written.
    pub(crate) written: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Self>,
    /// The text directly inside, joined and unescaped.
    pub(crate) text: String,
}

impl Xml {
    #[track_caller]
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut stack = vec![Self::default()];
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            let top = stack.last_mut().unwrap();
            top.text.push_str(&unescape(&rest[..at]));
            let end = at
                + rest[at..]
                    .find('>')
                    .unwrap_or_else(|| panic!("no `>`: {text}"));
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if tag.starts_with('?') {
                continue;
            }
            assert!(!tag.starts_with('!'), "no such thing may be sent: <{tag}>");
            if let Some(name) = tag.strip_prefix('/') {
                let done = stack.pop().unwrap();
                assert_eq!(done.written, name.trim(), "{text}");
                stack.last_mut().unwrap().children.push(done);
            } else if let Some(tag) = tag.strip_suffix('/') {
                stack.last_mut().unwrap().children.push(Self::open(tag));
            } else {
                stack.push(Self::open(tag));
            }
        }
        assert_eq!(stack.len(), 1, "an element is open at the end: {text}");
        let mut document = stack.pop().unwrap();
        assert_eq!(document.children.len(), 1, "one root: {text}");
        document.children.pop().unwrap()
    }

    fn open(tag: &str) -> Self {
        let tag = tag.trim_end();
        let (written, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().unwrap();
            assert!(quote == '"' || quote == '\'', "<{tag}>");
            let (value, after) = after[1..].split_once(quote).unwrap();
            attributes.push((name.trim().to_owned(), unescape(value)));
            rest = after;
        }
        assert_eq!(rest.trim(), "", "<{tag}>");
        Self {
            name: local(written).to_owned(),
            written: written.to_owned(),
            attributes,
            ..Self::default()
        }
    }

    /// The first child with this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the element at this path of children.
    pub(crate) fn value(&self, path: &str) -> Option<&str> {
        self.at(path).map(|element| element.text.trim())
    }

    /// The element at this path of children.
    pub(crate) fn at(&self, path: &str) -> Option<&Self> {
        path.split('/')
            .try_fold(self, |element, name| element.child(name))
    }

    /// The first element below with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| {
            if child.name == name {
                Some(child)
            } else {
                child.find(name)
            }
        })
    }

    /// Every element below with this name.
    pub(crate) fn find_all(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.find_all(name));
        }
        found
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let wanted = |(key, _): &&(String, String)| key == name;
        self.attributes
            .iter()
            .find(wanted)
            .map(|(_, value)| value.as_str())
    }
}

/// Text as it may stand in an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    let text = text.replace("&#10;", "\n").replace("&#13;", "\r");
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap()
}
