//! The tables in docs/suites.md are those of the registries; `LMSCOPE_WRITE_DOCS=1` writes them anew.

use std::fs;

use lmscope::eval::filter::FILTERS;
use lmscope::eval::metric_list::METRICS;

use crate::support::project;

fn code(names: impl Iterator<Item = &'static str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn metrics() -> String {
    let row = |kind: &lmscope::eval::metric_list::MetricKind| {
        let (of, options) = (code(kind.of.iter().map(|output| output.name())), code(kind.options.iter().copied()));
        format!("| `{}` | {of} | {} | {options} |\n", kind.name, kind.about)
    };
    let rows: String = METRICS.iter().map(row).collect();
    format!("| metric | of | what | options |\n| --- | --- | --- | --- |\n{rows}")
}

fn filters() -> String {
    let row = |kind: &lmscope::eval::filter::FilterKind| {
        format!("| `{}` | {} | {} |\n", kind.name, kind.about, code(kind.options.iter().copied()))
    };
    let rows: String = FILTERS.iter().map(row).collect();
    format!("| filter | what | options |\n| --- | --- | --- |\n{rows}")
}

#[test]
fn the_tables_are_those_of_the_registries() {
    let path = project("docs/suites.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut expected = page.clone();
    for (name, table) in [("metrics", metrics()), ("filters", filters())] {
        let start = format!("<!-- {name} -->\n");
        let (before, rest) = expected.split_once(&start).unwrap();
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        expected = format!("{before}{start}{table}<!-- end -->{after}");
    }
    if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert_eq!(page, expected, "run with LMSCOPE_WRITE_DOCS=1");
    }
}

#[test]
fn registries_are_in_order_and_say_what_they_do() {
    let metrics: Vec<&str> = METRICS.iter().map(|kind| kind.name).collect();
    let filters: Vec<&str> = FILTERS.iter().map(|kind| kind.name).collect();
    assert!(metrics.is_sorted() && filters.is_sorted());
    let abouts = METRICS.iter().map(|kind| kind.about).chain(FILTERS.iter().map(|kind| kind.about));
    for about in abouts {
        assert!(!about.ends_with('.') && about.len() > 10, "{about}");
    }
}
