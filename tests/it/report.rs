//! Reports: written in every format, checked against what they were made of, and inert whatever they quote.

use std::fs;
use std::path::Path;

use lmscope::figure::{
    Bar, Bars, Cell, Column, Content, Figure, Heatmap, HeatmapAxis, Line, Lines, Mark, Note, Part, Piece, Provenance,
    Scale, Strip, Table, Waterfall,
};
use lmscope::report::{Answered, Block, FORMATS, Fact, Files, Items, Report, ScoredText, Section};

use crate::cli::runner::{Run, lmscope};

/// What a stranger's prompt, answer, token or data set may bring.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "<script>window.hacked=1</script>",
        "</script><img src=x onerror=window.hacked=1>",
        "\"'><svg onload=window.hacked=1>",
        "]]><!--",
        "{{ title }}{% raw %}",
        "=cmd()",
        "\\input{/etc/passwd}\\write18{x}",
        "$x$ %_&#^~",
        "\u{202e}gnp.exe\u{2066}",
        "\u{1b}[2J\u{9b}31m",
        "a\0b",
        "\u{2028}\u{feff}\u{fffd}",
        "[a](javascript:x) | `b`",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("x".repeat(1 << 20));
    all
}

fn provenance(text: &str) -> Provenance {
    Provenance { model: text.into(), prompt: Some(text.into()), version: "9".into(), ..Provenance::default() }
}

fn figure(text: &str, content: Content) -> Figure {
    Figure { title: text.into(), caption: text.into(), provenance: provenance(text), content }
}

/// A figure of every kind that says only this.
fn figures(text: &str) -> Vec<Figure> {
    let axis = || HeatmapAxis { name: text.into(), labels: vec![text.into(), "b".into()] };
    let cells = vec![text.to_owned(), "b".into(), "c".into(), "d".into()];
    let grid = Heatmap::new(axis(), axis(), vec![0.1, 0.2, 0.3, f32::NAN], Scale::Probability, text).unwrap();
    let column = || Column::new(text, text);
    let mark = |x: f64| Mark { x, y: x, band: Some((x - 1.0, x + 1.0)) };
    let bar = Bar { label: text.into(), value: 0.5, interval: Some((0.4, 0.6)) };
    let piece = Piece { text: text.into(), value: Some(0.5), notes: vec![Note { name: text.into(), value: 0.1 }] };
    let row = vec![Cell::Text(text.into()), Cell::number(1.0, 2)];
    vec![
        figure(text, Content::Heatmap(grid.with_cells(cells).unwrap())),
        figure(text, Content::Bars(Bars { bars: vec![bar], scale: Scale::Probability, unit: text.into() })),
        figure(text, Content::Table(Table::new(vec![column(), column()], vec![row]).unwrap())),
        figure(
            text,
            Content::Lines(Lines {
                x: column(),
                y: column(),
                lines: vec![Line { name: text.into(), marks: vec![mark(0.0), mark(1.0)] }],
            }),
        ),
        figure(
            text,
            Content::Strip(Strip {
                pieces: vec![piece],
                scale: Scale::Sequential { low: 0.0, high: 1.0 },
                unit: text.into(),
                note_unit: text.into(),
            }),
        ),
        figure(text, Content::Waterfall(Waterfall::new(vec![Part { name: text.into(), value: 1.0 }], 2.0, text))),
    ]
}

fn items(text: &str) -> Items {
    let item = Answered {
        id: text.into(),
        task: text.into(),
        strata: text.into(),
        prompt: text.into(),
        target: text.into(),
        answer: text.into(),
        values: vec![true.into()],
        before: Some(vec![false.into()]),
        scored: vec![ScoredText { loglik: -1.0, tokens: vec![(text.into(), -1.0, 1)] }],
    };
    Items::new(text, text.into(), vec![text.into()], vec![item]).unwrap()
}

fn report(text: &str) -> Report {
    let blocks = figures(text).into_iter().map(Block::Figure).chain([Block::Items(items(text))]).collect();
    Report {
        title: text.into(),
        about: text.into(),
        arguments: vec![text.into()],
        facts: vec![Fact::subject(text, text)],
        sections: vec![Section { title: text.into(), text: vec![text.into()], blocks }],
    }
}

