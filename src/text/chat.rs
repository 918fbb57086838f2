//! Chat templates: from messages to the text a chat model was trained on.
//!
//! Templates are Jinja programs written for Python; they run here with the settings of transformers, without access to
//! the clock, files or anything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Kwargs, Object, Value};
use minijinja::{Environment, ErrorKind};
use serde::{Deserialize, Serialize};

use super::error::Error;

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who speaks: `system`, `user` or `assistant` in most templates.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// A message is a dictionary to a template; the keys keep this order.
impl Object for Message {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "role" => Some(Value::from(self.role.as_str())),
            "content" => Some(Value::from(self.content.as_str())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["role", "content"])
    }
}

/// How the rendered text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With the header of an answer, so that the model continues as the assistant.
    OpenForAssistant,
    /// After the last message.
    Closed,
}

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: Option<String>,
    eos: Option<String>,
}

/// The name of the template in its own error messages.
const NAME: &str = "chat template";

/// Steps of one rendering, some seconds of them: a template that takes more never comes to its end.
const FUEL: u64 = 20_000_000;

/// The template called `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

impl ChatTemplate {
    /// Compiles a template. `bos` and `eos` are the texts of those tokens, which templates write.
    pub fn new(source: &str, bos: Option<&str>, eos: Option<&str>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(python_syntax()?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_filter("tojson", to_json);
        let source = without_generation_marks(source);
        environment.add_template_owned(NAME, source).map_err(|source| Error::TemplateSyntax { source })?;
        Ok(Self { environment, bos: bos.map(str::to_owned), eos: eos.map(str::to_owned) })
    }

    /// Renders the messages.
    pub fn render(&self, messages: &[Message], ending: Ending) -> Result<String, Error> {
        let mut context = BTreeMap::from([
            ("messages", messages.iter().cloned().map(Value::from_object).collect()),
            ("add_generation_prompt", Value::from(ending == Ending::OpenForAssistant)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
        ]);
        context.extend(self.bos.as_deref().map(|token| ("bos_token", Value::from(token))));
        context.extend(self.eos.as_deref().map(|token| ("eos_token", Value::from(token))));
        let rendered = self.environment.get_template(NAME).and_then(|template| template.render(context));
        rendered.map_err(explain)
    }
}

/// Blocks do not leave their own line behind, as transformers configures Jinja.
fn python_syntax() -> Result<SyntaxConfig, Error> {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    syntax.map_err(|source| Error::TemplateSyntax { source })
}

fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    let error = minijinja::Error::new(ErrorKind::InvalidOperation, "the template refuses these messages");
    Err(error.with_source(Raised(message)))
}

/// Python's `json.dumps`: the built-in filter without its escapes for HTML. What `dumps` would escape it does not, as
/// transformers asks it not to.
fn to_json(value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, minijinja::Error> {
    let _: Option<bool> = options.get("ensure_ascii")?;
    let json = minijinja::filters::tojson(value, indent, options)?;
    Ok(Value::from_safe_string(unescape_html(json.as_str().unwrap_or_default())))
}

/// What the built-in filter escapes although JSON does not ask for it.
const ESCAPES: [(&str, &str); 4] = [("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&"), ("\\u0027", "'")];

/// Undoes [`ESCAPES`]; every other escape sequence is left alone.
fn unescape_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let known = ESCAPES.iter().find(|(code, _)| escape.starts_with(code));
        let (length, plain) = known.map_or((2, &escape[..2]), |(code, plain)| (code.len(), *plain));
        out.push_str(plain);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// Some templates mark what the assistant says with `{% generation %}`, a tag of transformers that only matters in
/// training. It is replaced by a condition that always holds, which keeps the white space control of the tag.
fn without_generation_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((tag_start, tag_end)) = next_tag(rest) {
        let tag = &rest[tag_start..tag_end];
        out.push_str(&rest[..tag_start]);
        match tag.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace()) {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[tag_end..];
    }
    out.push_str(rest);
    out
}

/// Where the inside of the next `{% %}` begins and ends.
fn next_tag(source: &str) -> Option<(usize, usize)> {
    let start = source.find("{%")? + 2;
    let length = source[start..].find("%}")?;
    Some((start, start + length))
}

/// Finds the reason that a template failed for, which may lie under several errors.
fn explain(error: minijinja::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(Raised(message)) = current.downcast_ref() {
            return Error::TemplateRefused { message: message.clone() };
        }
        if current.downcast_ref().is_some_and(is_clock) {
            return Error::TemplateClock;
        }
        cause = current.source();
    }
    Error::TemplateRender { source: error }
}

