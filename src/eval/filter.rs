//! What is done to answers before they are compared, with the names and the rules of lm-evaluation-harness.

use std::collections::BTreeMap;

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::node::{Kind, Node};
use super::pattern;
use super::problem::{Problem, nearest};
use super::python;

/// A kind of filter.
pub struct FilterKind {
    /// Its name in `filter_list`.
    pub name: &'static str,
    /// What it does, in a sentence without a period.
    pub about: &'static str,
    /// What else its entry may say.
    pub options: &'static [&'static str],
    make: fn(&Options<'_>) -> Result<Filter, Vec<Problem>>,
}

/// Every kind of filter.
pub static FILTERS: &[FilterKind] = &[
    FilterKind {
        name: "lowercase",
        about: "Small letters",
        options: &[],
        make: |_| Ok(Filter::Each(str::to_lowercase)),
    },
    FilterKind {
        name: "majority_vote",
        about: "The answer that most answers are; of as many, the first",
        options: &[],
        make: |_| Ok(Filter::MajorityVote),
    },
    FilterKind {
        name: "map",
        about: "Each answer looked up in `mapping_dict`; `default_value` where it is not there",
        options: &["mapping_dict", "default_value"],
        make: make_map,
    },
    FilterKind {
        name: "multi_choice_regex",
        about: "As `regex`; where that finds nothing the text of a choice, or its letter after a colon, as `(A)`",
        options: &[
            "regex_pattern",
            "group_select",
            "fallback",
            "ignore_case",
            "ignore_punctuation",
            "regexes_to_ignore",
        ],
        make: make_multi_choice,
    },
    FilterKind {
        name: "regex",
        about: "The match of `regex_pattern` that `group_select` counts from 0, or `fallback`",
        options: &["regex_pattern", "group_select", "fallback"],
        make: |options| Ok(Filter::Regex(extraction(options)?)),
    },
    FilterKind {
        name: "remove_whitespace",
        about: "No white space at the ends",
        options: &[],
        make: |_| Ok(Filter::Each(|text| text.trim().to_owned())),
    },
    FilterKind {
        name: "take_first",
        about: "The first answer; stands last",
        options: &[],
        make: |_| Ok(Filter::Take(1)),
    },
    FilterKind { name: "take_first_k", about: "The first `k` answers", options: &["k"], make: make_take },
    FilterKind {
        name: "uppercase",
        about: "Capital letters",
        options: &[],
        make: |_| Ok(Filter::Each(str::to_uppercase)),
    },
];

/// A filter that was checked.
pub(super) enum Filter {
    Each(fn(&str) -> String),
    Regex(Extraction),
    MultiChoice(MultiChoice),
    Map(BTreeMap<String, String>, String),
    MajorityVote,
    Take(usize),
}

/// Filters that are applied one after another.
pub(super) struct Chain {
    /// Its name, which the metrics carry.
    pub(super) name: String,
    pub(super) filters: Vec<Filter>,
}

pub(super) struct Extraction {
    pattern: Regex,
    /// Which match; counted from the end where it is negative.
    select: i64,
    fallback: String,
}

pub(super) struct MultiChoice {
    extraction: Extraction,
    ignore_case: bool,
    ignore_punctuation: bool,
    ignored: Vec<Regex>,
}

impl Chain {
    /// What lm-evaluation-harness does where a file says nothing.
    pub(super) fn none() -> Self {
        Self { name: "none".into(), filters: vec![Filter::Take(1)] }
    }

    /// The answers to one item after all filters; `doc` is the item.
    pub(super) fn apply(&self, answers: &[String], doc: &Map<String, Value>) -> Vec<String> {
        self.filters.iter().fold(answers.to_vec(), |answers, filter| filter.apply(answers, doc))
    }
}

impl Filter {
    fn apply(&self, answers: Vec<String>, doc: &Map<String, Value>) -> Vec<String> {
        let each = |one: &dyn Fn(&str) -> String| answers.iter().map(|answer| one(answer)).collect();
        match self {
            Self::Each(change) => each(change),
            Self::Regex(extraction) => each(&|answer| extraction.of(answer)),
            Self::MultiChoice(choice) => each(&|answer| choice.of(answer, doc)),
            Self::Map(known, default) => each(&|answer| known.get(answer).unwrap_or(default).clone()),
            Self::MajorityVote => majority(&answers).into_iter().collect(),
            Self::Take(k) => answers.into_iter().take(*k).collect(),
        }
    }
}

fn majority(answers: &[String]) -> Option<String> {
    let count = |answer: &String| answers.iter().filter(|other| *other == answer).count();
    let most = answers.iter().map(count).max()?;
    answers.iter().find(|answer| count(answer) == most).cloned()
}

