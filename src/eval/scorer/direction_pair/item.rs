//! One fact, as a row of the file has it: JSON lines, or a CSV with two columns `a` and `b` that anyone can extend.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::suite::{Duplicates, Spec};
use crate::eval::problem::{Problem, nearest};
use crate::eval::python;
use crate::eval::scorer::Sheet;

/// Which word stands for the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gender {
    /// Male.
    Male,
    /// Female.
    Female,
}

/// One end of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What the reverse direction asks for.
    A,
    /// What the forward direction asks for.
    B,
}

/// A fact: `a` and `b` stand in a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its place in the file, from 0.
    pub(super) row: usize,
    /// A name that is unique in the suite.
    pub(super) id: String,
    /// The relation's name in `suite.toml`.
    pub(super) relation: String,
    /// One end.
    pub(super) a: String,
    /// The other end.
    pub(super) b: String,
    /// What else is right where a is asked for.
    pub(super) a_also: Vec<String>,
    /// What else is right where b is asked for.
    pub(super) b_also: Vec<String>,
    /// The gender of a, where a template needs it.
    pub(super) a_gender: Option<Gender>,
    /// What it is not independent of, where the file says so.
    pub(super) cluster: Option<String>,
}

/// What a row may hold.
pub(super) const FIELDS: &[&str] =
    &["a", "a_also", "a_gender", "b", "b_also", "cluster", "id", "kind", "relation", "seen"];

/// What separates several names in one cell.
const SEPARATOR: char = '|';

