//! Damaged models in shards.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::model::{Case, Model};

const INDEX: &str = "model.safetensors.index.json";
const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama-rope3");
    let case = |name: &str, model: Model, names| model.case(root, &format!("shards-{name}"), names);
    // a file that a path out of the directory would reach
    fs::write(root.join("outside.safetensors"), model.file(FIRST)).unwrap();
    let index = model.json(INDEX);
    let (tensor, _) = index["weight_map"].as_object().unwrap().iter().next().unwrap();
    let names = |shard: Value| {
        let mut index = Value::Object(index.clone());
        index["weight_map"][tensor] = shard;
        model.clone().with(INDEX, index.to_string())
    };
    let outside = root.join("outside.safetensors");
    let map = |map: Value| model.clone().with(INDEX, json!({"weight_map": map}).to_string());
    vec![
        case("missing", model.clone().without(SECOND), SECOND).traced(),
        case("named-but-not-there", names(json!("other.safetensors")), "other.safetensors"),
        case("out-of-the-directory", names(json!("../outside.safetensors")), "../outside.safetensors"),
        case("absolute", names(json!(outside.to_str().unwrap())), "outside.safetensors"),
        case("the-directory-itself", names(json!(".")), INDEX),
        case("in-a-folder", names(json!("a/b.safetensors")), "a/b.safetensors"),
        case("without-a-name", names(json!("")), INDEX),
        case("named-by-a-number", names(json!(7)), INDEX),
        case("not-safetensors", model.clone().with(SECOND, *b"not a shard"), SECOND),
        case("empty", model.clone().with(SECOND, Vec::new()), SECOND),
        case("twice-the-same", model.clone().with(SECOND, model.file(FIRST)), SECOND),
        case("index-empty", model.clone().with(INDEX, Vec::new()), INDEX),
        case("index-not-json", model.clone().with(INDEX, *b"{"), INDEX),
        case("index-without-a-map", model.clone().with(INDEX, *b"{}"), "weight_map"),
        case("index-an-array", model.clone().with(INDEX, *b"[]"), "weight_map"),
        case("map-not-an-object", map(json!([FIRST, SECOND])), "weight_map"),
        case("map-of-nothing", map(json!({})), "weight_map"),
        case("map-of-one-shard", map(json!({"a": FIRST})), "is missing"),
    ]
}
