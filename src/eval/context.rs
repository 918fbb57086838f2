//! From fields to the context of an item: description, examples, question. The rules are those of
//! lm-evaluation-harness 0.4.13 (`fewshot_context`, `build_qa_turn`).

use serde_json::{Map, Value};

use super::definition::{Definition, Field, Form};
use super::prepare::{Chat, PrepareOptions, Turns};
use super::python;
use super::template::Templates;
use crate::text::{Ending, Message};

type Doc = Map<String, Value>;

/// A piece of a context, and what separates it from the next in plain text.
struct Turn {
    role: &'static str,
    content: String,
    delimiter: String,
}

/// The right answer, as the file gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    Place(i64),
    Text(String),
    Several(Vec<Value>),
}

/// Puts items into words.
pub(super) struct Words<'a> {
    pub(super) templates: &'a Templates,
    /// The names of all fields.
    pub(super) columns: &'a [String],
    pub(super) has_choices: bool,
}

impl Words<'_> {
    /// A field by its name, or a template.
    fn value(&self, field: &Field, doc: &Doc) -> Result<Result<Value, String>, String> {
        match field {
            Field::Fixed(value) => Ok(Ok(value.clone())),
            Field::Template(source) if self.columns.contains(source) => {
                doc.get(source).cloned().map(Ok).ok_or_else(|| format!("the field `{source}` is missing"))
            }
            Field::Template(source) => self.templates.render(source, doc).map(Err),
        }
    }

    pub(super) fn text(&self, field: &Field, doc: &Doc) -> Result<String, String> {
        let is_place = |text: &str| self.has_choices && is_digits(text);
        match self.value(field, doc)? {
            Err(text) if !is_place(&text) => Ok(text),
            Ok(Value::String(text)) => Ok(text),
            Err(text) => {
                Err(format!("`doc_to_text` gives {text}, a text is expected: several contexts are not asked here"))
            }
            Ok(other) => Err(format!("`doc_to_text` gives {}, a text is expected", python::repr(&other))),
        }
    }

    pub(super) fn target(&self, field: &Field, doc: &Doc) -> Result<Target, String> {
        match self.value(field, doc)? {
            Err(text) if self.has_choices && is_digits(&text) => {
                text.parse().map(Target::Place).map_err(|_| format!("`doc_to_target` gives {text}, which is too large"))
            }
            Err(text) => Ok(match python::literal(&text) {
                Some(Value::Array(values)) if text.starts_with('[') && text.ends_with(']') => Target::Several(values),
                _ => Target::Text(text),
            }),
            Ok(Value::String(text)) => Ok(Target::Text(text)),
            Ok(Value::Array(values)) => Ok(Target::Several(values)),
            Ok(Value::Bool(flag)) if self.has_choices => Ok(Target::Place(flag.into())),
            Ok(Value::Number(number)) if self.has_choices => match number.as_i64() {
                Some(place) => Ok(Target::Place(place)),
                None => Err(format!("`doc_to_target` gives {number}, the place of a choice is expected")),
            },
            Ok(Value::Null) => Err("`doc_to_target` gives nothing".into()),
            Ok(other) => Ok(Target::Text(python::str(&other))),
        }
    }

    pub(super) fn choices(&self, field: &Field, doc: &Doc) -> Result<Vec<String>, String> {
        let value = match self.value(field, doc)? {
            Ok(value) => value,
            Err(text) => python::literal(&text)
                .ok_or_else(|| format!("`doc_to_choice` gives `{text}`, which is no list as Python writes it"))?,
        };
        let Value::Array(values) = value else {
            return Err(format!("`doc_to_choice` gives {}, a list is expected", python::repr(&value)));
        };
        if values.is_empty() {
            return Err("`doc_to_choice` gives no choice".into());
        }
        let text = |value: &Value| match value {
            Value::String(text) if text.is_empty() => Err("a choice is empty".to_owned()),
            Value::String(text) => Ok(text.clone()),
            other => Err(format!("the choice {} is no text", python::repr(other))),
        };
        values.iter().map(text).collect()
    }

    /// A template, or a field that it names.
    pub(super) fn filled(&self, source: &str, doc: &Doc) -> Result<String, String> {
        match doc.get(source) {
            Some(value) if !source.is_empty() => Ok(python::str(value)),
            _ => self.templates.render(source, doc),
        }
    }

    /// The question of an item, its answer if it is an example, and the beginning of its answer.
    fn turns(&self, form: &Form, doc: &Doc, part: Part) -> Result<Vec<Turn>, String> {
        let question = self.text(&form.text, doc)?;
        let prefix = form.gen_prefix.as_deref().map(|source| self.filled(source, doc)).transpose()?;
        let prefix = prefix.filter(|prefix| !prefix.is_empty());
        let answer = if part == Part::Example { self.answer(form, doc)? } else { None };
        let is_delimited = match (&answer, &prefix) {
            (Some(_), None) => true,
            (_, Some(prefix)) => needs_delimiter(&question, prefix),
            (None, None) => false,
        };
        let delimiter = if is_delimited { form.target_delimiter.clone() } else { String::new() };
        let mut turns = vec![Turn { role: "user", content: question, delimiter }];
        match (answer, prefix) {
            (Some(answer), prefix) => turns.push(Turn {
                role: "assistant",
                content: delimited(prefix.as_deref().unwrap_or_default(), &answer, " "),
                delimiter: form.fewshot_delimiter.clone(),
            }),
            (None, Some(prefix)) => {
                turns.push(Turn { role: "assistant", content: prefix, delimiter: String::new() });
            }
            (None, None) => {}
        }
        Ok(turns)
    }

    /// The answer of an example; none if it is an empty text.
    fn answer(&self, form: &Form, doc: &Doc) -> Result<Option<String>, String> {
        let found = match self.target(&form.target, doc)? {
            Target::Text(text) => Some(text),
            Target::Several(values) => Some(first_answer(&values)?),
            Target::Place(place) => {
                let choice = form.choice.as_ref().ok_or("an example's answer is a number, and it has no choices")?;
                let choices = self.choices(choice, doc)?;
                let chosen = usize::try_from(place).ok().and_then(|place| choices.get(place).cloned());
                Some(
                    chosen.ok_or_else(|| {
                        format!("the answer {place} of an example is none of {} choices", choices.len())
                    })?,
                )
            }
        };
        Ok(found.filter(|answer| !answer.is_empty()))
    }
}