impl Extraction {
    fn of(&self, answer: &str) -> String {
        self.find(&self.pattern, answer).map_or_else(|| self.fallback.clone(), |found| found.trim().to_owned())
    }

    /// The selected match, or its first group that is not empty.
    fn find(&self, pattern: &Regex, answer: &str) -> Option<String> {
        let found = pattern::find_all(pattern, answer);
        let at =
            if self.select < 0 { found.len().checked_add_signed(isize::try_from(self.select).ok()?) } else { None };
        let at = at.or_else(|| usize::try_from(self.select).ok())?;
        let groups = found.get(at)?;
        if groups.len() == 1 { groups.first().cloned() } else { groups.iter().find(|group| !group.is_empty()).cloned() }
    }
}

impl MultiChoice {
    fn of(&self, answer: &str, doc: &Map<String, Value>) -> String {
        let choices: Vec<String> = match doc.get("choices") {
            Some(Value::Array(choices)) => choices.iter().map(|choice| self.seen(python::str(choice).trim())).collect(),
            _ => Vec::new(),
        };
        let own = self.extraction.find(&self.extraction.pattern, answer).map(|found| found.trim().to_owned());
        let found = own
            .filter(|found| !found.is_empty())
            .or_else(|| self.by_text(&self.seen(answer), &choices))
            .or_else(|| self.by_letter(answer, choices.len()));
        found.unwrap_or_else(|| self.extraction.fallback.clone())
    }

    /// A text without what is not looked at.
    fn seen(&self, text: &str) -> String {
        let text = self.ignored.iter().fold(text.to_owned(), |text, pattern| pattern::remove(pattern, &text));
        let text = if self.ignore_case { text.to_lowercase() } else { text };
        let is_dropped = |c: char| self.ignore_punctuation && is_punctuation(c);
        text.chars().filter(|c| !is_dropped(*c)).collect()
    }

    fn by_text(&self, answer: &str, choices: &[String]) -> Option<String> {
        let mut branches: Vec<String> = choices.iter().map(|choice| fancy_regex::escape(choice).into_owned()).collect();
        branches.sort_by_key(|branch| std::cmp::Reverse(branch.chars().count()));
        let found = self.extraction.find(&Regex::new(&branches.join("|")).ok()?, answer)?;
        let found = found.trim();
        let at = choices.iter().rposition(|choice| choice == found);
        at.map(|at| format!("({})", letter(at))).or_else(|| (!found.is_empty()).then(|| found.to_owned()))
    }

    fn by_letter(&self, answer: &str, n: usize) -> Option<String> {
        let letters: Vec<String> = (0..n).map(|at| letter(at).to_string()).collect();
        let found = self.extraction.find(&Regex::new(&format!(r":[\s]*({})", letters.join("|"))).ok()?, answer)?;
        (!found.is_empty()).then(|| format!("({found})"))
    }
}

fn letter(at: usize) -> char {
    u32::try_from(at).ok().and_then(|at| char::from_u32(u32::from('A') + at)).unwrap_or('?')
}

/// Unicode's punctuation.
fn is_punctuation(c: char) -> bool {
    static PUNCTUATION: std::sync::LazyLock<Option<Regex>> = std::sync::LazyLock::new(|| Regex::new(r"^\p{P}$").ok());
    let text = c.to_string();
    PUNCTUATION.as_ref().is_some_and(|pattern| pattern.is_match(&text).unwrap_or(false))
}

/// What an entry of a `filter_list` says.
struct Options<'a> {
    node: &'a Node,
}