fn write(report: &Report, ending: &str) -> Files {
    let format = FORMATS.iter().find(|format| format.extension == ending).unwrap();
    (format.write)(report, "pictures").unwrap()
}

fn text(files: &Files) -> String {
    String::from_utf8(files.main.clone()).unwrap()
}

#[test]
fn every_format_writes_the_same_report_the_same_twice() {
    for format in FORMATS {
        let once = (format.write)(&report("plain"), "pictures").unwrap();
        assert!(once == (format.write)(&report("plain"), "pictures").unwrap(), "{}", format.extension);
        assert!(!once.main.is_empty());
        let pictures = ["md", "tex"].contains(&format.extension);
        assert_eq!(!once.beside.is_empty(), pictures, "{}", format.extension);
    }
}

/// The tags of a page, outside of its own style and scripts.
fn tags(page: &str) -> Vec<String> {
    let (mut tags, mut rest) = (Vec::new(), page);
    while let Some(start) = rest.find('<') {
        let tag: String =
            rest[start + 1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/' || *c == '!').collect();
        let end = rest[start..].find('>').map_or(rest.len(), |end| start + end + 1);
        rest = &rest[end..];
        // what is in these elements is text until the element ends
        if ["script", "style"].contains(&tag.as_str()) {
            rest = &rest[rest.find(&format!("</{tag}")).unwrap()..];
        }
        tags.push(tag);
    }
    tags
}

#[test]
fn a_page_has_the_same_elements_whatever_it_quotes() {
    let plain = tags(&text(&write(&report("plain"), "html")));
    assert!(plain.len() > 100);
    for hostile in hostile() {
        let page = text(&write(&report(&hostile), "html"));
        let shown: String = hostile.chars().take(40).collect();
        assert!(tags(&page) == plain, "{shown}");
        assert!(!page.contains(['\0', '\u{1b}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}', '\u{feff}']), "{shown}");
    }
}

#[test]
fn a_page_asks_for_nothing() {
    let page = text(&write(&report("plain"), "html"));
    assert!(page.contains("default-src 'none'"));
    for outside in ["http:", "https:", " src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn markdown_and_latex_quote_and_do_not_obey() {
    for hostile in hostile() {
        let markdown = text(&write(&report(&hostile), "md"));
        assert!(markdown.match_indices('<').all(|(at, _)| markdown[..at].ends_with('\\')), "a bare <");
        assert!(!markdown.contains(['\0', '\u{1b}', '\u{202e}', '\u{2028}']));
        let latex = text(&write(&report(&hostile), "tex"));
        assert!(!latex.contains("\\input{") && !latex.contains("\\write18"));
        assert!(!latex.contains(['\0', '\u{1b}', '\u{202e}']) && latex.is_ascii(), "what is no letter is spelled");
    }
}

#[test]
fn csv_has_no_formula_and_no_control() {
    use lmscope::export::{Csv, Exporter as _, Plain};
    for hostile in hostile() {
        let mut csv = Vec::new();
        Csv.write(&figures(&hostile), &mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
        for record in reader.records() {
            assert!(record.unwrap().iter().all(|cell| !cell.starts_with(['=', '@', '+'])));
        }
        let mut plain = Vec::new();
        Plain.write(&figures(&hostile), &mut plain).unwrap();
        for text in [csv, String::from_utf8(plain).unwrap()] {
            assert!(!text.contains(['\0', '\u{1b}', '\u{9b}', '\u{202e}']));
        }
    }
}

fn report_of(arguments: &[&str], file: &Path) -> Run {
    lmscope(&[&["report"], arguments, &["-o", file.to_str().unwrap()]].concat())
}

fn check(file: &Path) -> Run {
    lmscope(&["report", "--check", file.to_str().unwrap()])
}

#[test]
fn a_prompt_is_explained_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    for ending in ["html", "json", "md", "tex"] {
        let file = dir.path().join(format!("why.{ending}"));
        let printed = report_of(&["explain", "The cat sat on a"], &file);
        assert_eq!((printed.status, printed.stdout.trim()), (0, file.to_str().unwrap()), "{}", printed.stderr);
        assert!(fs::metadata(&file).unwrap().len() > 5_000, "{ending}");
    }
    for ending in ["html", "json"] {
        let found = check(&dir.path().join(format!("why.{ending}")));
        assert_eq!(found.status, 0, "{} {}", found.stdout, found.stderr);
        assert!(found.stderr.contains("again: lmscope report explain The cat sat on a"), "{}", found.stderr);
    }
    let json = dir.path().join("why.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let strip = &mut value["sections"][0]["blocks"][0]["figure"]["content"]["pieces"][1]["value"];
    *strip = (strip.as_f64().unwrap() + 0.01).into();
    fs::write(&json, value.to_string()).unwrap();
    let found = check(&json);
    assert_eq!(found.status, 1, "{}", found.stderr);
    assert!(found.stdout.contains("sections.0.blocks.0.figure.content.pieces.1.value:"), "{}", found.stdout);
    let refused = check(&dir.path().join("why.md")).refused();
    assert!(refused.contains("only .html and .json"), "{refused}");
}

#[test]
fn runs_are_reported_beside_a_baseline_and_checked_against_their_records() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = |model: &str, name: &str, more: &[&str]| {
        let folder = at(name);
        let options = ["eval", "run", "hallucination", "-m", model, "--tier", "quick", "--no-cache", "-o", &folder];
        assert_eq!(lmscope(&[&options[..], more].concat()).status, 0);
    };
    run("slide", "old", &[]);
    run("slide", "new", &["--do", "zero:L2.mlp"]);
    let page = dir.path().join("change.html");
    let printed = report_of(&["eval", &at("new"), "--baseline", &at("old")], &page);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    let text = fs::read_to_string(&page).unwrap();
    for expected in
        ["Reliability: hallucination", "New against old", "flipped ones", "Items of run", "suite hallucination"]
    {
        assert!(text.contains(expected), "{expected}");
    }
    assert_eq!(check(&page).status, 0);
    let items = dir.path().join("new/items.jsonl");
    let changed = fs::read_to_string(&items).unwrap().replacen("\"flag\":false", "\"flag\":true", 1);
    fs::write(&items, changed).unwrap();
    let found = check(&page);
    assert_eq!(found.status, 1, "{} {}", found.stdout, found.stderr);
    assert!(found.stdout.contains("items.sha256"), "{}", found.stdout);
}

#[test]
fn several_runs_have_a_section_each() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for (suite, name) in [("next-word", "a"), ("reversal-curse", "b")] {
        assert_eq!(lmscope(&["eval", "run", suite, "--tier", "quick", "--no-cache", "-o", &at(name)]).status, 0);
    }
    let page = dir.path().join("both.html");
    assert_eq!(report_of(&["eval", &at("a"), &at("b")], &page).status, 0);
    let text = fs::read_to_string(&page).unwrap();
    for expected in
        ["Results of run 1", "Results of run 2", "Forward and reverse", "Items of run 2", "run 2: suite reversal-curse"]
    {
        assert!(text.contains(expected), "{expected}");
    }
    assert_eq!(check(&page).status, 0);
}

#[test]
fn a_committed_baseline_is_compared_without_its_answers() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run").to_str().unwrap().to_owned();
    assert_eq!(lmscope(&["eval", "run", "reversal-curse", "--limit", "140", "--no-cache", "-o", &run]).status, 0);
    let page = dir.path().join("change.html");
    let baseline = "tests/baselines/reversal-curse.json";
    let printed = report_of(&["eval", &run, "--baseline", baseline], &page);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    let text = fs::read_to_string(&page).unwrap();
    assert!(
        text.contains("New against old") && text.contains("baseline: fingerprint") && !text.contains("flipped ones")
    );
    assert_eq!(check(&page).status, 0);
}