impl Item {
    /// The name at one end.
    pub(super) fn name(&self, side: Side) -> &str {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    /// What else is right at one end.
    pub(super) fn also(&self, side: Side) -> &[String] {
        match side {
            Side::A => &self.a_also,
            Side::B => &self.b_also,
        }
    }

    /// The gender of the name at one end, where it is known.
    pub(super) fn gender(&self, side: Side) -> Option<Gender> {
        if side == Side::A { self.a_gender } else { None }
    }
}

impl Side {
    /// The other end.
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// The facts of a file, its mistakes, and what is to be told of it.
pub(super) fn read(sheet: &Sheet<'_>, spec: &Spec) -> (Vec<Item>, Vec<Problem>, Vec<String>) {
    let rows = Rows { sheet, spec };
    let mut problems = rows.column_problems();
    let mut items = Vec::new();
    for row in 0..sheet.rows.all.len() {
        let unknown = rows.unknown(row);
        let is_known = unknown.is_empty();
        problems.extend(unknown);
        match rows.item(row) {
            Ok(item) if is_known => items.push(item),
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let (items, twice) = once(items);
    let mut notes = Vec::new();
    for (first, item) in twice {
        let (place, known) = (rows.place(first.row), &first.relation);
        let told =
            format!("{} – {} is there twice, as `{}` here and as `{known}` {place}", item.a, item.b, item.relation);
        match spec.duplicates {
            Duplicates::Refuse => problems.push(sheet.problem(item.row, told)),
            Duplicates::First => notes.push(sheet.problem(item.row, format!("{told}; the first counts")).to_string()),
        }
    }
    (items, problems, notes)
}

/// The facts without those whose names are there before, in whatever relation, and these with the first.
fn once(items: Vec<Item>) -> (Vec<Item>, Vec<(Item, Item)>) {
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    let (mut first, mut again) = (Vec::<Item>::new(), Vec::new());
    for item in items {
        let key = (item.a.clone(), item.b.clone());
        match known.get(&key) {
            Some(&at) => again.push((first[at].clone(), item)),
            None => {
                known.insert(key, first.len());
                first.push(item);
            }
        }
    }
    (first, again)
}

struct Rows<'a> {
    sheet: &'a Sheet<'a>,
    spec: &'a Spec,
}

impl Rows<'_> {
    /// Where a row is, in words.
    fn place(&self, row: usize) -> String {
        match self.sheet.rows.all.get(row).and_then(|row| row.line) {
            Some(line) => format!("in line {line}"),
            None => format!("item {row}"),
        }
    }

    /// The column that a field is in.
    fn column<'s>(&'s self, field: &'s str) -> &'s str {
        self.spec.columns.get(field).map_or(field, String::as_str)
    }

    /// Columns that `suite.toml` names and the file lacks, and fields that there are not.
    fn column_problems(&self) -> Vec<Problem> {
        let place = |key: &str| self.sheet.root.get(key).unwrap_or(self.sheet.root);
        let there: BTreeSet<&str> = self.sheet.rows.columns.iter().map(String::as_str).collect();
        let mut problems = Vec::new();
        for (field, column) in &self.spec.columns {
            if !FIELDS.contains(&field.as_str()) {
                let near = nearest(field, FIELDS.iter().copied());
                problems.push(place("columns").problem(format!("`{field}` is no field of a fact: {near}")));
            }
            if !there.contains(column.as_str()) {
                let near = nearest(column, there.iter().copied());
                problems.push(place("columns").problem(format!("the file has no column `{column}`: {near}")));
            }
        }
        for column in self.spec.ignore.iter().filter(|column| !there.contains(column.as_str())) {
            problems.push(place("ignore").problem(format!("the file has no column `{column}`")));
        }
        problems
    }

    /// Columns of a row that mean nothing here and are not said to be ignored.
    fn unknown(&self, row: usize) -> Vec<Problem> {
        let means = |column: &str| {
            self.spec.ignore.iter().any(|name| name == column)
                || self.spec.columns.values().any(|name| name == column)
                || (FIELDS.contains(&column) && !self.spec.columns.contains_key(column))
        };
        let columns = self.sheet.rows.all.get(row).into_iter().flat_map(|row| row.fields.keys());
        let problem = |column: &String| {
            let near = nearest(column, FIELDS.iter().copied());
            self.sheet.problem(row, format!("unknown field `{column}`: {near}; or name it in `ignore`"))
        };
        columns.filter(|column| !means(column)).map(problem).collect()
    }

    fn item(&self, row: usize) -> Result<Item, Problem> {
        let wrong = |what: String| self.sheet.problem(row, what);
        let relation = match (self.text(row, "relation")?, self.spec.relations.as_slice()) {
            (Some(relation), _) => relation,
            (None, [only]) => only.name.clone(),
            (None, _) => return Err(wrong("`relation` is missing, and suite.toml has several".into())),
        };
        let needed = |field: &str| {
            let found = self.text(row, field)?;
            found.ok_or_else(|| wrong(format!("the field `{}` is missing", self.column(field))))
        };
        let a_gender = match self.text(row, "a_gender")?.as_deref() {
            None => None,
            Some("m") => Some(Gender::Male),
            Some("f") => Some(Gender::Female),
            Some(other) => return Err(wrong(format!("`a_gender` is `{other}`, `m` or `f` is expected"))),
        };
        if let Some(seen) = self.text(row, "seen")?
            && !["ab", "ba", "both"].contains(&seen.as_str())
        {
            return Err(wrong(format!("`seen` is `{seen}`, `ab`, `ba` or `both` is expected")));
        }
        let id = self.text(row, "id")?.unwrap_or_else(|| format!("{relation}-{:03}", row + 1));
        Ok(Item {
            row,
            id,
            a: needed("a")?,
            b: needed("b")?,
            relation,
            a_also: self.names(row, "a_also")?,
            b_also: self.names(row, "b_also")?,
            a_gender,
            cluster: self.text(row, "cluster")?,
        })
    }

    /// A text; a number counts as one, and an empty cell as nothing.
    fn text(&self, row: usize, field: &str) -> Result<Option<String>, Problem> {
        match self.sheet.field(row, self.column(field)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(number @ Value::Number(_)) => Ok(Some(python::str(number))),
            Some(other) => Err(self.wrong(row, field, other, "a text")),
        }
    }

    /// A list of names, or one cell with `|` between them.
    fn names(&self, row: usize, field: &str) -> Result<Vec<String>, Problem> {
        match self.sheet.field(row, self.column(field)) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split(SEPARATOR).map(|name| name.trim().to_owned()).collect()),
            Some(list @ Value::Array(values)) => {
                let name = |value: &Value| value.as_str().map(str::to_owned);
                let names: Option<Vec<String>> = values.iter().map(name).collect();
                names.ok_or_else(|| self.wrong(row, field, list, "a list of texts"))
            }
            Some(other) => Err(self.wrong(row, field, other, "a list of texts")),
        }
    }

    fn wrong(&self, row: usize, field: &str, found: &Value, expected: &str) -> Problem {
        self.sheet.problem(row, format!("`{}` is {}, {expected} is expected", self.column(field), python::repr(found)))
    }
}
