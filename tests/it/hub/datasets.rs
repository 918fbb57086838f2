//! Data sets of the hub: fetched once, then read from the cache by task files that name them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lmscope::eval::task::Task;
use lmscope::eval::{PrepareOptions, prepare};
use lmscope::hub::Cache;
use lmscope::text::{HfFiles, Tokenizer};

use super::server::{COMMIT, Fault, Repo, Server};
use super::{Home, text, tiny};
use crate::support::project;

const CARD: &str = "---\nlicense: mit\ndataset_info:\n- config_name: main\n  splits:\n  - name: test\n    num_examples: 4\n\
    configs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n  - split: test\n    \
    path: main/test-*\n- config_name: other\n  data_files: other/*.jsonl\n---\n# Capitals\n";

fn rows(split: &str) -> Vec<u8> {
    let file = if split == "test" { "capitals.jsonl" } else { "capitals_shots.jsonl" };
    let all = fs::read_to_string(project("fixtures/suites/data").join(file)).unwrap();
    all.split_inclusive('\n').take(4).collect::<String>().into_bytes()
}

fn repo() -> Repo {
    Repo::of_dataset(CARD)
        .with("main/train-00000-of-00001.jsonl", &rows("train"))
        .with("main/test-00000-of-00001.jsonl", &rows("test"))
        .with("other/x.jsonl", &rows("test"))
        .with("images/picture.png", b"never read")
        .with("model.safetensors", b"never read")
}

const TASK: &str = "task: capitals\ndataset_path: tests/tiny\ntraining_split: train\ntest_split: test\noutput_type: \
    multiple_choice\ndoc_to_text: '{{country}}'\ndoc_to_choice: choices\ndoc_to_target: gold\nnum_fewshot: 2\n";

/// A task over the data set; `rest` are more keys.
fn task(folder: &Path, rest: &str) -> PathBuf {
    let file = folder.join("t.yaml");
    fs::write(&file, format!("{TASK}{rest}")).unwrap();
    file
}

fn folder_of(home: &Home) -> PathBuf {
    home.dir.path().join("hub/datasets--tests--tiny")
}

#[test]
fn a_task_names_a_data_set_that_one_command_fetches() {
    let server = Server::start(repo());
    let home = Home::of(&server);
    let folder = tempfile::tempdir().unwrap();
    let file = task(folder.path(), "dataset_name: main\n");
    let absent = home.run(&["eval", "show", text(&file)]).refused();
    assert!(absent.contains("`tests/tiny` is neither a folder here nor a data set in the cache"), "{absent}");
    let command = absent.split('`').find(|part| part.starts_with("lmscope pull")).unwrap();
    assert_eq!(command, "lmscope pull hf://datasets/tests/tiny main");
    assert!(server.seen().is_empty(), "only pull uses the network");

    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let lines = home.run(&words).ok();
    let fetched: Vec<&str> = lines.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert_eq!(fetched, ["README.md", "main/test-00000-of-00001.jsonl", "main/train-00000-of-00001.jsonl"]);
    assert_eq!(fs::read_to_string(folder_of(&home).join("refs/main")).unwrap(), COMMIT);
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths[0], "/api/datasets/tests/tiny/revision/main");
    assert!(paths[1..].iter().all(|path| path.starts_with("/datasets/tests/tiny/resolve/")), "{paths:?}");

    let valid = home.run(&["eval", "validate", text(&file)]).ok();
    assert!(valid.contains("4 items: nothing is wrong"), "{valid}");
    let again = home.run(&words).ok();
    assert_eq!(again.matches("already there").count(), 3, "{again}");
    server.seen();
    let models = home.run(&["models"]).ok();
    assert!(models.contains("none; `lmscope pull org/name` fetches one"), "{models}");
    let other = task(folder.path(), "dataset_name: other\n");
    let wrong = home.run(&["eval", "show", text(&other)]).refused();
    assert!(
        wrong.contains("there are no files of `other`") && wrong.contains("tiny other` fetches what is"),
        "{wrong}"
    );
    assert!(server.seen().is_empty(), "only pull uses the network");

    let all = home.run(&["pull", "hf://datasets/tests/tiny"]).ok();
    assert!(all.contains("other/x.jsonl") && !all.contains("picture"), "{all}");
}

