//! Damaged safetensors files.

use std::path::Path;

use serde_json::{Value, json};

use super::model::{Case, Model, Safetensors, Seen, with_header};

const FILE: &str = "model.safetensors";
const EMBED: &str = "model.embed_tokens.weight";
const NORM: &str = "model.norm.weight";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama");
    let good = model.file(FILE).to_vec();
    let file = Safetensors::parse(&good);
    let case = |name: &str, bytes: Vec<u8>, names| {
        model.clone().with(FILE, bytes).case(root, &format!("safetensors-{name}"), names)
    };
    let length = |claimed: u64| [&claimed.to_le_bytes(), &good[8..]].concat();
    let header = |text: &str| with_header(text.as_bytes(), &file.data);
    let (begin, end) = file.place(NORM);
    let offsets = |begin: usize, end: usize| file.changed(NORM, "data_offsets", json!([begin, end]));
    let shape = |shape: Value| file.changed(NORM, "shape", shape);
    let mut cases = vec![
        case("empty", Vec::new(), FILE).traced(),
        case("of-five-bytes", good[..5].to_vec(), FILE),
        case("length-beyond-the-file", length(good.len() as u64), "expected at most"),
        case("length-zero", length(0), FILE),
        case("length-of-all-ones", length(u64::MAX), "18446744073709551615"),
        case("length-that-overflows", length(u64::MAX - 7), "18446744073709551608"),
        case("header-of-zeros", vec![0; 4096], FILE),
        case("header-not-json", header("tensors"), FILE),
        case("header-an-array", header("[]"), FILE),
        case("header-nested-10000-deep", header(&format!("{{\"a\":{}", "[".repeat(10_000))), FILE),
        case("header-with-a-field-nested-10000-deep", header(&deep(&file)), "recursion"),
        case("header-of-a-million-commas", header(&format!("{{\"a\":[0{}]}}", ",0".repeat(1_000_000))), "values"),
        case("header-not-utf8", with_header(b"{\"\xff\xfe\": 1}", &file.data), FILE),
        case("header-cut-off", good[..600].to_vec(), FILE),
        case("data-cut-off", good[..good.len() - 1].to_vec(), FILE).traced(),
        case("data-too-long", [&good[..], &[0; 8]].concat(), "the end of the file"),
        case("two-tensors-of-a-name", header(&doubled(&file)), "is there twice"),
        case("offsets-reversed", offsets(end, begin), NORM),
        case("offsets-overlapping", offsets(begin - 4, end - 4), "expected"),
        case("offsets-beyond-the-end", offsets(begin, good.len() * 2), NORM),
        case("offsets-too-few", offsets(begin, end - 4), NORM),
        case("offsets-of-all-ones", file.changed(NORM, "data_offsets", json!([begin, u64::MAX])), NORM),
        case("offsets-negative", file.changed(NORM, "data_offsets", json!([-1, 4])), NORM),
        case("shape-negative", shape(json!([-32])), NORM),
        case("shape-fractional", shape(json!([32.5])), NORM),
        case("shape-huge", shape(json!([1u64 << 62])), NORM),
        case("shape-that-overflows", shape(json!([1u64 << 40, 1u64 << 40])), NORM),
        case("shape-of-zeros-that-overflows", shape(json!([u64::MAX, u64::MAX, 0])), NORM),
        case("shape-of-another-size", shape(json!([33])), NORM),
        case("shape-of-another-order", file.changed(EMBED, "shape", json!([32, 288])), EMBED),
        case("type-unknown", file.changed(NORM, "dtype", json!("F33")), NORM),
        case("type-a-number", file.changed(NORM, "dtype", json!(32)), NORM),
    ];
    cases.extend(wrong_tensors(&file).into_iter().map(|(name, bytes, names)| case(name, bytes, names)));
    let weights = not_finite(&file).into_iter();
    cases.extend(weights.map(|(name, bytes)| case(name, bytes, NORM).seen(Seen::Load).traced()));
    cases
}

/// The header with its first tensor a second time.
fn doubled(file: &Safetensors) -> String {
    let text = Value::Object(file.header.clone()).to_string();
    format!("{},{}:{}}}", &text[..text.len() - 1], json!(NORM), file.header[NORM])
}

/// The header with a field that nobody reads.
fn deep(file: &Safetensors) -> String {
    let text = Value::Object(file.header.clone()).to_string();
    text.replacen("\"dtype\"", &format!("\"x\":{}{},\"dtype\"", "[".repeat(10_000), "]".repeat(10_000)), 1)
}

/// Well-formed files whose tensors are not those of the configuration.
fn wrong_tensors(file: &Safetensors) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut missing = file.clone();
    let renamed = missing.header.remove(NORM).unwrap();
    missing.header.insert("model.nor.weight".into(), renamed);
    let mut extra = file.clone();
    let n = extra.data.len();
    extra.data.extend([0; 8]);
    extra.header.insert("extra".into(), json!({"dtype": "F32", "shape": [2], "data_offsets": [n, n + 8]}));
    let mut hostile = file.clone();
    let taken = hostile.header.remove(NORM).unwrap();
    hostile.header.insert(format!("\u{1b}[2J{}", "x".repeat(100_000)), taken);
    let integers = |dtype: &str, per_value: u64| {
        let mut file = file.clone();
        let n = file.header[NORM]["shape"][0].as_u64().unwrap() * 4 / per_value;
        file.header[NORM]["shape"] = json!([n]);
        file.header[NORM]["dtype"] = json!(dtype);
        file.bytes()
    };
    vec![
        ("tensor-missing", missing.bytes(), NORM),
        ("tensor-extra", extra.bytes(), "extra"),
        ("tensor-with-a-hostile-name", hostile.bytes(), NORM),
        ("tensor-of-i32", integers("I32", 4), "I32"),
        ("tensor-of-i64", integers("I64", 8), "model.norm.weight"),
        ("tensor-of-f8", integers("F8_E4M3", 1), "model.norm.weight"),
        ("tensor-of-f8-in-shape", f8(file), "F8_E4M3"),
    ]
}

/// The same file with a norm in eight bits, which nothing else contradicts.
fn f8(file: &Safetensors) -> Vec<u8> {
    let (begin, end) = file.place(NORM);
    let n = (end - begin) / 4;
    let mut file = file.clone();
    file.data.drain(begin + n..end);
    for (name, entry) in &mut file.header {
        let Some(offsets) = entry.get("data_offsets") else { continue };
        let moved = |index: usize| {
            let at = usize::try_from(offsets[index].as_u64().unwrap()).unwrap();
            if at >= end { at - (end - begin - n) } else { at }
        };
        entry["data_offsets"] = json!([moved(0), if name == NORM { begin + n } else { moved(1) }]);
    }
    file.header[NORM]["dtype"] = json!("F8_E4M3");
    file.bytes()
}

fn not_finite(file: &Safetensors) -> Vec<(&'static str, Vec<u8>)> {
    let (begin, _) = file.place(NORM);
    let with = |value: f32| {
        let mut file = file.clone();
        file.data[begin + 4..begin + 8].copy_from_slice(&value.to_le_bytes());
        file.bytes()
    };
    vec![("weight-not-a-number", with(f32::NAN)), ("weight-infinite", with(f32::NEG_INFINITY))]
}
