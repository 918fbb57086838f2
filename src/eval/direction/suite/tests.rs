use super::*;
use crate::eval::fixture::{SPEC, item, lines, suite};

fn problems(spec: &str, items: &[String]) -> Vec<String> {
    match Suite::parse(spec, &items.join("\n")) {
        Err(Error::Problems { problems, .. }) => problems.iter().map(Problem::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_bad_lines_are_reported_together() {
    let mut items = lines();
    items.push("{\"id\":".into());
    items.push(lines()[0].clone());
    items.push(r#"{"id":"x","relation":"aunt","a":"A","b":"B"}"#.into());
    items.push(r#"{"id":"y","relation":"mother","a":"J. Doe","b":"B"}"#.into());
    items.push(r#"{"id":"z","relation":"mother","a":"A","b":"B","sex":"m"}"#.into());
    let found = problems(SPEC, &items);
    for (line, what) in [
        (5, "EOF"),
        (6, "`mother-0` is there twice"),
        (7, "`aunt` is not"),
        (8, "\".\""),
        (8, "`a_gender`"),
        (9, "`sex`"),
    ] {
        let start = format!("items.jsonl line {line}: ");
        assert!(found.iter().any(|p| p.starts_with(&start) && p.contains(what)), "{line} {what} {found:#?}");
    }
}

#[test]
fn a_bad_specification_is_reported() {
    let cases = [
        (SPEC.replace("{b}'s {child}", "{a}'s {child}"), "must contain {b} and not {a}"),
        (SPEC.replace("controls = 2", "controls = 9"), "3 control names for `Tom`, 9 are needed"),
        (SPEC.replace("child = {", "# {"), "`child` is not given"),
    ];
    for (spec, what) in cases {
        let found = problems(&spec, &lines());
        assert!(found.iter().any(|problem| problem.contains(what)), "{what}: {found:#?}");
    }
    assert!(matches!(Suite::parse(&format!("weight = 1\n{SPEC}"), ""), Err(Error::Toml { .. })));
}

#[test]
fn prompts_are_put_into_words() {
    assert_eq!(suite().prompt(&item(0), Side::B), "Tom's mother is");
    assert_eq!(suite().prompt(&item(0), Side::A), "Mary's son is");
    assert_eq!(suite().prompt(&item(1), Side::A), "Eve's daughter is");
}