/// The task of a file.
fn prepared(file: &Path, home: &Home) -> Task {
    let cache = Cache::new(home.dir.path().join("hub"));
    let json = fs::read(tiny("tiny-llama").join("tokenizer.json")).unwrap();
    let tokenizer = Tokenizer::from_hf(&json, HfFiles { tokenizer_config: None, config: None }).unwrap();
    let options = PrepareOptions { hub: Some(&cache), ..PrepareOptions::default() };
    prepare(text(file), &tokenizer, &options).unwrap().remove(0)
}

#[test]
fn a_data_set_asks_what_its_files_ask() {
    let server = Server::start(repo());
    let home = Home::of(&server);
    home.run(&["pull", "hf://datasets/tests/tiny"]).ok();
    let folder = tempfile::tempdir().unwrap();
    let of_hub = prepared(&task(folder.path(), "dataset_name: main\n"), &home);
    let beside = folder.path().join("tests/tiny");
    fs::create_dir_all(&beside).unwrap();
    for split in ["train", "test"] {
        fs::write(beside.join(format!("{split}.jsonl")), rows(split)).unwrap();
    }
    let of_files = prepared(&task(folder.path(), "dataset_name: main\n"), &home);
    assert_eq!((of_hub.items, &of_hub.hash), (of_files.items, &of_files.hash));

    // the bytes of the data are a part of the hash
    let changed = String::from_utf8(rows("test")).unwrap().replacen("Paris", "Lyon", 1);
    assert_ne!(changed.as_bytes(), rows("test"));
    fs::write(beside.join("test.jsonl"), changed).unwrap();
    let of_files = prepared(&task(folder.path(), "dataset_name: main\n"), &home);
    assert_ne!(of_hub.hash, of_files.hash);
}

#[test]
fn a_suite_of_our_own_and_a_revision() {
    let server = Server::start(repo());
    let home = Home::of(&server);
    home.run(&["pull", "hf://datasets/tests/tiny@v1/b", "main"]).ok();
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("suite.toml");
    let own = |rest: &str| {
        let own = "name = \"x\"\nversion = 1\noutput_type = \"generate_until\"\ndataset_path = \"tests/tiny\"\n\
            doc_to_text = \"{{country}}\"\ndoc_to_target = \"{{country}}\"\ndataset_name = \"main\"\n";
        fs::write(&suite, format!("{own}{rest}")).unwrap();
    };
    own("");
    let absent = home.run(&["eval", "validate", text(&suite)]);
    assert_eq!(absent.status, 2);
    assert!(absent.stdout.contains("suite.toml:4: `tests/tiny` is neither"), "{}", absent.stdout);
    own("num_fewshot = 1\nfewshot_items = \"train\"\ndataset_kwargs = { revision = \"v1/b\" }\n");
    let valid = home.run(&["eval", "validate", text(&suite)]).ok();
    assert!(valid.contains("4 items: nothing is wrong"), "{valid}");
    own("items = \"tset\"\ndataset_kwargs = { revision = \"0123456\" }\n");
    let wrong = home.run(&["eval", "validate", text(&suite)]).stdout;
    assert!(wrong.contains("there is no split `tset`, only train, test"), "{wrong}");
}

