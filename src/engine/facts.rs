//! A description in words and readable numbers, for whoever prints or shows it.

use super::{ChatFacts, ClassFacts, Description, FileFacts, Memory, readable_bytes, readable_count};
use crate::text::{Marker, TokenizerFacts};

/// Names and values, for people.
pub type Facts = Vec<(String, String)>;

fn fact(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

/// A description in sections, as it is printed and shown.
pub fn sections(found: &Description) -> Vec<(&'static str, Facts)> {
    let model = std::iter::once(fact("name", &found.name))
        .chain(found.model.iter().map(|(name, value)| fact(name, value)))
        .chain([fact("fingerprint", &found.fingerprint)]);
    let parameters = &found.parameters;
    let parameters = vec![
        fact("count", readable_count(parameters.count)),
        fact("of which embedding", readable_count(parameters.embedding)),
        fact("in the file", readable_bytes(parameters.bytes)),
        fact("bytes a parameter", format!("{:.3}", parameters.bytes_per_parameter)),
        fact("precision", &parameters.precision),
    ];
    vec![
        ("model", model.collect()),
        ("parameters", parameters),
        ("tensors", found.tensor_classes.iter().map(class).collect()),
        ("memory", memory(&found.memory)),
        ("tokenizer", tokenizer(&found.tokenizer)),
        ("chat template", chat(found.chat_template.as_ref())),
        ("files", found.files.iter().map(file).collect()),
    ]
}

fn class(facts: &ClassFacts) -> (String, String) {
    let types: Vec<String> = facts
        .types
        .iter()
        .map(
            |(dtype, n)| if facts.types.len() == 1 { dtype.clone() } else { format!("{dtype} {}", readable_count(*n)) },
        )
        .collect();
    let size = format!(
        "{:>5} tensors  {:>15} parameters  {:>9}  {}",
        facts.tensors,
        readable_count(facts.parameters),
        readable_bytes(facts.bytes),
        types.join(", ")
    );
    fact(facts.class.name(), size)
}

fn memory(memory: &Memory) -> Facts {
    let traced = |what: &str| format!("trace {what}");
    let other = |how: &str, bytes: Option<u64>| bytes.map(|bytes| fact(how, readable_bytes(bytes)));
    let weights = std::iter::once(fact("weights", format!("{} as loaded", readable_bytes(memory.weights))));
    let others = [
        other("  at once", memory.weights_on_demand.map(|_| memory.weights_exact)),
        other("  on demand", memory.weights_on_demand),
        other("  with --fast", memory.weights_fast),
    ];
    let rest = [
        fact("at start", format!("{} with tokenizer and program", readable_bytes(memory.at_start))),
        fact(
            "KV cache",
            format!(
                "{} a token, {} for {} tokens",
                readable_bytes(memory.kv_cache_per_token),
                readable_bytes(memory.kv_cache),
                memory.n_tokens
            ),
        ),
        fact(
            &traced("all hooks"),
            format!("{} for {} tokens", readable_bytes(memory.trace_all_hooks), memory.n_tokens),
        ),
        fact(&traced("patterns"), readable_bytes(memory.trace_patterns)),
        fact(&traced("residuals"), readable_bytes(memory.trace_residuals)),
    ];
    weights.chain(others.into_iter().flatten()).chain(rest).collect()
}

fn tokenizer(facts: &TokenizerFacts) -> Facts {
    /// Markers shown to people; JSON has all.
    const SHOWN: usize = 12;
    let marker = |marker: &Marker| format!("{} ({})", marker.token, marker.id);
    let one = |of: &Option<Marker>| of.as_ref().map_or_else(|| "none".to_owned(), marker);
    let mut special: Vec<String> = facts.special.iter().take(SHOWN).map(marker).collect();
    if facts.special.len() > SHOWN {
        special.push(format!("and {} more", facts.special.len() - SHOWN));
    }
    vec![
        fact("kind", &facts.kind),
        fact("tokens", readable_count(facts.n_tokens as u64)),
        fact("before a text", &facts.bos_decision),
        fact("BOS", one(&facts.bos)),
        fact("EOS", one(&facts.eos)),
        fact("special tokens", if special.is_empty() { "none".into() } else { special.join(" ") }),
    ]
}

fn chat(facts: Option<&ChatFacts>) -> Facts {
    let Some(facts) = facts else { return vec![fact("", "none")] };
    let lines = facts.first_lines.iter().map(|line| fact("", line));
    std::iter::once(fact("lines", facts.n_lines)).chain(lines).collect()
}

fn file(facts: &FileFacts) -> (String, String) {
    let hash = facts.sha256.as_ref().map_or_else(String::new, |hash| format!("  sha256 {hash}"));
    fact(&facts.name, format!("{:>9}{hash}", readable_bytes(facts.bytes)))
}
