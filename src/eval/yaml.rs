//! YAML with places, and with the scalars that Python's `yaml` reads: `yes` is true, `012` is ten, `1e3` is a text.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use fancy_regex::Regex;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Number, Value};

use super::node::{Kind, Node};
use super::problem::Problem;

/// The only document of a file.
pub(super) fn read(file: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader {
        file: file.into(),
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        copied: 0,
        depth: 0,
        problems: Vec::new(),
    };
    let root = reader.document();
    match root {
        Some(node) if reader.problems.is_empty() => Ok(node),
        Some(_) => Err(reader.problems),
        None if reader.problems.is_empty() => Err(vec![Problem::new(file, None, "the file is empty")]),
        None => Err(reader.problems),
    }
}

struct Reader<'a> {
    file: Arc<str>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    /// Values that aliases stood for.
    copied: usize,
    /// Lists and tables that are open.
    depth: usize,
    problems: Vec<Problem>,
}

/// Lists and tables within each other.
const DEEPEST: usize = 100;

/// Values that aliases may stand for, aliases within what they stand for included.
const MOST_COPIED: usize = 1_000_000;

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        match self.parser.next()? {
            Ok(event) => Some(event),
            Err(error) => {
                let problem = Problem::new(&self.file, error.marker().line(), error.info());
                self.problems.push(problem);
                None
            }
        }
    }

    fn document(&mut self) -> Option<Node> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return None,
                _ => {
                    let node = self.node(event, span)?;
                    self.end();
                    return Some(node);
                }
            }
        }
    }

    /// Reads on to the end of the file, which holds no second document.
    fn end(&mut self) {
        while let Some((event, span)) = self.next() {
            if matches!(event, Event::DocumentStart(_)) {
                let problem = Problem::new(&self.file, span.start.line(), "a second document begins, one is expected");
                self.problems.push(problem);
                return;
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Option<Node> {
        let line = span.start.line();
        let (kind, anchor) = match event {
            Event::Alias(id) => return self.alias(id, line),
            Event::Scalar(text, style, anchor, tag) => (self.scalar(&text, style, tag.as_deref(), line), anchor),
            Event::SequenceStart(anchor, tag) => {
                let list = self.deeper(line, 1, Self::list)?;
                (tagged(tag.as_deref(), list), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                let table = self.deeper(line, 1, Self::table)?;
                (tagged(tag.as_deref(), table), anchor)
            }
            _ => return None,
        };
        let node = Node { file: Arc::clone(&self.file), line, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Some(node)
    }

    /// What is read `by` levels further down, if that is not too deep.
    fn deeper<T>(&mut self, line: usize, by: usize, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += by;
        let found = if self.depth > DEEPEST {
            let what = format!("lists and tables are more than {DEEPEST} deep in each other");
            self.problems.push(Problem::new(&self.file, line, what));
            None
        } else {
            read(self)
        };
        self.depth -= by;
        found
    }

    fn alias(&mut self, id: usize, line: usize) -> Option<Node> {
        let Some(found) = self.anchors.get(&id) else {
            self.problems.push(Problem::new(&self.file, line, "the alias stands inside of what it stands for"));
            return None;
        };
        self.copied += found.size();
        if self.copied > MOST_COPIED {
            let what = format!("aliases stand for more than {MOST_COPIED} values");
            self.problems.push(Problem::new(&self.file, line, what));
            return None;
        }
        let found = found.clone();
        self.deeper(line, found.depth(), |_| Some(found))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Kind {
        match tag {
            Some(tag) if tag.handle == "tag:yaml.org,2002:" => self.core(text, &tag.suffix, line),
            Some(tag) => Kind::Tagged(format!("{}{} {text}", tag.handle, tag.suffix)),
            None if style == ScalarStyle::Plain => Kind::Scalar(plain(text)),
            None => Kind::Scalar(Value::String(text.into())),
        }
    }

    /// A scalar whose type is spelled out, such as `!!str 1`.
    fn core(&mut self, text: &str, name: &str, line: usize) -> Kind {
        let found = plain(text);
        let fits = match name {
            "str" => return Kind::Scalar(Value::String(text.into())),
            "int" => found.is_i64() || found.is_u64(),
            "float" => found.is_number(),
            "bool" => found.is_boolean(),
            "null" => found.is_null(),
            _ => false,
        };
        if !fits {
            self.problems.push(Problem::new(&self.file, line, format!("`{text}` is no `!!{name}`")));
        }
        Kind::Scalar(found)
    }

    fn list(&mut self) -> Option<Kind> {
        let mut nodes = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Some(Kind::List(nodes));
            }
            nodes.push(self.node(event, span)?);
        }
    }

    fn table(&mut self) -> Option<Kind> {
        let (mut entries, mut merged): (Vec<(String, Node)>, Vec<Node>) = (Vec::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Some(Kind::Table(with_merged(entries, &merged)));
            }
            let key = self.key(event, span.start.line())?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if key == "<<" {
                merged.push(value);
            } else if entries.iter().any(|(name, _)| *name == key) {
                self.problems.push(Problem::new(&self.file, span.start.line(), format!("`{key}` is there twice")));
            } else {
                entries.push((key, value));
            }
        }
    }

    fn key(&mut self, event: Event<'a>, line: usize) -> Option<String> {
        if let Event::Scalar(text, ..) = event {
            return Some(text.into_owned());
        }
        self.problems.push(Problem::new(&self.file, line, "a key is a list or a table, a text is expected"));
        None
    }
}

fn tagged(tag: Option<&Tag>, kind: Kind) -> Kind {
    match tag {
        Some(tag) if tag.handle != "tag:yaml.org,2002:" => Kind::Tagged(format!("{}{}", tag.handle, tag.suffix)),
        _ => kind,
    }
}

/// The entries of `<<` come after a table's own, which win.
fn with_merged(mut entries: Vec<(String, Node)>, merged: &[Node]) -> Vec<(String, Node)> {
    let tables = merged.iter().flat_map(|node| match &node.kind {
        Kind::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    });
    for table in tables {
        let Kind::Table(more) = &table.kind else { continue };
        for (key, value) in more {
            if !entries.iter().any(|(name, _)| name == key) {
                entries.push((key.clone(), value.clone()));
            }
        }
    }
    entries
}

static INT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$").ok());
static FLOAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?)$").ok()
});

