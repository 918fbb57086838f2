//! Jinja templates over the fields of an item, printed as Python prints. A missing field is an error.

use std::collections::HashMap;
use std::thread;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::Map;

use super::pattern;
use super::python;

/// Steps of one rendering, some seconds of them: a template that takes more never comes to its end.
const FUEL: u64 = 20_000_000;

/// The most bytes of a template.
const LONGEST: usize = 256 << 10;

/// The stack on which a template is compiled, and more of it for each of its bytes: a text without brackets, such as
/// `1+1+1`, nests as well.
const STACK: (usize, usize) = (4 << 20, 4 << 10);

/// The widest that a text is filled to.
const WIDEST: usize = 1 << 20;

/// The templates of a task, each compiled once.
pub(super) struct Templates {
    environment: Environment<'static>,
    known: HashMap<String, String>,
}

impl Templates {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(method);
        environment.set_formatter(print);
        environment.add_filter("regex_replace", regex_replace);
        environment.add_filter("string", |value: &Value| python_str(value));
        Self { environment, known: HashMap::new() }
    }

    /// Compiles a template; the error is in a sentence.
    pub(super) fn add(&mut self, source: &str) -> Result<(), String> {
        if self.known.contains_key(source) {
            return Ok(());
        }
        let name = self.known.len().to_string();
        self.compile(name.clone(), source.to_owned())?;
        self.known.insert(source.to_owned(), name);
        Ok(())
    }

    fn compile(&mut self, name: String, source: String) -> Result<(), String> {
        if source.len() > LONGEST {
            return Err(format!("it has {} bytes, at most {LONGEST} are expected", source.len()));
        }
        let environment = &mut self.environment;
        let stack = STACK.0 + STACK.1 * source.len();
        let add = || environment.add_template_owned(name, source).map_err(|error| describe(&error));
        thread::scope(|scope| {
            let compiling = thread::Builder::new().name("template".into()).stack_size(stack).spawn_scoped(scope, add);
            let compiling = compiling.map_err(|error| format!("there is no memory to compile it: {error}"))?;
            compiling.join().unwrap_or_else(|_| Err("it cannot be compiled".into()))
        })
    }

    /// The template filled with these fields.
    pub(super) fn render(&self, source: &str, fields: &Map<String, serde_json::Value>) -> Result<String, String> {
        let Some(name) = self.known.get(source) else { return Err("the template was not compiled".into()) };
        let context = Value::from(Serde(fields));
        let rendered = self.environment.get_template(name).and_then(|template| template.render(context));
        rendered.map_err(|error| describe(&error))
    }
}

/// Methods of Python: those of the engine's own list, and a few more.
fn method(state: &mut State, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let text = |at: usize| arguments.get(at).and_then(|argument: &Value| argument.as_str());
    match (value.as_str(), name, arguments.len()) {
        (Some(whole), "index", 1) => {
            let part = text(0).and_then(|part| whole.find(part));
            let place = part.map(|at| whole[..at].chars().count());
            place.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))
        }
        (Some(whole), "removeprefix", 1) => {
            Ok(Value::from(text(0).and_then(|part| whole.strip_prefix(part)).unwrap_or(whole)))
        }
        (Some(whole), "removesuffix", 1) => {
            Ok(Value::from(text(0).and_then(|part| whole.strip_suffix(part)).unwrap_or(whole)))
        }
        (Some(whole), "isdigit", 0) => Ok(Value::from(!whole.is_empty() && whole.chars().all(char::is_numeric))),
        (Some(whole), "zfill", 1) => {
            let width = arguments[0].as_usize().unwrap_or(0);
            if width > WIDEST {
                return Err(Error::new(ErrorKind::InvalidOperation, format!("{width} is wider than {WIDEST}")));
            }
            let missing = width.saturating_sub(whole.chars().count());
            let at = usize::from(whole.starts_with(['-', '+']));
            Ok(Value::from(format!("{}{}{}", &whole[..at], "0".repeat(missing), &whole[at..])))
        }
        (None, "index", 1) if value.kind() == ValueKind::Seq => {
            let place = value.try_iter()?.position(|one| one == arguments[0]);
            place.map(Value::from).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the list does not hold it"))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

fn describe(error: &Error) -> String {
    let place = error.line().map_or_else(String::new, |line| format!(" in line {line} of the template"));
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.kind() {
        ErrorKind::UndefinedError => format!("a variable has no value{place}: {why}"),
        _ => format!("{why}{place}"),
    }
}

fn print(out: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    out.write_str(&python_str(value)).map_err(Error::from)
}

fn python_str(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        ValueKind::None => "None".into(),
        ValueKind::Bool | ValueKind::Number | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            serde_json::to_value(value).map_or_else(|_| value.to_string(), |value| python::str(&value))
        }
        _ => value.to_string(),
    }
}

