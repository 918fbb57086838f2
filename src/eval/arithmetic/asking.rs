//! How exercises are put to a model: at once, step by step, or with a calculator, after examples.
//!
//! The wording is the suite's. In a chat the question stands alone, because that is what a chat model was taught; without
//! one it stands between `Question:` and `Answer:`, after examples.

use super::Exercise;
use crate::eval::context::{self, Shot};
use crate::eval::node::{Kind, Node};
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::GenerateUntil;
use crate::eval::scorer::Sheet;

/// How an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::eval) enum Mode {
    /// At once.
    Direct,
    /// After steps that are written down.
    Steps,
    /// With a calculator that may be called.
    Calculator,
}

impl Mode {
    /// Every mode.
    pub(in crate::eval) const ALL: [Self; 3] = [Self::Direct, Self::Steps, Self::Calculator];

    /// Its name in suites and metrics.
    pub(in crate::eval) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Steps => "steps",
            Self::Calculator => "calculator",
        }
    }
}

/// Keys of `suite.toml` that say how it is asked.
pub(in crate::eval) const KEYS: [&str; 6] = ["calculator", "direct", "example", "question", "steps", "until"];

/// The exercise of a row.
pub(in crate::eval) fn exercise(sheet: &Sheet<'_>, index: usize) -> Result<Exercise, Problem> {
    let read = sheet.rows.all.get(index).map(|row| Exercise::of(&row.fields));
    read.unwrap_or_else(|| Err("it is not there".into())).map_err(|what| sheet.problem(index, what))
}

/// What stands for the exercise in `question`.
const PLACE: &str = "{expression}";

/// What `suite.toml` says of asking.
#[derive(Debug)]
pub(in crate::eval) struct Asking {
    question: String,
    until: Vec<String>,
    modes: Vec<Wording>,
    examples: Vec<Example>,
}

/// What is said in one mode.
#[derive(Debug)]
struct Wording {
    mode: Mode,
    /// What the question is followed by.
    ask: String,
    /// The most tokens of an answer.
    max_new: usize,
}

/// An exercise with its answer in each mode.
#[derive(Debug)]
struct Example {
    expression: String,
    answers: Vec<(Mode, String)>,
}

impl Asking {
    /// What the suite says of the modes that it has; every mistake is told.
    pub(in crate::eval) fn read(sheet: &Sheet<'_>, modes: &[Mode]) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let question = required(sheet.root, "question").map_err(|problem| problems.push(problem)).unwrap_or_default();
        if problems.is_empty() && !question.contains(PLACE) {
            problems.push(sheet.root.problem(format!("`question` is \"{question}\", which lacks {PLACE}")));
        }
        let until = sheet.settings("until").map_err(|problem| problems.push(problem)).unwrap_or_default();
        let mut keep = |found: Result<Wording, Problem>| found.map_err(|problem| problems.push(problem)).ok();
        let wordings = modes.iter().filter_map(|mode| keep(wording(sheet.root, *mode))).collect();
        let nodes = match sheet.root.get("example").map(|node| &node.kind) {
            Some(Kind::List(nodes)) => nodes.as_slice(),
            _ => &[],
        };
        let mut examples = Vec::new();
        for node in nodes {
            match example(node, modes) {
                Ok(example) => examples.push(example),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self { question, until, modes: wordings, examples }) } else { Err(problems) }
    }

    /// How many examples are shown: unless it is said, all of them, and none in a chat.
    pub(in crate::eval) fn shots(&self, options: &PrepareOptions<'_>) -> usize {
        let all = self.examples.len();
        let unsaid = if options.chat.is_some() { 0 } else { all };
        options.num_fewshot.unwrap_or(unsaid).min(all)
    }

    /// The exercise as it is put in a mode, with where the answer ends.
    pub(in crate::eval) fn request(
        &self,
        exercise: Exercise,
        mode: Mode,
        options: &PrepareOptions<'_>,
    ) -> Result<GenerateUntil, String> {
        let wording = self.modes.iter().find(|wording| wording.mode == mode);
        let wording = wording.ok_or_else(|| format!("the suite does not ask `{}`", mode.name()))?;
        let put = |expression: &str| {
            let question = self.question.replace(PLACE, expression) + &wording.ask;
            if options.chat.is_some() { question } else { format!("Question: {question}\nAnswer:") }
        };
        let examples = self.examples.iter().take(self.shots(options));
        let shots: Vec<Shot> = examples.filter_map(|example| example.shot(mode, &put)).collect();
        let context = context::after_examples(&shots, &put(&exercise.expression()), options)?;
        Ok(GenerateUntil { context, until: self.until.clone(), max_new: wording.max_new })
    }
}