fn is(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text).unwrap_or(false))
}

/// A scalar without quotes, as YAML 1.1 has it.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Value::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ if is(&INT, text) => integer(text).map_or_else(|| text.into(), Value::from),
        _ if is(&FLOAT, text) => {
            let number = text.replace('_', "").parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| text.into(), Value::Number)
        }
        _ => text.into(),
    }
}

fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let size = if let Some(binary) = digits.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    size.ok().map(|size| sign * size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_those_of_python() {
        let text =
            "a: yes\nb: 012\nc: 1e3\nd: 1.5\ne: ~\nf: 'no'\ng: 1_000\nh: 0x1F\ni: off\nj: -3\nk: !!str 5\nl: 1.\n";
        let expected = json!({"a": true, "b": 10, "c": "1e3", "d": 1.5, "e": null, "f": "no", "g": 1000, "h": 31,
            "i": false, "j": -3, "k": "5", "l": 1.0});
        assert_eq!(read("t.yaml", text).unwrap().value(), expected);
    }

    #[test]
    fn anchors_merge_and_tags_stay_visible() {
        let text =
            "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: !function utils.f\nblock: |\n  one\n  two\nw: \"é\\n\"\r\n";
        let node = read("t.yaml", text).unwrap();
        assert_eq!(node.get("y").unwrap().value(), json!({"b": 3, "a": 1}));
        let tagged = node.tagged();
        assert_eq!((tagged.len(), tagged[0].line, tagged[0].is_a().as_str()), (1, 5, "`!function utils.f`"));
        assert_eq!(node.get("block").unwrap().text(), Some("one\ntwo\n"));
        assert_eq!(node.get("w").unwrap().text(), Some("é\n"));
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        let lines = |text: &str| read("t.yaml", text).unwrap_err().iter().map(|p| p.line).collect::<Vec<_>>();
        assert_eq!(lines("a: 1\na: 2\n"), [Some(2)]);
        assert_eq!(lines("a: [1\nb: 2\n").len(), 1);
        assert_eq!(lines("a: 1\n---\nb: 2\n"), [Some(2)]);
        assert_eq!(lines(""), [None]);
        assert_eq!(lines(&format!("a:\n{}1", "- ".repeat(20_000))), [Some(2)]);
        let chain: Vec<String> = (1..200).map(|n| format!("k{n}: &a{n} [*a{}]\n", n - 1)).collect();
        assert_eq!(lines(&format!("k0: &a0 x\n{}", chain.concat())), [Some(101)]);
        assert!(read("t.yaml", &format!("a: {}{}", "[".repeat(99), "]".repeat(99))).is_ok());
        assert_eq!(lines("a: !!int x\n"), [Some(1)]);
    }
}
