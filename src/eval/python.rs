//! The little of Python that task files rely on: how values are printed, and how literals are read.

use serde_json::{Map, Number, Value};

/// Python's `str`: texts as they are, everything else as [`repr`].
pub(super) fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => repr(value),
    }
}

/// Python's `repr` of what JSON can hold.
pub(super) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => repr_number(number),
        Value::String(text) => repr_text(text),
        Value::Array(values) => format!("[{}]", values.iter().map(repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", repr_text(key), repr(value));
            format!("{{{}}}", fields.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn repr_number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => repr_float(value),
        _ => number.to_string(),
    }
}

/// The shortest digits that read back the same; an exponent below 1e-4 and from 1e16 on.
pub(super) fn repr_float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |exponent| ("-", exponent));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    let text = format!("{value}");
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x100 => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push(quote);
    out
}

/// Close to Python's `isprintable`: no controls and no spaces but the plain one.
fn is_printable(c: char) -> bool {
    let unseen = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e000}'..='\u{f8ff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || unseen)
}

/// Brackets that Python opens within each other before it gives up.
const DEEPEST: usize = 200;

/// Python's `ast.literal_eval`; tuples are lists. None if the text is no literal.
pub(super) fn literal(text: &str) -> Option<Value> {
    let mut parser = Literal { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let value = parser.value()?;
    parser.space();
    if parser.rest.is_empty() {
        return Some(value);
    }
    // a tuple without parentheses
    let mut values = vec![value];
    while parser.take(",") {
        parser.space();
        if parser.rest.is_empty() {
            break;
        }
        values.push(parser.value()?);
        parser.space();
    }
    parser.rest.is_empty().then_some(Value::Array(values))
}

struct Literal<'a> {
    rest: &'a str,
    /// Brackets that are open.
    depth: usize,
}

impl Literal<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        for (word, value) in [("None", Value::Null), ("True", Value::Bool(true)), ("False", Value::Bool(false))] {
            if self.take(word) {
                return Some(value);
            }
        }
        match self.rest.chars().next()? {
            '[' | '(' | '{' => self.bracketed(),
            '\'' | '"' | 'r' | 'u' | 'b' | 'R' | 'U' | 'B' => self.texts(),
            _ => self.number(),
        }
    }

    fn bracketed(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let found = if self.take("[") {
            self.list("]", Vec::new())
        } else if self.take("(") {
            self.parentheses()
        } else {
            self.take("{");
            self.dict()
        };
        self.depth -= 1;
        found
    }

    /// The rest of a list.
    fn list(&mut self, close: &str, mut values: Vec<Value>) -> Option<Value> {
        loop {
            if self.take(close) {
                return Some(Value::Array(values));
            }
            values.push(self.value()?);
            if !self.take(",") {
                return self.take(close).then_some(Value::Array(values));
            }
        }
    }

    /// The rest of a value in parentheses, or of a tuple.
    fn parentheses(&mut self) -> Option<Value> {
        if self.take(")") {
            return Some(Value::Array(Vec::new()));
        }
        let first = self.value()?;
        if self.take(")") {
            return Some(first);
        }
        if self.take(",") { self.list(")", vec![first]) } else { None }
    }

    fn dict(&mut self) -> Option<Value> {
        let mut fields = Map::new();
        loop {
            if self.take("}") {
                return Some(Value::Object(fields));
            }
            let key = self.value()?;
            if !self.take(":") {
                return None;
            }
            let value = self.value()?;
            fields.insert(str(&key), value);
            if !self.take(",") {
                return self.take("}").then_some(Value::Object(fields));
            }
        }
    }

    /// Texts beside each other are one.
    fn texts(&mut self) -> Option<Value> {
        let mut whole = self.text()?;
        loop {
            self.space();
            let begins = self.rest.trim_start_matches(['r', 'u', 'R', 'U']).starts_with(['\'', '"']);
            if !begins {
                return Some(Value::String(whole));
            }
            whole.push_str(&self.text()?);
        }
    }

    fn text(&mut self) -> Option<String> {
        let quoted = self.rest.trim_start_matches(['r', 'u', 'R', 'U']);
        let raw = self.rest[..self.rest.len() - quoted.len()].contains(['r', 'R']);
        let first = quoted.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let triple = first.to_string().repeat(3);
        let quote = if quoted.starts_with(&triple) { triple } else { first.to_string() };
        let mut rest = &quoted[quote.len()..];
        let mut out = String::new();
        loop {
            if let Some(after) = rest.strip_prefix(quote.as_str()) {
                self.rest = after;
                return Some(out);
            }
            let c = rest.chars().next()?;
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' if raw => {
                    let next = rest.chars().next()?;
                    rest = &rest[next.len_utf8()..];
                    out.extend(['\\', next]);
                }
                '\\' => rest = escape(rest, &mut out)?,
                '\n' if quote.len() == 1 => return None,
                c => out.push(c),
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let digits = word.replace('_', "");
        let leading_zero = digits.trim_start_matches(['-', '+']);
        if leading_zero.len() > 1 && leading_zero.starts_with('0') && leading_zero.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let value = match digits.strip_prefix('+').unwrap_or(&digits).parse::<i64>() {
            Ok(whole) => Value::from(whole),
            Err(_) if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                Value::Number(Number::from_f64(digits.parse().ok()?)?)
            }
            Err(_) => return None,
        };
        self.rest = rest;
        Some(value)
    }
}