/// The first rows of the split that is asked.
fn first(n: usize) -> Vec<u8> {
    rows("test").split_inclusive(|byte| *byte == b'\n').take(n).flatten().copied().collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[cfg(unix)]
#[test]
fn a_part_of_a_data_set_is_told() {
    let home = Home::without_server();
    let (blobs, snapshot) = (folder_of(&home).join("blobs"), folder_of(&home).join("snapshots").join(COMMIT));
    // as `huggingface_hub` lays files out
    let put = |name: &str, bytes: &[u8]| {
        let blob = format!("{:040x}", name.len());
        for path in [blobs.join(&blob), snapshot.join(name)] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(blobs.join(&blob), bytes).unwrap();
        let up = "../".repeat(2 + name.matches('/').count());
        fs::remove_file(snapshot.join(name)).ok();
        std::os::unix::fs::symlink(format!("{up}blobs/{blob}"), snapshot.join(name)).unwrap();
    };
    fs::create_dir_all(folder_of(&home).join("refs")).unwrap();
    fs::write(folder_of(&home).join("refs/main"), COMMIT).unwrap();
    put("README.md", CARD.as_bytes());
    put("main/train-00000-of-00001.jsonl", &rows("train"));
    let folder = tempfile::tempdir().unwrap();
    let file = task(folder.path(), "dataset_name: main\n");
    let told = |expected: &str| {
        let run = home.run(&["eval", "validate", text(&file)]);
        assert!(run.stdout.contains(expected), "no `{expected}` in {}{}", run.stdout, run.stderr);
    };
    told("there is no split `test`, only train; `lmscope pull hf://datasets/tests/tiny main` fetches what is missing");
    put("main/test-00000-of-00002.jsonl", &rows("test"));
    told("`main/test-00001-of-00002` of `tests/tiny` is not in the cache; `lmscope pull");
    put("main/test-00001-of-00002.jsonl.gz", b"\x1f\x8bno gzip");
    told("main/test-00001-of-00002.jsonl.gz: it cannot be unpacked");
    put("main/test-00000-of-00002.jsonl", &first(3));
    put("main/test-00001-of-00002.jsonl.gz", &gzip(&first(1)));
    told("4 items: nothing is wrong");
    fs::remove_file(snapshot.join("main/test-00001-of-00002.jsonl.gz")).unwrap();
    fs::remove_file(snapshot.join("main/test-00000-of-00002.jsonl")).unwrap();
    put("main/test-00000-of-00001.jsonl", &first(3));
    told("the split `test` of `tests/tiny` has 3 rows, and its card says 4; `lmscope pull");
    put("main/test-00000-of-00001.jsonl", &rows("test"));
    told("4 items: nothing is wrong");
    put("README.md", b"---\nconfigs: 3\n---\n");
    told("README.md:2: `configs` is 3, a list is expected");
    put("tiny.py", b"print()");
    told("`tiny.py` makes this data set, a program in Python, which is not run");
}

#[test]
fn what_is_no_data_set_is_refused_by_pull() {
    let refused = |repo: Repo, part: &[&str], expected: &str| {
        let server = Server::start(repo);
        let home = Home::of(&server);
        let run = home.run(&[&["pull", "hf://datasets/tests/tiny"], part].concat());
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains(expected), "no `{expected}` in {}", run.stderr);
        assert!(!folder_of(&home).join("refs/main").exists(), "what is not complete has no branch");
    };
    refused(repo().with("tiny.py", b"print()"), &[], "`tiny.py` makes this data set, a program in Python");
    refused(repo(), &["mian"], "there is no configuration `mian`, only `main`, `other`; the nearest is `main`");
    refused(Repo::of_dataset("# Nothing\n").with("a.arrow", b""), &[], "there are .arrow");
    refused(repo().with("../evil.jsonl", b""), &[], "leads out of its folder");
    refused(repo().failing(Fault::Status(401, "GatedRepo")), &[], "/datasets/tests/tiny");
    let broken = repo().with("main/test-00000-of-00001.parquet", &[7; 5000]).failing(Fault::CutOff(1000));
    refused(broken, &["main"], "broke off after 1000 of 5000 bytes");
    let home = Home::without_server();
    let bad = home.run(&["pull", "hf://datasets/a/b/c.csv"]).refused();
    assert!(bad.contains("is no name of a data set on the hub") && bad.contains("hint: write hf://datasets/"), "{bad}");
}
