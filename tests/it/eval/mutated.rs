//! Task files, suites, data and cards that were damaged at random: never a panic, never long, never a success without
//! items, and always a mistake that names a file.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lmscope::eval::prepare::Error;
use lmscope::eval::{PrepareOptions, outline};
use lmscope::hub::Cache;
use proptest::prelude::*;

use crate::support::project;

/// Files that are fine together, and how they are opened.
struct Good {
    /// What is given to `lmscope eval validate`.
    source: &'static str,
    /// Every file, by its path; the ones that are damaged come first.
    files: Vec<(&'static str, Vec<u8>)>,
    /// How many of them are damaged.
    damaged: usize,
}

const TASK: &str = "task: x\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl, train: [d.jsonl]}}\n\
    test_split: test\ntraining_split: train\noutput_type: generate_until\ndoc_to_text: \"{{ q|upper }}: {% for c in \
    choices %}{{loop.index}} {{c}}{% endfor %}\"\ndoc_to_target: '{{choices[gold]}}'\nnum_fewshot: 1\nfewshot_config: \
    {sampler: first_n}\ngeneration_kwargs: {until: [\"\\n\"], max_gen_toks: 8}\nfilter_list:\n- name: f\n  filter:\n  - \
    {function: regex, regex_pattern: '(-?[$0-9.,]{2,})|(-?[0-9]+)', group_select: -1}\n  - function: take_first\n\
    metric_list: [&m {metric: exact_match, ignore_case: yes}]\nmetadata: {version: 1.0}\n";

const ROWS: &str = "{\"q\": \"Ä\", \"choices\": [\"a\", \"b\"], \"gold\": 0, \"x\": {\"y\": [1.5, null, true]}}\n\
    {\"q\": \"Q\\u00e9\", \"choices\": [\"c\", \"d\", \"e\"], \"gold\": 2, \"x\": {\"y\": []}}\n";

const SUITE: &str = "name = \"x\"\nversion = 1\nabout = '''\nA\nB'''\noutput_type = \"multiple_choice\"\nitems = \"d.csv\"\n\
    doc_to_text = \"{{q}}\"\ndoc_to_choice = [\"yes\", \"no\"]\ndoc_to_target = \"gold\"\nid = \"id\"\ncluster = \"c\"\n\
    strata = [\"c\"]\nnum_fewshot = 1\nmetric_list = [{ metric = \"acc\" }, { metric = \"mc2\" }]\n[gate]\nacc = { min = \
    0.5, margin = 1e-3 }\n";

const CSV: &str = "id,q,gold,c\n1,\"Is it, \"\"so\"\"?\",0,a\n2,\"two\nlines\",1,b\n3,é,1,\n";

const FACTS: &str = "name = \"f\"\nversion = 1\nscorer = \"direction-pair\"\ncontrols = 1\nuntil = [\".\"]\nchild = { m = \
    \"son\", f = \"daughter\" }\n[[relation]]\nname = \"r\"\nforward = \"{a}: on\"\nreverse = \"{b}'s {child}\"\n";

const ITEMS: &str = "{\"id\":\"1\",\"relation\":\"r\",\"a\":\"Tom\",\"b\":\"Mary\",\"a_gender\":\"m\"}\n\
    {\"id\":\"2\",\"relation\":\"r\",\"a\":\"John\",\"b\":\"Jo\",\"a_gender\":\"m\"}\n";

const GROUP: &str = "group: g\ntask:\n- t\n- task: y\n- group: inner\n  task: [y]\n  num_fewshot: 0\nnum_fewshot: 0\n\
    aggregate_metric_list: [{metric: exact_match, weight_by_size: false}]\n";

const CARD: &str = "---\nlicense: mit\ndataset_info:\n- config_name: m\n  splits: [{name: test, num_examples: 2}]\nconfigs:\n\
    - config_name: m\n  data_files:\n  - {split: test, path: 'm/t*'}\n---\n# Text\n";

const OF_HUB: &str = "task: x\ndataset_path: a/b\ndataset_name: m\ntest_split: test\noutput_type: multiple_choice\n\
    doc_to_text: q\ndoc_to_choice: choices\ndoc_to_target: gold\n";

const OF_PARQUET: &str = "task: x\ndataset_path: parquet\ndataset_kwargs: {data_files: {test: d.parquet}}\ntest_split: test\n\
    output_type: multiple_choice\ndoc_to_text: country\ndoc_to_choice: choices\ndoc_to_target: gold\n";

const SNAPSHOT: &str = "hub/datasets--a--b/snapshots/0123456789abcdef0123456789abcdef01234567";

fn task_file() -> Good {
    let files = vec![("t.yaml", TASK.into()), ("d.jsonl", ROWS.into())];
    Good { source: "t.yaml", files, damaged: 2 }
}

fn group() -> Good {
    let included = "include: t.yaml\ntask: y\ntag: t\n";
    let files =
        vec![("g.yaml", GROUP.into()), ("y.yaml", included.into()), ("t.yaml", TASK.into()), ("d.jsonl", ROWS.into())];
    Good { source: "g.yaml", files, damaged: 3 }
}

fn own() -> Good {
    let files = vec![("suite.toml", SUITE.into()), ("d.csv", CSV.into())];
    Good { source: "suite.toml", files, damaged: 2 }
}

fn facts() -> Good {
    let files = vec![("suite.toml", FACTS.into()), ("items.jsonl", ITEMS.into())];
    Good { source: "", files, damaged: 2 }
}

fn parquet() -> Good {
    let rows = fs::read(project("fixtures/suites/data/capitals.parquet")).unwrap();
    Good { source: "p.yaml", files: vec![("d.parquet", rows), ("p.yaml", OF_PARQUET.into())], damaged: 1 }
}

fn hub() -> Good {
    let leak = |name: &str| -> &'static str { Box::leak(format!("{SNAPSHOT}/{name}").into_boxed_str()) };
    let files = vec![
        (leak("README.md"), CARD.into()),
        ("h.yaml", OF_HUB.into()),
        ("hub/datasets--a--b/refs/main", SNAPSHOT.rsplit('/').next().unwrap().into()),
        (leak("m/test.jsonl"), ROWS.into()),
    ];
    Good { source: "h.yaml", files, damaged: 3 }
}

/// One thing that happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Bits of a byte change.
    Flip(prop::sample::Index, u8),
    /// The rest is gone.
    Cut(prop::sample::Index),
    /// Some bytes are gone.
    Remove(prop::sample::Index, usize),
    /// Some bytes are put in again elsewhere.
    Splice(prop::sample::Index, prop::sample::Index, usize),
    /// Eight bytes in a row become ones: a length, a count or a size.
    Ones(prop::sample::Index),
    /// Something surprising is put in.
    Insert(prop::sample::Index, Vec<u8>),
}