/// Reads what follows a backslash.
fn escape<'a>(rest: &'a str, out: &mut String) -> Option<&'a str> {
    let c = rest.chars().next()?;
    let after = &rest[c.len_utf8()..];
    let plain = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'v' => '\x0b',
        '\\' | '\'' | '"' => c,
        '\n' => return Some(after),
        'x' => return coded(after, 2, out),
        'u' => return coded(after, 4, out),
        'U' => return coded(after, 8, out),
        '0'..='7' => {
            let end = rest.find(|c: char| !('0'..='7').contains(&c)).unwrap_or(rest.len()).min(3);
            out.push(char::from_u32(u32::from_str_radix(&rest[..end], 8).ok()?)?);
            return Some(&rest[end..]);
        }
        other => {
            out.extend(['\\', other]);
            return Some(after);
        }
    };
    out.push(plain);
    Some(after)
}

fn coded<'a>(rest: &'a str, digits: usize, out: &mut String) -> Option<&'a str> {
    let code = rest.get(..digits)?;
    out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
    Some(&rest[digits..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_printed_as_python_prints_them() {
        let value = json!({"a": [1, 2.0, null, true], "b": "it's", "c": "\"q\" it's\n\u{e9}\u{a0}"});
        let expected = r#"{'a': [1, 2.0, None, True], 'b': "it's", 'c': '"q" it\'s\né\xa0'}"#;
        assert_eq!(repr(&value), expected);
        assert_eq!(str(&json!("it's")), "it's");
        for (number, expected) in
            [(1e16, "1e+16"), (1e-5, "1e-05"), (0.1, "0.1"), (123_456.0, "123456.0"), (-0.0, "-0.0")]
        {
            assert_eq!(repr_float(number), expected);
        }
    }

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let cases = [
            ("['a', \"b's\", 'c\\n\\u00e9']", json!(["a", "b's", "c\né"])),
            ("('a', 'b',)", json!(["a", "b"])),
            ("('a')", json!("a")),
            ("[1, -2.5, True, None]", json!([1, -2.5, true, null])),
            ("{'k': [1]}", json!({"k": [1]})),
            ("['a' 'b', r'\\d']", json!(["ab", "\\d"])),
            ("[]", json!([])),
            ("1, 2", json!([1, 2])),
            ("['''x\ny''']", json!(["x\ny"])),
            ("[0, 1, ]", json!([0, 1])),
            ("()", json!([])),
            ("((1), (2,), (3, 4))", json!([1, [2], [3, 4]])),
        ];
        for (text, expected) in cases {
            assert_eq!(literal(text).as_ref(), Some(&expected), "{text}");
        }
        let nested = |n: usize| format!("{}{}", "(".repeat(n), "1,)".to_owned() + &",)".repeat(n - 1));
        assert!(literal(&nested(DEEPEST)).is_some());
        assert_eq!(literal(&nested(DEEPEST + 1)), None);
        for open in ["(", "[", "{1:"] {
            assert_eq!(literal(&open.repeat(50_000)), None);
        }
        for text in ["(1 2)", "[a]", "['a'", "[1] x", "f(1)", "", "[,]", "012"] {
            assert_eq!(literal(text), None, "{text}");
        }
    }
}