impl Options<'_> {
    fn text(&self, name: &str, default: &str) -> Result<String, Vec<Problem>> {
        match self.node.get(name) {
            None => Ok(default.into()),
            Some(node) => node.text().map(str::to_owned).ok_or_else(|| vec![wrong(node, name, "a text")]),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, Vec<Problem>> {
        match self.node.get(name).map(|node| (node, &node.kind)) {
            None => Ok(false),
            Some((_, Kind::Scalar(Value::Bool(flag)))) => Ok(*flag),
            Some((node, _)) => Err(vec![wrong(node, name, "true or false")]),
        }
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Vec<Problem>> {
        match self.node.get(name) {
            None => Ok(None),
            Some(node) => match node.value().as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(vec![wrong(node, name, "a whole number")]),
            },
        }
    }

    fn pattern(&self, name: &str, default: &str) -> Result<Regex, Vec<Problem>> {
        let text = self.text(name, default)?;
        let node = self.node.get(name).unwrap_or(self.node);
        pattern::compile(&text).map_err(|why| vec![node.problem(format!("`{name}` is no regular expression: {why}"))])
    }
}

fn wrong(node: &Node, name: &str, expected: &str) -> Problem {
    node.problem(format!("`{name}` is {}, {expected} is expected", node.is_a()))
}

fn extraction(options: &Options<'_>) -> Result<Extraction, Vec<Problem>> {
    let fallback = match options.node.get("fallback").map(Node::value) {
        None => "[invalid]".to_owned(),
        Some(value) => python::str(&value),
    };
    Ok(Extraction {
        pattern: options.pattern("regex_pattern", r"#### (\-?[0-9\.\,]+)")?,
        select: options.integer("group_select")?.unwrap_or(0),
        fallback,
    })
}

fn make_multi_choice(options: &Options<'_>) -> Result<Filter, Vec<Problem>> {
    Ok(Filter::MultiChoice(MultiChoice {
        extraction: extraction(options)?,
        ignore_case: options.flag("ignore_case")?,
        ignore_punctuation: options.flag("ignore_punctuation")?,
        ignored: patterns(options.node.get("regexes_to_ignore"))?,
    }))
}

/// A list of regular expressions.
pub(super) fn patterns(node: Option<&Node>) -> Result<Vec<Regex>, Vec<Problem>> {
    let Some(node) = node else { return Ok(Vec::new()) };
    let nodes = match &node.kind {
        Kind::List(nodes) => nodes.as_slice(),
        _ => return Err(vec![wrong(node, "regexes_to_ignore", "a list of regular expressions")]),
    };
    let compile = |node: &Node| {
        let text = node.text().ok_or_else(|| vec![wrong(node, "regexes_to_ignore", "a regular expression")])?;
        pattern::compile(text).map_err(|why| vec![node.problem(format!("this is no regular expression: {why}"))])
    };
    nodes.iter().map(compile).collect()
}

fn make_map(options: &Options<'_>) -> Result<Filter, Vec<Problem>> {
    let default = options.node.get("default_value").map_or(Value::Null, Node::value);
    let known = match options.node.get("mapping_dict") {
        None => BTreeMap::new(),
        Some(Node { kind: Kind::Table(entries), .. }) => {
            entries.iter().map(|(key, node)| (key.clone(), python::str(&node.value()))).collect()
        }
        Some(node) => return Err(vec![wrong(node, "mapping_dict", "a table")]),
    };
    Ok(Filter::Map(known, python::str(&default)))
}

fn make_take(options: &Options<'_>) -> Result<Filter, Vec<Problem>> {
    match options.integer("k")? {
        Some(1) => Ok(Filter::Take(1)),
        Some(k) => Err(vec![options.node.problem(format!("`k` is {k}, but every item is asked once: 1 is expected"))]),
        None => Err(vec![options.node.problem("`k` is missing")]),
    }
}

/// Reads a `filter_list`.
pub(super) fn read(node: &Node) -> Result<Vec<Chain>, Vec<Problem>> {
    let Kind::List(nodes) = &node.kind else { return Err(vec![wrong(node, "filter_list", "a list")]) };
    let (mut chains, mut problems): (Vec<Chain>, Vec<Problem>) = (Vec::new(), Vec::new());
    for node in nodes {
        match read_chain(node) {
            Ok(chain) if chains.iter().any(|known| known.name == chain.name) => {
                problems.push(node.problem(format!("two filters have the name `{}`", chain.name)));
            }
            Ok(chain) => chains.push(chain),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(chains) } else { Err(problems) }
}

fn read_chain(node: &Node) -> Result<Chain, Vec<Problem>> {
    let Some(name) = node.get("name").and_then(Node::text) else {
        return Err(vec![node.problem("a filter needs a `name`")]);
    };
    let Some(Node { kind: Kind::List(nodes), .. }) = node.get("filter") else {
        return Err(vec![node.problem(format!("the filter `{name}` needs a list `filter`"))]);
    };
    let (mut filters, mut problems) = (Vec::new(), unknown_keys(node, &["name", "filter"]));
    for (at, node) in (1..).zip(nodes) {
        match read_filter(node) {
            Ok(Filter::Take(_)) if at < nodes.len() && node.get("k").is_none() => {
                problems.push(node.problem("`take_first` stands last: what follows it would read single letters"));
            }
            Ok(filter) => filters.push(filter),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Chain { name: name.into(), filters }) } else { Err(problems) }
}

fn read_filter(node: &Node) -> Result<Filter, Vec<Problem>> {
    let Some(name) = node.get("function").and_then(Node::text) else {
        return Err(vec![node.problem("a filter needs a `function`")]);
    };
    let Some(kind) = FILTERS.iter().find(|kind| kind.name == name) else {
        let near = nearest(name, FILTERS.iter().map(|kind| kind.name));
        return Err(vec![node.problem(format!("filter `{name}` does not exist here, {near}"))]);
    };
    let known: Vec<&str> = kind.options.iter().copied().chain(["function"]).collect();
    let problems = unknown_keys(node, &known);
    if !problems.is_empty() {
        return Err(problems);
    }
    (kind.make)(&Options { node })
}

/// The keys of a table that are not known.
pub(super) fn unknown_keys(node: &Node, known: &[&str]) -> Vec<Problem> {
    let Kind::Table(entries) = &node.kind else { return Vec::new() };
    let unknown = entries.iter().filter(|(key, _)| !known.contains(&key.as_str()));
    let problem = |(key, node): &(String, Node)| {
        node.problem(format!("`{key}` is not known here, {}", nearest(key, known.iter().copied())))
    };
    unknown.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::yaml;

    fn filtered(list: &str, answer: &str) -> Vec<(String, Vec<String>)> {
        let node = yaml::read("t.yaml", list).unwrap();
        let doc = serde_json::json!({"choices": ["Guilty", "Guilty of Romance", "None."]});
        let chains = read(&node).unwrap();
        let apply = |chain: &Chain| chain.apply(&[answer.to_owned()], doc.as_object().unwrap());
        chains.iter().map(|chain| (chain.name.clone(), apply(chain))).collect()
    }

    #[test]
    fn each_filter_does_what_it_says() {
        let cases = [
            ("regex, regex_pattern: '(-?[0-9]+)'", "so 12 or -3", "12"),
            ("regex, regex_pattern: '(-?[0-9]+)', group_select: -1", "so 12 or -3", "-3"),
            ("regex, regex_pattern: '(a)|( b)'", "x b", "b"),
            ("regex, regex_pattern: 'z'", "x", "[invalid]"),
            ("regex, regex_pattern: 'z', fallback: ''", "x", ""),
            ("regex", "#### 1,000.", "1,000."),
            ("lowercase", "ÀB", "àb"),
            ("uppercase", "straße", "STRASSE"),
            ("remove_whitespace", " \n x ", "x"),
            ("majority_vote", "x", "x"),
            ("take_first_k, k: 1", "x", "x"),
            ("map, mapping_dict: {x: 1, y: two}, default_value: z", "y", "two"),
            ("map, mapping_dict: {x: 1}", "y", "None"),
            ("multi_choice_regex, regex_pattern: '(\\([A-Z]\\))'", "It is (B).", "(B)"),
            ("multi_choice_regex, regex_pattern: '(\\([A-Z]\\))'", "It is Guilty of Romance", "(B)"),
            ("multi_choice_regex, regex_pattern: '(\\([A-Z]\\))'", "Answer: C", "(C)"),
            (
                "multi_choice_regex, regex_pattern: '(\\([A-Z]\\))', ignore_case: true, ignore_punctuation: true",
                "NONE",
                "(C)",
            ),
            ("multi_choice_regex, regex_pattern: '(\\([A-Z]\\))'", "?", "[invalid]"),
        ];
        for (filter, answer, expected) in cases {
            let list = format!("[{{name: n, filter: [{{function: {filter}}}]}}]");
            assert_eq!(filtered(&list, answer), [("n".to_owned(), vec![expected.to_owned()])], "{filter}");
        }
        for kind in FILTERS.iter().filter(|kind| kind.name != "take_first") {
            assert!(cases.iter().any(|(filter, ..)| filter.split(',').next() == Some(kind.name)), "{}", kind.name);
        }
    }

    #[test]
    fn all_mistakes_are_told_with_their_lines() {
        let list = "- name: a\n  filter:\n  - function: regx\n  - function: regex\n    regex_pattern: '('\n    oops: 1\n- name: b\n  filter:\n  - function: take_first\n  - function: lowercase\n  - {function: take_first_k, k: 3}\n- filter: []\n";
        let node = yaml::read("t.yaml", list).unwrap();
        let problems = read(&node).err().unwrap();
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told[0].starts_with("t.yaml:3: filter `regx`") && told[0].contains("nearest is `regex`"));
        assert!(told[1].starts_with("t.yaml:6: `oops`"));
        assert!(told[2].starts_with("t.yaml:9: `take_first` stands last"));
        assert!(told[3].starts_with("t.yaml:11: `k` is 3"));
        assert!(told[4].starts_with("t.yaml:12: a filter needs a `name`"));
    }
}