/// `re.sub` as a filter.
fn regex_replace(text: &str, pattern: &str, with: &str, options: Kwargs) -> Result<String, Error> {
    let count: usize = options.get::<Option<usize>>("count")?.unwrap_or(0);
    options.assert_all_used()?;
    let wrong = |why: String| Error::new(ErrorKind::InvalidOperation, why);
    let pattern = pattern::compile(pattern).map_err(wrong)?;
    let with = python_groups(with);
    Ok(pattern.replacen(text, count, with.as_str()).into_owned())
}

/// `\1` and `\g<name>` as the engine here writes them.
fn python_groups(with: &str) -> String {
    let escaped = with.replace('$', "$$");
    let mut out = String::new();
    let mut rest = escaped.as_str();
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            out.push_str(&format!("${{{}}}", &rest[..digits]));
            rest = &rest[digits..];
        } else if let Some((name, after)) = rest.strip_prefix("g<").and_then(|named| named.split_once('>')) {
            out.push_str(&format!("${{{name}}}"));
            rest = after;
        } else {
            let (c, after) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
            out.push_str(match c {
                "n" => "\n",
                "t" => "\t",
                other => other,
            });
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let fields = json!({"q": "Why?", "n": 2, "x": 1.0, "list": ["a", "it's"], "b": true, "none": null,
            "z": {"y": 1, "a": 0}});
        let mut templates = Templates::new();
        templates.add(source)?;
        templates.render(source, fields.as_object().unwrap())
    }

    #[test]
    fn templates_print_as_jinja_of_python() {
        let cases = [
            ("Q: {{q}}\nA:", "Q: Why?\nA:"),
            ("{{ q }} \n", "Why? \n"),
            ("{{list}} {{b}} {{none}} {{x}}", "['a', \"it's\"] True None 1.0"),
            ("{{z.keys() | list}}", "['y', 'a']"),
            ("{{ q.strip('?').lower() }}", "why"),
            ("{% if n > 1 %}many{% endif %}", "many"),
            ("{{ ['A', 'B'][n - 1] }}", "B"),
            ("{{ list | join(', ') }}", "a, it's"),
            ("{{ q | regex_replace('W(h)', '\\\\1\\\\1') }}", "hhy?"),
            ("<&{{ '<&' }}", "<&<&"),
            ("{{ list.index(\"it's\") }}{{ 'ABCD'.index('C') }}{{ 'é-'.index('-') }}", "121"),
            ("{{ '7'.zfill(3) }}{{ '-7'.zfill(3) }}{{ 'ab'.removeprefix('a').removesuffix('x') }}", "007-07b"),
            ("{{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'a'.isdigit() }}", "True False False"),
            ("[{% for v in z.values() %}{% if v == 1 %}{{ loop.index0 }},{% endif %}{% endfor %}]", "[0,]"),
        ];
        for (source, expected) in cases {
            assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn a_missing_field_and_broken_syntax_are_told() {
        assert!(render("a\n{{ nobody }}").unwrap_err().contains("line 2"));
        assert!(render("{{ z.nobody }}").is_err());
        assert!(render("{% if %}").unwrap_err().contains("line 1"));
        assert!(render("{{ '7'.zfill(99999999999) }}").unwrap_err().contains("wider than"));
    }

    #[test]
    fn what_nests_deeply_is_refused_or_compiled() {
        let all = |part: &str| part.repeat(60_000 / part.len());
        assert_eq!(render(&format!("{{{{ {}1 }}}}", all("1+"))).as_deref(), Ok("30001"));
        for part in ["(", "[", "q[", "q(", "q.", "q|upper|", "q if n else "] {
            assert!(render(&format!("{{{{ {} }}}}", all(part))).is_err(), "{part}");
        }
        for part in ["{% if q %}", "{% if q %}{% elif q %}", "{% for x in list %}"] {
            assert!(render(&all(part)).is_err(), "{part}");
        }
        assert!(render(&"x".repeat(LONGEST + 1)).unwrap_err().contains("at most"));
    }
}
