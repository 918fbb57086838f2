//! TOML with places.

use std::sync::Arc;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dataset::line_of;
use super::node::{Kind, Node};
use super::problem::Problem;

/// The whole file.
pub(super) fn read(file: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let reader = Reader { file: file.into(), text };
    match DeTable::parse(text) {
        Ok(table) => Ok(Node { file: Arc::clone(&reader.file), line: 1, kind: reader.table(table.get_ref()) }),
        Err(error) => {
            let line = error.span().map(|span| reader.line(span.start));
            Err(vec![Problem::new(file, line, error.message())])
        }
    }
}

struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        line_of(self.text.as_bytes(), at)
    }

    fn table(&self, table: &DeTable<'_>) -> Kind {
        let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let key: &std::borrow::Cow<'_, str> = key.get_ref();
            (key.to_string(), self.node(value))
        };
        let mut entries: Vec<(usize, (String, Node))> =
            table.iter().map(|(key, value)| (key.span().start, entry((key, value)))).collect();
        entries.sort_by_key(|(at, _)| *at);
        Kind::Table(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let kind = match value.get_ref() {
            DeValue::String(text) => Kind::Scalar(Value::String(text.to_string())),
            DeValue::Integer(number) => {
                let text = number.to_string();
                Kind::Scalar(text.parse::<i64>().map_or(Value::String(text), Value::from))
            }
            DeValue::Float(number) => {
                let parsed = number.to_string().parse().ok().and_then(Number::from_f64);
                Kind::Scalar(parsed.map_or(Value::Null, Value::Number))
            }
            DeValue::Boolean(flag) => Kind::Scalar(Value::Bool(*flag)),
            DeValue::Datetime(date) => Kind::Scalar(Value::String(date.to_string())),
            DeValue::Array(values) => Kind::List(values.iter().map(|value| self.node(value)).collect()),
            DeValue::Table(table) => self.table(table),
        };
        Node { file: Arc::clone(&self.file), line: self.line(value.span().start), kind }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_keep_their_places_and_their_order() {
        let node = read("s.toml", "name = 'x'\nversion = 2\n\n[gate]\nb.min = 0.5\na = { max = 1 }\n").unwrap();
        assert_eq!(node.value(), json!({"name": "x", "version": 2, "gate": {"b": {"min": 0.5}, "a": {"max": 1}}}));
        assert_eq!(node.get("gate").unwrap().get("a").unwrap().line, 6);
        assert_eq!(node.get("version").unwrap().line, 2);
        let problems = read("s.toml", "a = 1\nb = \n").unwrap_err();
        assert_eq!((problems.len(), problems[0].line), (1, Some(2)));
    }
}
