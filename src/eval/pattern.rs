//! Python's regular expressions, put into the words of the engine here.

use fancy_regex::Regex;

/// A pattern in Python's syntax; the error says why it is none.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(&translate(pattern)).map_err(|error| error.to_string())
}

/// Outside of a class `$` also holds before a last newline, `\Z` is the very end and a brace may stand alone; inside of
/// one `[`, `&&` and `~~` have no meaning.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let chars: Vec<char> = pattern.chars().collect();
    let (mut at, mut class_start) = (0, None);
    while let Some(&c) = chars.get(at) {
        let in_class = class_start.is_some();
        match c {
            '\\' if chars.get(at + 1) == Some(&'Z') && !in_class => {
                out.push_str(r"\z");
                at += 1;
            }
            '\\' => {
                out.push(c);
                out.extend(chars.get(at + 1));
                at += 1;
            }
            '[' if !in_class => {
                class_start = Some(at);
                out.push(c);
                if chars.get(at + 1) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at + 1) == Some(&']') {
                    out.push_str(r"\]");
                    at += 1;
                }
            }
            ']' if in_class => {
                class_start = None;
                out.push(c);
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            '$' if !in_class => out.push_str(r"(?=\n?\z)"),
            '{' if !in_class && !is_counted(&chars[at..]) => out.push_str(r"\{"),
            '}' if !in_class && !closes_count(&chars[..at]) => out.push_str(r"\}"),
            c => out.push(c),
        }
        at += 1;
    }
    out
}

/// Whether a brace begins a count such as `{2,3}`.
fn is_counted(rest: &[char]) -> bool {
    let inside: Option<String> = rest.iter().position(|c| *c == '}').map(|end| rest[1..end].iter().collect());
    inside.is_some_and(|inside| {
        inside.chars().any(|c| c.is_ascii_digit()) && inside.chars().all(|c| c.is_ascii_digit() || c == ',')
    })
}

fn closes_count(before: &[char]) -> bool {
    let Some(open) = before.iter().rposition(|c| *c == '{') else { return false };
    let escaped = open > 0 && before[open - 1] == '\\';
    let inside = &before[open + 1..];
    !escaped && !inside.is_empty() && inside.iter().all(|c| c.is_ascii_digit() || *c == ',')
}

/// Python's `findall`: each match is its groups, or itself where there are none.
pub(super) fn find_all(pattern: &Regex, text: &str) -> Vec<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at <= text.len() {
        let Ok(Some(captures)) = pattern.captures_from_pos(text, at) else { break };
        let Some(whole) = captures.get(0) else { break };
        let group = |k: usize| captures.get(k).map_or("", |group| group.as_str()).to_owned();
        found.push(if captures.len() == 1 { vec![group(0)] } else { (1..captures.len()).map(group).collect() });
        at = whole.end();
        if whole.start() == whole.end() {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// Python's `sub` with nothing.
pub(super) fn remove(pattern: &Regex, text: &str) -> String {
    pattern.replace_all(text, "").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_find_what_python_finds() {
        let cases: &[(&str, &str, &[&[&str]])] = &[
            (r"(-?[0-9]+)", "a 12 b -3", &[&["12"], &["-3"]]),
            (r"\d+", "1 22", &[&["1"], &["22"]]),
            (r"(a)|(b)", "ab", &[&["a", ""], &["", "b"]]),
            (r"b$", "ab\n", &[&["b"]]),
            (r"b\Z", "ab\n", &[]),
            (r"\boxed{(.*)}", "oxed{7}", &[&["7"]]),
            (r"[[]x[&]", "[x&", &[&["[x&"]]),
            (r"a{2}", "aaa", &[&["aa"]]),
            (r"[]a]+", "a]", &[&["a]"]]),
            (r"(?P<n>x)y", "xy", &[&["x"]]),
            (r"(?<=é)x", "éx", &[&["x"]]),
            (r"x*", "ax", &[&[""], &["x"], &[""]]),
        ];
        for (pattern, text, expected) in cases {
            let found = find_all(&compile(pattern).unwrap(), text);
            assert_eq!(found, *expected, "{pattern}");
        }
        assert!(compile("(").is_err());
    }
}
