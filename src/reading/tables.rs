//! Tables of TOML: what is missing, unknown or of another type is told with its line, and reading goes on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// A value and where it is.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// What is read, and what was wrong so far.
pub struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

/// A table and where it is.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The table.
    pub table: &'a DeTable<'a>,
    /// The line that it begins in.
    pub line: usize,
    /// What it is called.
    pub name: &'a str,
}

/// Reads a text whose table at the top is called so.
///
/// # Errors
/// Everything that is wrong with it, in the order of lines.
pub fn parse<T>(
    text: &str,
    name: &str,
    read: impl for<'a> FnOnce(&mut Reader<'a>, At<'a>) -> Option<T>,
) -> Result<T, Vec<Problem>> {
    let mut reader = Reader { text, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        reader.tell(&span, error.message().to_owned());
    }
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    match read(&mut reader, At { table: document.get_ref(), line: 1, name }) {
        Some(found) if reader.problems.is_empty() => Ok(found),
        _ => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }
}

impl<'a> Reader<'a> {
    /// The tables of `[[key]]`.
    pub fn tables(&mut self, top: At<'a>, key: &'a str) -> Vec<At<'a>> {
        let Some(value) = Self::value(top, key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.tell(&value.span(), format!("{key} is no list of tables"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for value in array {
            let line = self.line(&value.span());
            match value.get_ref() {
                DeValue::Table(table) => out.push(At { table, line, name: key }),
                _ => self.problem(line, format!("{key} is no table")),
            }
        }
        out
    }

    /// The table of `[key]`, called so in what is told; nothing if there is none.
    pub fn table(&mut self, top: At<'a>, key: &str, name: &'a str) -> Option<At<'a>> {
        let value = Self::value(top, key)?;
        let line = self.line(&value.span());
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(line, format!("{key} is no table"));
            return None;
        };
        Some(At { table, line, name })
    }

    /// Tells of keys that are not among these.
    pub fn known(&mut self, at: At<'a>, keys: &[&str]) {
        for (key, _) in at.table {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                let what = format!("`{name}` is unknown in {}, expected {}", at.name, keys.join(", "));
                self.tell(&key.span(), what);
            }
        }
    }

    /// A value that must be there.
    pub fn needed<T>(
        &mut self,
        at: At<'a>,
        key: &str,
        expected: &str,
        read: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        if Self::value(at, key).is_none() {
            self.problem(at.line, format!("{} has no `{key}`", at.name));
            return None;
        }
        self.optional(at, key, expected, read)
    }

    /// A value that may be missing.
    pub fn optional<T>(
        &mut self,
        at: At<'a>,
        key: &str,
        expected: &str,
        read: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let value = Self::value(at, key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            self.unexpected(key, value, expected);
        }
        found
    }

    /// Tells that a value is not what is expected.
    pub fn unexpected(&mut self, key: &str, value: &Value<'a>, expected: &str) {
        let shown: String = self.text.get(value.span()).unwrap_or_default().chars().take(40).collect();
        self.tell(&value.span(), format!("{key} is {shown}, expected {expected}"));
    }

    /// The value of a key.
    pub fn value(at: At<'a>, key: &str) -> Option<&'a Value<'a>> {
        at.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The line of a key's value, or of its table if it has none.
    pub fn line_of(&self, at: At<'a>, key: &str) -> usize {
        Self::value(at, key).map_or(at.line, |value| self.line(&value.span()))
    }

    /// The line of a place.
    pub fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.bytes().take(span.start).filter(|&byte| byte == b'\n').count()
    }

    /// Tells what is wrong at a place.
    pub fn tell(&mut self, span: &Range<usize>, what: String) {
        let line = self.line(span);
        self.problem(line, what);
    }

    /// Tells what is wrong in a line.
    pub fn problem(&mut self, line: usize, what: String) {
        self.problems.push(Problem { line, what });
    }

    /// Whether nothing was wrong so far.
    pub const fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A text.
pub fn string(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A text, or a list of texts.
pub fn strings(value: &DeValue<'_>) -> Option<Vec<String>> {
    string(value).map(|one| vec![one]).or_else(|| list_of(value, string))
}

/// True or false.
pub fn boolean(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool()
}

/// A whole number.
pub fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A whole number that is not negative.
pub fn count(value: &DeValue<'_>) -> Option<usize> {
    integer(value).and_then(|number| usize::try_from(number).ok())
}

/// The id of a token.
pub fn id(value: &DeValue<'_>) -> Option<u32> {
    integer(value).and_then(|number| u32::try_from(number).ok())
}

/// A number.
#[expect(clippy::cast_precision_loss, reason = "a logarithm written without its point")]
pub fn float(value: &DeValue<'_>) -> Option<f64> {
    match value.as_float() {
        Some(number) => number.as_str().parse().ok(),
        None => integer(value).map(|number| number as f64),
    }
}

/// A list.
pub fn list_of<T>(value: &DeValue<'_>, read: impl Fn(&DeValue<'_>) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|value| read(value.get_ref())).collect()
}
