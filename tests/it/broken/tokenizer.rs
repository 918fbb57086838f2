//! Damaged tokenizers and chat templates.

use std::path::Path;

use serde_json::{Value, json};

use super::model::{Case, Model, Seen};

const FILE: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama");
    let case = |name: &str, model: Model, names| model.case(root, &format!("tokenizer-{name}"), names);
    let text = |name: &str, text: &[u8], names| case(name, model.clone().with(FILE, text), names);
    let tokenizer = Value::Object(model.json(FILE));
    let token = |id: u64| {
        let mut tokenizer = tokenizer.clone();
        tokenizer["model"]["vocab"]["zzz"] = json!(id);
        model.clone().with(FILE, tokenizer.to_string())
    };
    let part = |part: &str, value: Value| {
        let mut tokenizer = tokenizer.clone();
        tokenizer["model"][part] = value;
        model.clone().with(FILE, tokenizer.to_string())
    };
    let mut template_of_nothing = tokenizer.clone();
    template_of_nothing["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {},
    });
    let template_of_nothing = model.clone().with(FILE, template_of_nothing.to_string());
    let bomb = format!("{{\"model\":[0{}]}}", ",0".repeat(500_000));
    let template = |template: &str| model.clone().with("chat_template.jinja", template);
    vec![
        case("missing", model.clone().without(FILE), FILE).traced(),
        text("empty", b"", FILE),
        text("not-json", b"tokens", FILE),
        text("an-array", b"[]", FILE),
        text("of-another-structure", b"{\"vocab\": {}}", FILE),
        text("nested-10000-deep", "[".repeat(10_000).as_bytes(), FILE),
        text("of-many-commas", bomb.as_bytes(), FILE),
        case("without-a-vocabulary", part("vocab", json!(3)), FILE),
        case("of-an-unknown-kind", part("type", json!("Oracle")), FILE),
        case("merges-of-what-is-not-there", part("merges", json!([["qqq", "www"]])), FILE),
        case("merges-nonsense", part("merges", json!([7])), FILE),
        case("larger-than-the-embedding", token(288), "288 rows"),
        case("with-the-largest-id", token(u64::from(u32::MAX)), "4294967295"),
        case("with-an-id-beyond-all", token(1 << 40), FILE),
        case("with-a-template-of-nothing", template_of_nothing, FILE),
        case("config-not-json", model.clone().with(CONFIG, *b"{"), CONFIG),
        case("template-huge", template(&"x".repeat(2 << 20)), "chat_template.jinja"),
        case("template-unclosed", template("{% for m in messages %}"), "chat template").seen(Seen::Load),
        case("template-nested-deep", template(&format!("{{{{ {}", "(".repeat(10_000))), "chat template")
            .seen(Seen::Load),
    ]
}