/// The answer of an example that has several.
fn first_answer(values: &[Value]) -> Result<String, String> {
    match values.first() {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("an example's answers begin with {}, a text is expected", python::repr(other))),
        None => Err("an example has no answer".into()),
    }
}

/// What an item is in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// An example with its answer.
    Example,
    /// What is asked.
    Question,
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn ends_with_space(text: &str) -> bool {
    text.chars().next_back().is_some_and(char::is_whitespace)
}

fn needs_delimiter(before: &str, after: &str) -> bool {
    !before.is_empty() && !ends_with_space(before) && !after.starts_with(char::is_whitespace)
}

/// Both texts, with the delimiter where neither has white space at the seam.
fn delimited(before: &str, after: &str, delimiter: &str) -> String {
    let between = if after.is_empty() || !needs_delimiter(before, after) { "" } else { delimiter };
    format!("{before}{between}{after}")
}

/// The context of an item after its examples.
pub(super) fn context(
    definition: &Definition,
    words: &Words<'_>,
    doc: &Doc,
    examples: &[&Doc],
    chat: Option<&Chat<'_>>,
    system: Option<&str>,
) -> Result<String, String> {
    let description = words.filled(&definition.description, doc)?;
    let system = delimited(system.unwrap_or_default(), &description, &definition.form.fewshot_delimiter);
    let mut turns = Vec::new();
    if !system.is_empty() {
        turns.push(Turn { role: "system", content: system, delimiter: String::new() });
    }
    for example in examples {
        turns.extend(words.turns(&definition.shots.form, example, Part::Example)?);
    }
    turns.extend(words.turns(&definition.form, doc, Part::Question)?);
    match chat {
        None => Ok(plain(&turns)),
        Some(chat) => in_chat(turns, chat),
    }
}

/// A question with its answer, shown before what is asked.
pub(super) struct Shot {
    /// The question.
    pub(super) question: String,
    /// The answer to it.
    pub(super) answer: String,
}

/// What a model is asked by a user: the question through the chat template if a chat is asked for, else as it is. What the
/// system says comes first.
pub(super) fn question(text: &str, options: &PrepareOptions<'_>) -> Result<String, String> {
    after_examples(&[], text, options)
}

/// The same after examples, each of which is a question and an answer of its own.
pub(super) fn after_examples(shots: &[Shot], text: &str, options: &PrepareOptions<'_>) -> Result<String, String> {
    let turn =
        |role, content: &str, delimiter: &str| Turn { role, content: content.into(), delimiter: delimiter.into() };
    let system = options.system.filter(|system| !system.is_empty());
    let mut turns: Vec<Turn> = system.map(|system| turn("system", system, "\n\n")).into_iter().collect();
    for shot in shots {
        turns.extend([turn("user", &shot.question, " "), turn("assistant", &shot.answer, "\n\n")]);
    }
    turns.push(turn("user", text, ""));
    match &options.chat {
        None => Ok(plain(&turns)),
        Some(chat) => in_chat(turns, chat),
    }
}

/// The turns as one text.
fn plain(turns: &[Turn]) -> String {
    turns.iter().flat_map(|turn| [turn.content.as_str(), turn.delimiter.as_str()]).collect()
}

fn in_chat(mut turns: Vec<Turn>, chat: &Chat<'_>) -> Result<String, String> {
    if chat.turns == Turns::One {
        turns = in_one_turn(turns);
    }
    let continued = turns.last().filter(|turn| turn.role == "assistant").map(|turn| turn.content.clone());
    let ending = if continued.is_some() { Ending::Closed } else { Ending::OpenForAssistant };
    let messages: Vec<Message> = turns.into_iter().map(|turn| Message::new(turn.role, turn.content)).collect();
    let mut rendered = chat.template.render(&messages, ending).map_err(|error| error.to_string())?;
    if let Some(last) = continued {
        // the answer that was begun is gone on with: whatever the template puts after it is cut off
        let at = rendered.rfind(last.trim()).ok_or("the chat template leaves out the beginning of the answer")?;
        let as_given = rendered[at..].starts_with(last.trim_start());
        rendered.truncate(at + if as_given { last.trim_start().len() } else { last.trim().len() });
    }
    Ok(rendered)
}

/// The examples and the question as one message, between what the system says and the beginning of the answer.
fn in_one_turn(mut turns: Vec<Turn>) -> Vec<Turn> {
    let answer = turns.pop_if(|turn| turn.role == "assistant");
    if let Some(last) = turns.last_mut() {
        last.delimiter.clear();
    }
    let from = usize::from(turns.first().is_some_and(|turn| turn.role == "system"));
    let asked = plain(&turns[from..]);
    turns.truncate(from);
    turns.push(Turn { role: "user", content: asked, delimiter: String::new() });
    turns.extend(answer);
    turns
}