impl Example {
    fn shot(&self, mode: Mode, put: &impl Fn(&str) -> String) -> Option<Shot> {
        let (_, answer) = self.answers.iter().find(|(known, _)| *known == mode)?;
        Some(Shot { question: put(&self.expression), answer: answer.clone() })
    }
}

fn required(node: &Node, key: &str) -> Result<String, Problem> {
    match node.get(key) {
        Some(found) => {
            let text = found.text().map(str::to_owned);
            text.ok_or_else(|| found.problem(format!("`{key}` is {}, a text is expected", found.is_a())))
        }
        None => Err(node.problem(format!("`{key}` is missing, a text is expected"))),
    }
}

fn wording(root: &Node, mode: Mode) -> Result<Wording, Problem> {
    let name = mode.name();
    let expected = "a table with `ask` and `max_new` is expected";
    let node = root.get(name).ok_or_else(|| root.problem(format!("`{name}` is missing, {expected}")))?;
    let ask = required(node, "ask")?;
    let max_new = node.get("max_new").and_then(|max| max.value().as_u64()).and_then(|max| usize::try_from(max).ok());
    let max_new = max_new.filter(|max| *max > 0).ok_or_else(|| {
        node.problem(format!("`max_new` of `{name}` is missing or no whole number from 1, {expected}"))
    })?;
    Ok(Wording { mode, ask, max_new })
}

fn example(node: &Node, modes: &[Mode]) -> Result<Example, Problem> {
    let answers = modes.iter().map(|mode| Ok((*mode, required(node, mode.name())?))).collect::<Result<_, _>>()?;
    Ok(Example { expression: required(node, "expression")?, answers })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::eval::fixture::tokenizer;
    use crate::eval::{PrepareOptions, prepare};

    const SUITE: &str = r#"name = "small"
version = 1
scorer = "system-1-2"
question = "What is {expression}?"
direct = { ask = "", max_new = 4 }
steps = { ask = " Think.", max_new = 8 }
calculator = { ask = " Call.", max_new = 8 }
[[example]]
expression = "1 + 2"
direct = "3"
steps = "1, 3"
calculator = "<<1+2=3>>3"
"#;
    const ITEM: &str = r#"{"operation": "sum", "a": 4, "b": 5}"#;

    /// The contexts of the first item, or what is wrong.
    fn contexts(suite: &str, items: &str, num_fewshot: Option<usize>) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("suite.toml"), suite).unwrap();
        fs::write(folder.path().join("items.jsonl"), items).unwrap();
        let options = PrepareOptions { num_fewshot, ..PrepareOptions::default() };
        let tasks = prepare(&folder.path().to_string_lossy(), &tokenizer(), &options);
        let task = tasks.map_err(|error| error.to_string())?.remove(0);
        Ok(task.items[0].requests.iter().map(|request| request.given().to_owned()).collect())
    }

    #[test]
    fn examples_are_shown_as_many_as_asked_for() {
        let shown = contexts(SUITE, ITEM, None).unwrap();
        let expected = "Question: What is 1 + 2? Think.\nAnswer: 1, 3\n\nQuestion: What is 4 + 5? Think.\nAnswer:";
        assert_eq!(shown[2], expected);
        assert_eq!(contexts(SUITE, ITEM, Some(7)).unwrap(), shown);
        let alone = contexts(SUITE, ITEM, Some(0)).unwrap();
        assert_eq!(alone[3], "Question: What is 4 + 5? Call.\nAnswer:");
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let cases = [
            ("question = \"What is {expression}?\"\n", "", "suite.toml:1: `question` is missing, a text is expected"),
            ("{expression}?", "it?", "suite.toml:1: `question` is \"What is it?\", which lacks {expression}"),
            ("max_new = 4", "max_new = 0", "suite.toml:5: `max_new` of `direct` is missing or no whole number from 1"),
            (
                "steps = { ask = \" Think.\", max_new = 8 }\n",
                "",
                "`steps` is missing, a table with `ask` and `max_new`",
            ),
            ("direct = \"3\"\n", "", "`direct` is missing, a text is expected"),
            ("direct = \"3\"\n", "direct = 3\n", "suite.toml:10: `direct` is 3, a text is expected"),
        ];
        for (from, to, expected) in cases {
            let suite = SUITE.replacen(from, to, 1);
            assert_ne!(suite, SUITE);
            let problems = contexts(&suite, ITEM, None).unwrap_err();
            assert!(problems.contains(expected), "{problems}\nlacks\n{expected}");
        }
        let problems = contexts(SUITE, r#"{"operation": "sum", "a": 4}"#, None).unwrap_err();
        assert!(problems.contains("items.jsonl:1: the field `b` is missing"), "{problems}");
    }
}