#[test]
fn a_damaged_report_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs::write(&file, text).unwrap();
        check(&file).refused()
    };
    let surrogate = "{\"format_version\": 1, \"arguments\": [\"\\ud800\"]}";
    assert!(told("a.json", surrogate).contains("not the JSON of a report"));
    let unknown = "{\"format_version\": 1, \"arguments\": [\"explode\"], \"facts\": [], \"sections\": []}";
    assert!(told("b.json", unknown).contains("no longer understood"));
    let other = "{\"format_version\": 1, \"arguments\": [\"--check\", \"b.json\"], \"sections\": []}";
    assert!(told("c.json", other).contains("no longer understood"));
}

/// Compiles hostile texts where there is a compiler.
#[test]
fn latex_of_a_stranger_compiles_where_there_is_a_compiler() {
    if std::process::Command::new("pdflatex").arg("--version").output().is_err() {
        println!("there is no pdflatex");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut hostile = hostile();
    // a paragraph of a million letters without a space is more than TeX takes
    hostile.pop();
    for (at, hostile) in hostile.iter().enumerate() {
        let files = write(&report(hostile), "tex");
        fs::create_dir_all(dir.path().join("pictures")).unwrap();
        for (name, bytes) in &files.beside {
            fs::write(dir.path().join("pictures").join(name), bytes).unwrap();
        }
        fs::write(dir.path().join("report.tex"), &files.main).unwrap();
        let compiled = std::process::Command::new("pdflatex")
            .args(["-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{at}: {}", String::from_utf8_lossy(&compiled.stdout));
    }
}

#[test]
fn models_have_reports_too() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("change.html");
    let printed = report_of(&["compare", "The cat sat on a", "--other", "slide-chat"], &page);
    assert_eq!(printed.status, 0, "{}", printed.stderr);
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("Where the layers part") && text.contains("model B: SHA-256"), "{text:.2000}");
    assert_eq!(check(&page).status, 0);
}