/// `strftime_now` is not defined, so that templates which test for it fall back to a fixed date.
fn is_clock(error: &minijinja::Error) -> bool {
    error.kind() == ErrorKind::UnknownFunction && error.detail().is_some_and(|d| d.contains("strftime_now"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n' }}{% endif %}\
        {{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    const LLAMA2: &str = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
        {% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
        {% set system_message = false %}{% endif %}{% for message in loop_messages %}\
        {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
        {{ raise_exception('Conversation roles must alternate') }}{% endif %}\
        {% if loop.index0 == 0 and system_message != false %}\
        {% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
        {% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}\
        {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}\
        {{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

    fn chat(messages: &[(&str, &str)]) -> Vec<Message> {
        messages.iter().map(|&(role, content)| Message::new(role, content)).collect()
    }

    fn render(template: &str, messages: &[(&str, &str)]) -> Result<String, Error> {
        ChatTemplate::new(template, Some("<s>"), Some("</s>"))?.render(&chat(messages), Ending::Closed)
    }

    #[test]
    fn chatml() {
        let template = ChatTemplate::new(CHATML, None, None).unwrap();
        let user = chat(&[("user", "Hi")]);
        let closed = "<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n";
        assert_eq!(template.render(&user, Ending::Closed).unwrap(), closed);
        let open = format!("{closed}<|im_start|>assistant\n");
        assert_eq!(template.render(&user, Ending::OpenForAssistant).unwrap(), open);
        let system = chat(&[("system", "<b>&'\"\\")]);
        assert_eq!(template.render(&system, Ending::Closed).unwrap(), "<|im_start|>system\n<b>&'\"\\<|im_end|>\n");
    }

    #[test]
    fn llama2() {
        let messages = [("system", "Be brief."), ("user", " Hi "), ("assistant", "Hello."), ("user", "Bye")];
        let expected = "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello. </s><s>[INST] Bye [/INST]";
        assert_eq!(render(LLAMA2, &messages).unwrap(), expected);
        let error = render(LLAMA2, &[("assistant", "Hello.")]).unwrap_err();
        assert_eq!(error.to_string(), "the chat template refuses these messages: Conversation roles must alternate");
        assert!(error.hint().is_some());
    }

    #[test]
    fn templates_behave_as_in_python() {
        let cases = [
            ("blocks leave no line", "{% if true %}\na\n  {% endif %}\nb\n", "a\nb"),
            ("a missing field is undefined", "{{ 'tools' if messages[0].tool_calls is defined else 'none' }}", "none"),
            ("no tools are given", "{{ 'tools' if tools is not none or documents is not none else 'none' }}", "none"),
            ("methods", "{{ messages[0].content.upper().split('I')[0] }}{{ messages[0].get('x', 'y') }}", "Hy"),
            ("items", "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}", "role=user;content=Hi;"),
            ("json", "{{ {'a': ['<é>', \"'&\\\\\"]} | tojson }}", r#"{"a": ["<é>", "'&\\"]}"#),
            ("json keys", "{{ messages[0] | tojson(ensure_ascii=false) }}", r#"{"role": "user", "content": "Hi"}"#),
            ("json indent", "{{ [1] | tojson(indent=2) }}", "[\n  1\n]"),
            ("loop control", "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}", "1"),
            ("namespace", "{% set n = namespace(x=1) %}{% for i in [1] %}{% set n.x = 2 %}{% endfor %}{{ n.x }}", "2"),
            ("generation marks", "a {%- generation -%} b {%- endgeneration %}{{ 'generation' }}", "abgeneration"),
            ("tokens", "{{ bos_token }}{{ eos_token }}", "<s></s>"),
        ];
        for (what, template, expected) in cases {
            assert_eq!(render(template, &[("user", "Hi")]).unwrap(), expected, "{what}");
        }
        let bare = ChatTemplate::new("{{ bos_token }}|{{ eos_token is defined }}", None, None).unwrap();
        assert_eq!(bare.render(&[], Ending::Closed).unwrap().to_lowercase(), "|false");
    }

    #[test]
    fn the_date_never_gets_into_a_prompt() {
        let guarded = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}26 Jul 2024{% endif %}";
        assert_eq!(render(guarded, &[]).unwrap(), "26 Jul 2024");
        let error = render("{{ strftime_now('%Y') }}", &[]).unwrap_err();
        assert!(matches!(error, Error::TemplateClock) && error.hint().is_some());
    }

    #[test]
    fn json_escapes_of_the_text_itself_survive() {
        assert_eq!(unescape_html(r#""\u003c\\u003c\n\u0027""#), r#""<\\u003c\n'""#);
    }

    #[test]
    fn broken_templates_say_where() {
        let error = render("a\n{% if %}", &[]).unwrap_err();
        assert!(matches!(&error, Error::TemplateSyntax { source } if source.line() == Some(2)), "{error:?}");
        let error = render("a\nb{{ nothing() }}", &[]).unwrap_err();
        assert!(matches!(&error, Error::TemplateRender { source } if source.line() == Some(2)), "{error:?}");
    }
}
