//! A report that was written, beside the same report made again.

use std::path::Path;

use serde_json::Value;

use super::packed::unpack;
use super::{FORMAT_VERSION, ReportError};

/// How far a number may be from what it was: processors add in different orders.
const TOLERANCE: f64 = 1e-4;
/// Where a page keeps its numbers.
const OPENS: &str = "<script type=\"text/plain\" id=\"report\">";

/// A report as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What comes after `lmscope report` to make it again.
    pub arguments: Vec<String>,
    /// All that it says.
    pub value: Value,
}

/// Something that is not what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, as `sections.0.blocks.2.figure.content.values.3`.
    pub place: String,
    /// What the file says.
    pub old: String,
    /// What it is now.
    pub new: String,
}

/// Reads what a report in HTML or JSON says.
///
/// # Errors
/// If the file is no report of this version.
pub fn arguments(file: &Path, text: &str) -> Result<Checked, ReportError> {
    let no_report = |what: &str| ReportError::NoReport { file: file.to_owned(), what: what.into() };
    let value: Value = match text.rsplit_once(OPENS) {
        Some((_, rest)) => {
            let packed = rest.split('<').next().unwrap_or_default();
            serde_json::from_slice(&unpack(packed)?)?
        }
        None if text.trim_start().starts_with('{') => serde_json::from_str(text)?,
        None => return Err(no_report("only .html and .json hold what is needed to make it again")),
    };
    match value.get("format_version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(FORMAT_VERSION) => {}
        Some(version) => return Err(no_report(&format!("its format is version {version}, not {FORMAT_VERSION}"))),
        None => return Err(no_report("it has no `format_version`")),
    }
    let arguments = value.get("arguments").cloned().ok_or_else(|| no_report("it has no `arguments`"))?;
    Ok(Checked { arguments: serde_json::from_value(arguments)?, value })
}

/// What differs, but for how the files came about. Numbers may differ by 1e-4, absolute or of their size, and those that are
/// rounded in a text by one of the last digit.
pub fn compare(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(&measured(old), &measured(new), String::new(), &mut found);
    found
}

/// Without what is told of the file alone, and without items whose hash is there.
fn measured(report: &Value) -> Value {
    let mut report = report.clone();
    if let Some(facts) = report.get_mut("facts").and_then(Value::as_array_mut) {
        facts.retain(|fact| fact["kind"] == "subject");
    }
    leave_items_out(&mut report);
    report
}

/// Leaves the items of runs out of the JSON of a report; their hash stays.
pub(super) fn leave_items_out(report: &mut Value) {
    let sections = report.get_mut("sections").and_then(Value::as_array_mut).into_iter().flatten();
    let blocks = sections.filter_map(|section| section.get_mut("blocks")?.as_array_mut()).flatten();
    for items in blocks.filter_map(|block| block.get_mut("items")?.as_object_mut()) {
        items.remove("items");
    }
}

fn walk(old: &Value, new: &Value, place: String, found: &mut Vec<Difference>) {
    let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    match (old, new) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            if (a - b).abs() > TOLERANCE * a.abs().max(1.0) {
                found.push(Difference { place, old: a.to_string(), new: b.to_string() });
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(at, (a, b))| walk(a, b, below(&at.to_string()), found));
        }
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                walk(a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), below(key), found);
            }
        }
        _ if old == new => {}
        (Value::String(a), Value::String(b)) if same_text(a, b) => {}
        _ => found.push(Difference { place, old: short(old), new: short(new) }),
    }
}

/// A piece of a text: a number with a decimal point and what its last digit is worth, or anything else.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Words(&'a str),
    Number(f64, f64),
}

/// Whether two texts are the same but for the last digits of numbers with a decimal point, which are rounded.
fn same_text(old: &str, new: &str) -> bool {
    let (old, new) = (pieces(old), pieces(new));
    old.len() == new.len()
        && old.iter().zip(&new).all(|pair| match pair {
            (Piece::Number(a, digit), Piece::Number(b, _)) => {
                (a - b).abs() <= (TOLERANCE * a.abs().max(1.0)).max(1.01 * digit)
            }
            (a, b) => a == b,
        })
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e');
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let starts_number = rest.starts_with(is_of_number);
        let end = rest.find(|c| is_of_number(c) != starts_number).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(number(piece).unwrap_or(Piece::Words(piece)));
        rest = after;
    }
    pieces
}

/// A number such as `-12.50` or `3.1e-7`.
fn number(text: &str) -> Option<Piece<'_>> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let decimals = i32::try_from(mantissa.split_once('.')?.1.len()).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    Some(Piece::Number(text.parse().ok()?, 10f64.powi(exponent - decimals)))
}

fn short(value: &Value) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= MOST { text } else { text.chars().take(MOST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_measured_counts_and_numbers_have_room() {
        let report = |value: f64, date: &str, hash: &str| {
            json!({
                "facts": [{"name": "date", "value": date, "kind": "making"}, {"name": "hash", "value": hash, "kind": "subject"}],
                "sections": [{"blocks": [{"figure": {"values": [1, value]}}, {"items": {"sha256": "a", "items": [value]}}]}],
            })
        };
        let old = report(0.5, "today", "x");
        assert_eq!(compare(&old, &report(0.500_05, "tomorrow", "x")), []);
        let found = compare(&old, &report(0.5002, "today", "y"));
        let places: Vec<&str> = found.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["facts.0.value", "sections.0.blocks.0.figure.values.1"]);
        assert_eq!(compare(&json!({"a": [1]}), &json!({"a": [1, 2]})).len(), 1);
        assert_eq!(compare(&json!({"a": null}), &json!({"a": 0})).len(), 1);
    }

    #[test]
    fn rounded_numbers_in_texts_may_end_differently_and_nothing_else() {
        for (a, b) in [("␣mat 0.97, 1.2e-5", "␣mat 0.98, 3.4e-6"), ("in -4.50 nats.", "in -4.51 nats."), ("x", "x")]
        {
            assert!(same_text(a, b), "{a} {b}");
        }
        for (a, b) in
            [("␣mat 0.97", "␣mat 0.99"), ("7 items", "8 items"), ("a1b2", "a1b3"), ("0.5", "0.5 x"), ("v1.2", "w1.2")]
        {
            assert!(!same_text(a, b), "{a} {b}");
        }
    }

    #[test]
    fn other_files_are_told() {
        let told = |text: &str| arguments(Path::new("a.html"), text).unwrap_err().to_string();
        assert!(told("hello").contains("only .html and .json"));
        assert!(told("{\"a\": 1}").contains("no `format_version`"));
        assert!(told("{\"format_version\": 99}").contains("version 99, not 1"));
        assert!(told(&format!("{OPENS}%%<")).contains("damaged"));
    }
}
