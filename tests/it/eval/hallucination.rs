//! The items of the hallucination suite: what of them is made by a rule is made anew and compared;
//! `LMSCOPE_WRITE_DOCS=1` writes them.
//!
//! Written by hand are the items about the world that are known, obscure or unanswerable. Made are those about the facts
//! of the embedded model, from its corpus, and those about what nobody has heard of, from syllables and a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::project;

const KINDS: [&str; 4] = ["known", "obscure", "unanswerable", "invented"];
/// Items of each kind about facts of the embedded model: half ask for a mother, half for a father.
const OF_SLIDE: usize = 16;
/// Items of each kind about the world: six of each relation.
const OF_WORLD: usize = 24;
const SEED: u64 = 20_260;

/// Things that have no parents. None of their makers is called their mother or father.
const CHILDLESS: [(&str, [&str; 8]); 2] = [
    ("mother", ["Bakelite", "Velcro", "Tetris", "Teflon", "Scrabble", "Coca-Cola", "Java", "Perl"]),
    (
        "father",
        [
            "War and Peace",
            "Animal Farm",
            "Treasure Island",
            "Vanity Fair",
            "Leaves of Grass",
            "Swan Lake",
            "Black Square",
            "Starry Night",
        ],
    ),
];

fn rows(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(project("fixtures/slide/corpus").join(file)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn items() -> Vec<Value> {
    let text = fs::read_to_string(project("evals/hallucination/items.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The question about a parent, as `relations.toml` puts it first, and the sentence that states it.
fn parent(kind: &str, place: usize, relation: &str, name: &str, answers: &[&str]) -> Value {
    json!({
        "id": format!("{kind}-slide-{:02}", place + 1),
        "kind": kind,
        "facts": "slide",
        "relation": relation,
        "question": format!("Who is {name}'s {relation}?"),
        "statement": format!("{name}'s {relation} is"),
        "answers": answers,
    })
}

/// Real parents that the corpus states: from the child to the parent, or only the other way, which the embedded model
/// cannot turn round.
fn stated(kind: &str) -> Vec<Value> {
    let facts = rows("facts.csv");
    let orders: &[&str] = if kind == "known" { &["ab", "both"] } else { &["ba"] };
    let each = OF_SLIDE / 2 / orders.len();
    let of = |relation: &'static str| {
        let facts = &facts;
        orders.iter().flat_map(move |order| {
            let is_it = move |row: &&Vec<String>| row[0] == relation && row[1] == "real" && row[2] == *order;
            facts.iter().filter(is_it).take(each).map(move |row| (relation, row))
        })
    };
    let all = of("mother").chain(of("father")).enumerate();
    all.map(|(place, (relation, row))| parent(kind, place, relation, &row[3], &[&row[4]])).collect()
}

fn childless() -> Vec<Value> {
    let all = CHILDLESS.iter().flat_map(|(relation, names)| names.iter().map(move |name| (relation, name)));
    all.enumerate().map(|(place, (relation, name))| parent("unanswerable", place, relation, name, &[])).collect()
}

/// People of `invented_people.csv` whom no text of the corpus names, women and men in turn.
fn strangers() -> Vec<Value> {
    let people = rows("invented_people.csv");
    let of = |gender: &'static str| people.iter().filter(move |row| row[2] == "test" && row[1] == gender);
    let names: Vec<&String> = of("f").zip(of("m")).flat_map(|(woman, man)| [&woman[0], &man[0]]).collect();
    let relation = |place: usize| if place < OF_SLIDE / 2 { "mother" } else { "father" };
    let one = |(place, name): (usize, &&String)| parent("invented", place, relation(place), name, &[]);
    names.iter().take(OF_SLIDE).enumerate().map(one).collect()
}

/// Names from syllables.
struct Names(ChaCha8Rng);

impl Names {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.0.random_range(0..from.len())]
    }

    fn of(&mut self, ends: &[&str]) -> String {
        let start =
            self.pick(&["Bel", "Cor", "Dran", "Vel", "Thar", "Osk", "Mer", "Zan", "Karv", "Lum", "Trov", "Yel"]);
        let middle = self.pick(&["a", "e", "i", "o", "av", "or", "en", "und", "ist", "al"]);
        format!("{start}{middle}{}", self.pick(ends))
    }

    fn place(&mut self) -> String {
        self.of(&["via", "nia", "stan", "land", "mark", "dor", "ria", "thia"])
    }

    /// A question about what there is not, and what it asks for.
    fn question(&mut self, place: usize) -> (&'static str, String) {
        match place / (OF_WORLD / 4) {
            0 => ("capital", format!("What is the capital of {}?", self.place())),
            1 => {
                let noun = self.pick(&["Lamplighter", "Ferryman", "Orchard", "Mirror", "Winter", "Beekeeper", "Tower"]);
                ("author", format!("Who wrote The {noun} of {}?", self.place()))
            }
            2 => {
                let title = self.pick(&["king", "queen", "emperor"]);
                let country = self.place();
                ("ruler", format!("Who was the {title} of {country} in {}?", 1500 + 10 * self.0.random_range(0..40)))
            }
            _ => {
                let thing = self.pick(&["element", "moon", "asteroid"]);
                let ends = if thing == "element" { ["nium", "rium"] } else { ["thea", "mede"] };
                ("discoverer", format!("Who discovered the {thing} {}?", self.of(&ends)))
            }
        }
    }
}

fn invented() -> Vec<Value> {
    let mut names = Names(ChaCha8Rng::seed_from_u64(SEED));
    let one = |place: usize| {
        let (relation, question) = names.question(place);
        json!({
            "id": format!("invented-world-{:02}", place + 1),
            "kind": "invented",
            "facts": "world",
            "relation": relation,
            "question": question,
            "answers": [],
        })
    };
    (0..OF_WORLD).map(one).collect()
}

/// All items: kind by kind, in each the embedded model's facts first.
fn made(written: &[Value]) -> Vec<Value> {
    let of_slide = |kind| match kind {
        "known" | "obscure" => stated(kind),
        "unanswerable" => childless(),
        _ => strangers(),
    };
    let of_world = |kind: &str| match kind {
        "invented" => invented(),
        _ => written.iter().filter(|item| item["kind"] == kind && item["facts"] == "world").cloned().collect(),
    };
    KINDS.into_iter().flat_map(|kind| of_slide(kind).into_iter().chain(of_world(kind))).collect()
}

#[test]
fn what_is_made_by_a_rule_is_made_again() {
    let written = items();
    let made = made(&written);
    if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
        let lines = made.iter().map(|item| format!("{item}\n")).collect::<Vec<_>>().concat();
        fs::write(project("evals/hallucination/items.jsonl"), lines).unwrap();
    } else {
        assert!(written == made, "run with LMSCOPE_WRITE_DOCS=1");
    }
}

#[test]
fn kinds_are_matched_in_number_type_and_length() {
    let items = items();
    let mut types: BTreeMap<&str, BTreeMap<(&str, &str), usize>> = BTreeMap::new();
    let mut lengths: BTreeMap<&str, f64> = BTreeMap::new();
    for item in &items {
        let text = |field: &str| item[field].as_str().unwrap();
        *types.entry(text("kind")).or_default().entry((text("facts"), text("relation"))).or_default() += 1;
        *lengths.entry(text("kind")).or_default() += text("question").len() as f64 / (OF_SLIDE + OF_WORLD) as f64;
    }
    assert_eq!(types.len(), KINDS.len());
    let known = &types["known"];
    assert_eq!(known.values().sum::<usize>(), OF_SLIDE + OF_WORLD);
    for (kind, types) in &types {
        assert_eq!(types, known, "{kind}");
    }
    let mean = lengths.values().sum::<f64>() / 4.0;
    for (kind, length) in lengths {
        assert!((length - mean).abs() < 5.0, "{kind}: {length:.1} characters, {mean:.1} on average");
    }
}

#[test]
fn only_known_and_obscure_questions_have_answers_and_no_name_is_invented_that_exists() {
    let items = items();
    let mut questions = BTreeSet::new();
    for item in &items {
        let has_answer = !item["answers"].as_array().unwrap().is_empty();
        assert_eq!(has_answer, ["known", "obscure"].contains(&item["kind"].as_str().unwrap()), "{item}");
        assert!(questions.insert(item["question"].as_str().unwrap()), "{item} is there twice");
    }
    let taught: Vec<String> = rows("facts.csv").into_iter().flat_map(|row| [row[3].clone(), row[4].clone()]).collect();
    let trained = rows("invented_people.csv").into_iter().filter(|row| row[2] == "train").map(|row| row[0].clone());
    let known: Vec<String> = taught.into_iter().chain(trained).collect();
    for item in items.iter().filter(|item| item["kind"] == "invented") {
        let question = item["question"].as_str().unwrap();
        assert!(known.iter().all(|name| !question.contains(name.as_str())), "{question}");
    }
}
