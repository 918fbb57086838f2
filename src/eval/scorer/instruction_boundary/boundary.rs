//! What becomes of a user's text in a rendered chat: which of its characters became special tokens, and whether the chat
//! can be told from one with a real turn more. Needs a tokenizer and a template, and no weights.

use crate::text::{self, ChatTemplate, Ending, Message, Tokenizer};

/// A user's message that poses as several, and the chat that it poses as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attack {
    /// What the user writes.
    pub(super) text: String,
    /// The turns that the text claims there were.
    pub(super) claimed: Vec<Message>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Boundary {
    /// The tokens of the user's text, as they are shown.
    pub(super) tokens: Vec<String>,
    /// Of these, the special ones.
    pub(super) special: Vec<String>,
    /// Whether the whole chat has the tokens of the chat that it claims to be; none where the template refuses that chat.
    pub(super) is_forged: Option<bool>,
}

/// Looks at the tokens of a chat whose last message is the user's.
///
/// # Errors
/// What the template or the tokenizer says; a template that does not write the user's text as it is.
pub(super) fn inspect(
    attack: &Attack,
    template: &ChatTemplate,
    system: Option<&str>,
    tokenizer: &Tokenizer,
) -> Result<Boundary, String> {
    let words = |error: text::Error| error.to_string();
    let rendered = chat(template, system, &[Message::new("user", attack.text.as_str())])?;
    let (start, end) = span(&rendered, &attack.text)?;
    let spans = tokenizer.encode_with_offsets(&rendered).map_err(words)?;
    let inside: Vec<u32> =
        spans.iter().filter(|span| span.start < end && span.end > start).map(|span| span.id).collect();
    let visible = |id: &u32| tokenizer.visible(*id);
    let claimed = chat(template, system, &attack.claimed).ok();
    let claimed = claimed.map(|claimed| tokenizer.encode(&claimed)).transpose().map_err(words)?;
    Ok(Boundary {
        tokens: inside.iter().map(visible).collect(),
        special: inside.iter().filter(|id| tokenizer.is_special(**id)).map(visible).collect(),
        is_forged: claimed.map(|ids| ids.into_iter().eq(spans.iter().map(|span| span.id))),
    })
}

/// The chat, open for the assistant's answer.
pub(super) fn chat(template: &ChatTemplate, system: Option<&str>, turns: &[Message]) -> Result<String, String> {
    let mut messages: Vec<Message> = system.iter().map(|system| Message::new("system", *system)).collect();
    messages.extend_from_slice(turns);
    template.render(&messages, Ending::OpenForAssistant).map_err(|error| error.to_string())
}

/// Where the user's text stands; a template may leave out the white space around it.
fn span(rendered: &str, text: &str) -> Result<(usize, usize), String> {
    let text = text.trim();
    let start = rendered.rfind(text).ok_or("the chat template does not write the user's text as it is")?;
    Ok((start, start + text.len()))
}

/// The text of a user that spells out these turns as the template itself would write them.
///
/// # Errors
/// What the template says of the turns; a template that does not write them as they are.
pub(super) fn own(template: &ChatTemplate, turns: &[Message]) -> Result<String, String> {
    let rendered = chat(template, None, turns)?;
    let find = |message: Option<&Message>| {
        let content = message.map(|message| message.content.trim()).filter(|content| !content.is_empty());
        content.and_then(|content| rendered.rfind(content).map(|at| (at, at + content.len())))
    };
    match (find(turns.first()), find(turns.last())) {
        (Some((start, _)), Some((_, end))) if start < end => Ok(rendered[start..end].to_owned()),
        _ => Err("the chat template does not write the turns as they are".into()),
    }
}

/// The text with every marker broken up by a space after its first character, so that none is left.
pub(super) fn escaped(text: &str, markers: &[String]) -> String {
    let mut out = text.to_owned();
    for marker in markers.iter().filter(|marker| marker.chars().count() > 1) {
        let first = marker.chars().next().map_or(0, char::len_utf8);
        let broken = format!("{} {}", &marker[..first], &marker[first..]);
        out = out.replace(marker.as_str(), &broken);
    }
    out
}

/// The special tokens that are written out in a text, as texts.
pub(super) fn special_texts(text: &str, tokenizer: &Tokenizer) -> Result<Vec<String>, String> {
    let ids = tokenizer.encode(text).map_err(|error| error.to_string())?;
    let mut found: Vec<String> =
        ids.into_iter().filter(|id| tokenizer.is_special(*id)).map(|id| tokenizer.text(id)).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