#[test]
fn what_cannot_be_written_is_told_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let told = |file: &str| report_of(&["explain", "The cat"], &dir.path().join(file)).refused();
    assert!(told("why.pdf").contains("a report ends in .html .md .tex .json"));
    assert!(told("no/why.html").contains("there is no folder"));
    assert!(lmscope(&["report", "eval", "nowhere"]).refused().contains("nowhere"));
    assert!(lmscope(&["report", "--check", "nowhere.html"]).refused().contains("nowhere.html"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_examples_in_the_documentation_come_out_again() {
    for page in ["why", "models", "evaluation"] {
        let found = lmscope(&["report", "--check", &format!("docs/example-report/{page}.html")]);
        assert_eq!(found.status, 0, "{page}: {} {}", found.stdout, found.stderr);
    }
}

/// The commands of a LaTeX text.
fn commands(latex: &str) -> std::collections::BTreeSet<String> {
    let name = |(at, _)| {
        let rest: &str = &latex[at + 1..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        rest[..letters.max(rest.chars().next().map_or(0, char::len_utf8))].to_owned()
    };
    latex.match_indices('\\').map(name).collect()
}

const COMMANDS: &str = "begin end centering caption toprule midrule bottomrule textbackslash textasciitilde textasciicircum \
                        textless textgreater textbar char textasciigrave textquotesingle textvisiblespace textminus \
                        textrightarrow ldots textendash textperiodcentered textbardbl textlangle textrangle \
                        { } $ & # _ % \\ \n";

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_inert_in_every_format(text in proptest::prelude::any::<String>(), sign in "[=+@<>&'\"\\\\{}$%#|`\\]\\[-]{0,6}") {
        use lmscope::export::{Csv, Latex, Markdown};
        let text = format!("{sign}{text}");
        let page = lmscope::report::page(&report(&text)).unwrap();
        assert!(tags(&page) == tags(&lmscope::report::page(&report("plain")).unwrap()));
        let written = |exporter: &dyn lmscope::export::Exporter| {
            let mut out = Vec::new();
            exporter.write(&figures(&text), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let markdown = written(&Markdown);
        assert!(markdown.match_indices('<').all(|(at, _)| markdown[..at].ends_with('\\')));
        let latex = written(&Latex);
        let allowed: Vec<&str> = COMMANDS.split(' ').collect();
        assert!(commands(&latex).iter().all(|name| allowed.contains(&name.as_str()) || name == "\\"), "{latex}");
        let csv = written(&Csv);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_bytes());
        assert!(reader.records().all(|record| record.unwrap().iter().all(|cell| !cell.starts_with(['=', '@', '+']))));
    }
}