/// What means something somewhere, or is too much of it.
fn surprise() -> impl Strategy<Value = Vec<u8>> {
    let texts = [
        "[".repeat(20_000),
        "{\"a\":".repeat(20_000),
        "- ".repeat(20_000),
        "{a: ".repeat(5_000),
        "((".repeat(2_000),
        "{{ (".repeat(500),
        "9".repeat(400),
        "-1e999".into(),
        "18446744073709551616".into(),
        "\0".into(),
        "\u{feff}".into(),
        "\r".into(),
        "\n---\n".into(),
        "\n".into(),
        "\t".into(),
        "\"".into(),
        "'''".into(),
        ",,".into(),
        "&m *m ".into(),
        "<<: *m\n".into(),
        "!function a.b ".into(),
        "!!int ".into(),
        "{{ 'a' * 1000000000 }}".into(),
        "{% for i in range(99999999) %}x{% endfor %}".into(),
        "{{ q[0][0].x|first }}".into(),
        "(a|a)*b(".into(),
        "include: t.yaml\n".into(),
        "\nnum_fewshot: 99999999999\n".into(),
        "\nnum_fewshot = 9223372036854775807\n".into(),
        "../".into(),
        "null".into(),
        "~".into(),
    ];
    let bytes = [b"\xff".to_vec(), b"\xe2\x28".to_vec(), b"\xc3".to_vec(), vec![0; 64]];
    prop::sample::select(texts.into_iter().map(String::into_bytes).chain(bytes).collect::<Vec<_>>())
}

fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, Damage)>> {
    let index = any::<prop::sample::Index>;
    let one = prop_oneof![
        4 => (index(), 1..=u8::MAX).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        1 => index().prop_map(Damage::Cut),
        2 => (index(), 1..40usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        2 => (index(), index(), 1..64usize).prop_map(|(from, to, n)| Damage::Splice(from, to, n)),
        1 => index().prop_map(Damage::Ones),
        4 => (index(), surprise()).prop_map(|(at, what)| Damage::Insert(at, what)),
    ];
    prop::collection::vec((index(), one), 1..4)
}

fn hurt(bytes: &mut Vec<u8>, damage: &Damage) {
    let n = bytes.len();
    if n < 8 {
        return;
    }
    match damage {
        Damage::Flip(at, bits) => bytes[at.index(n)] ^= bits,
        Damage::Cut(at) => bytes.truncate(at.index(n)),
        Damage::Remove(at, length) => {
            let at = at.index(n);
            bytes.drain(at..n.min(at + length));
        }
        Damage::Splice(from, to, length) => {
            let from = from.index(n);
            let part = bytes[from..n.min(from + length)].to_vec();
            let to = to.index(n);
            bytes.splice(to..to, part);
        }
        Damage::Ones(at) => {
            let at = at.index(n - 7);
            bytes[at..at + 8].fill(u8::MAX);
        }
        Damage::Insert(at, what) => {
            let at = at.index(n);
            bytes.splice(at..at, what.iter().copied());
        }
    }
}

/// Longer than this takes no small suite, on a machine that does other things as well.
const SOON: Duration = Duration::from_secs(20);

/// Opens the files; how many items there are, or what is wrong.
fn opened(good: &Good) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &good.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let (cache, began) = (Cache::new(folder.path().join("hub")), Instant::now());
    let options = PrepareOptions { hub: Some(&cache), ..PrepareOptions::default() };
    let found = outline(folder.path().join(good.source).to_str().unwrap(), &options);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    match found {
        Ok(outlines) => {
            assert!(!outlines.is_empty(), "a success without tasks");
            assert!(outlines.iter().all(|outline| outline.items > 0), "a success without items: {outlines:?}");
            Ok(outlines.iter().map(|outline| outline.items).sum())
        }
        Err(Error::Problems { problems, .. }) => {
            assert!(!problems.is_empty(), "a mistake that is not told");
            for problem in &problems {
                let is_named = Path::new(&problem.file).file_name().is_some();
                assert!(is_named && !problem.what.is_empty(), "{problem:?}");
            }
            Err(problems[0].to_string())
        }
        Err(error) => {
            let chain =
                format!("{error} {}", std::error::Error::source(&error).map_or_else(String::new, ToString::to_string));
            assert!(["suite.toml", "items.jsonl"].iter().any(|file| chain.contains(file)), "{chain}");
            Err(chain)
        }
    }
}

fn check(mut good: Good, all: &[(prop::sample::Index, Damage)]) {
    for (of, damage) in all {
        let file = of.index(good.damaged);
        hurt(&mut good.files[file].1, damage);
    }
    drop(opened(&good));
}

#[test]
fn what_is_not_damaged_is_fine() {
    for (good, items) in [(task_file(), 2), (group(), 2), (own(), 3), (facts(), 2), (parquet(), 6), (hub(), 2)] {
        assert_eq!(opened(&good), Ok(items), "{}", good.source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_task_file_is_a_mistake_or_a_task(all in damage()) {
        check(task_file(), &all);
    }

    #[test]
    fn a_damaged_group_is_a_mistake_or_tasks(all in damage()) {
        check(group(), &all);
    }

    #[test]
    fn a_damaged_suite_is_a_mistake_or_a_suite(all in damage()) {
        check(own(), &all);
    }

    #[test]
    fn a_damaged_suite_of_facts_is_a_mistake_or_a_suite(all in damage()) {
        check(facts(), &all);
    }

    #[test]
    fn damaged_parquet_is_a_mistake_or_rows(all in damage()) {
        check(parquet(), &all);
    }

    #[test]
    fn a_damaged_data_set_of_the_hub_is_a_mistake_or_a_task(all in damage()) {
        check(hub(), &all);
    }
}
