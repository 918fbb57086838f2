use super::*;

fn files(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The splits of a configuration, or all that is wrong.
fn splits(names: &[&str], card: Option<&str>, config: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let (name, files) = (DatasetName::new("org/name", None).unwrap(), files(names));
    let repository = Repository { name: &name, card_file: CARD, card, files: &files };
    let layout = repository.layout(config).map_err(|problems| problem::list(&problems))?;
    Ok(layout.splits.into_iter().map(|(split, files)| (split, files.join(" "))).collect())
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(split, files)| ((*split).to_owned(), (*files).to_owned())).collect()
}

/// What `datasets` 5.2.0 makes of folders with these files, but that it reads a file twice that two words name.
#[test]
fn names_alone_tell_what_they_tell_python() {
    let check = |names: &[&str], expected: &[(&str, &str)]| {
        assert_eq!(splits(names, None, None).unwrap(), of(expected), "{names:?}");
    };
    check(
        &[
            CARD,
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "data/test-00000-of-00001-abc.parquet",
            "data/extra-00000-of-00001.parquet",
        ],
        &[
            ("train", "data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet"),
            ("test", "data/test-00000-of-00001-abc.parquet"),
            ("extra", "data/extra-00000-of-00001.parquet"),
        ],
    );
    check(
        &[
            "main/train-00000-of-00001.parquet",
            "main/test-00000-of-00001.parquet",
            "other/train-00000-of-00001.parquet",
        ],
        &[
            ("train", "main/train-00000-of-00001.parquet other/train-00000-of-00001.parquet"),
            ("test", "main/test-00000-of-00001.parquet"),
        ],
    );
    check(
        &["train.jsonl", "dev.jsonl", "test.jsonl", CARD, "LICENSE.txt"],
        &[("train", "train.jsonl"), ("validation", "dev.jsonl"), ("test", "test.jsonl")],
    );
    check(
        &["data/train/a.csv", "data/train/b.csv", "data/val/c.csv", "x.csv"],
        &[("train", "data/train/a.csv data/train/b.csv"), ("validation", "data/val/c.csv")],
    );
    check(&["data.jsonl", "LICENSE.txt", "config.json"], &[("train", "data.jsonl")]);
    check(&["a.json", "b.json", "notes.txt"], &[("train", "a.json b.json")]);
    check(
        &["my_train_1.csv", "my-test.csv", "contest.csv", "training.csv"],
        &[("train", "my_train_1.csv training.csv"), ("test", "my-test.csv")],
    );
    check(&["test-eval.json", "train.json"], &[("train", "train.json"), ("test", "test-eval.json")]);
    check(&[".hidden/train.json", "__x/train.json", "train.json"], &[("train", "train.json")]);
    check(&["train.jsonl.gz", "test.jsonl.gz"], &[("train", "train.jsonl.gz"), ("test", "test.jsonl.gz")]);
    check(&["dev-v1.json", "valid.json"], &[("validation", "valid.json dev-v1.json")]);
    check(
        &["test_set/a.parquet", "data-train/b.parquet"],
        &[("train", "data-train/b.parquet"), ("test", "test_set/a.parquet")],
    );
}

/// A card with one configuration of these `data_files`.
fn card(data_files: &str) -> String {
    format!("---\nconfigs:\n- config_name: main\n  data_files: {data_files}\n---\n")
}

#[test]
fn patterns_of_a_card_name_what_they_name_to_python() {
    let check = |names: &[&str], patterns: &str, expected: &[(&str, &str)]| {
        assert_eq!(splits(names, Some(&card(patterns)), Some("main")).unwrap(), of(expected), "{patterns}");
        assert_eq!(splits(names, Some(&card(patterns)), None).unwrap(), of(expected), "the only one is the default");
    };
    let two = ["p/a.json", "p/q/b.json"];
    check(&two, "p/*", &[("train", "p/a.json")]);
    check(&two, "p/**", &[("train", "p/a.json p/q/b.json")]);
    check(&two, "'**/*.json'", &[("train", "p/a.json p/q/b.json")]);
    check(
        &["p/a.json", "p/q/b.json", ".h/c.json"],
        "[{split: x, path: ['.h/*', p/a.json]}]",
        &[("x", ".h/c.json p/a.json")],
    );
    check(&["p/a.json", "p/b.csv", "p/c.csv"], "p/*", &[("train", "p/b.csv p/c.csv")]);
    check(&["{a}/b.json", "a/b.json"], "'{a}/*'", &[("train", "{a}/b.json")]);
}

#[test]
fn a_configuration_is_named_or_the_default() {
    let card = "---\nconfigs:\n- config_name: a\n  data_files: a.csv\n- config_name: b\n  data_dir: d\n---\n";
    let names = ["a.csv", "d/test.csv", "d/train.csv"];
    let check = |card: &str, config: Option<&str>, expected: &[(&str, &str)]| {
        assert_eq!(splits(&names, Some(card), config).unwrap(), of(expected), "{config:?}");
    };
    check(card, Some("a"), &[("train", "a.csv")]);
    check(card, Some("b"), &[("train", "d/train.csv"), ("test", "d/test.csv")]);
    let wrong = splits(&names, Some(card), None).unwrap_err();
    assert_eq!(wrong, "org/name: it has the configurations `a`, `b`: name one, as `dataset_name`");
    check(
        &card.replace("data_dir: d", "data_dir: d\n  default: true"),
        None,
        &[("train", "d/train.csv"), ("test", "d/test.csv")],
    );
    check(&card.replace("name: a", "name: default"), None, &[("train", "a.csv")]);
    let wrong = splits(&names, Some(card), Some("bb")).unwrap_err();
    assert_eq!(wrong, "org/name: there is no configuration `bb`, only `a`, `b`; the nearest is `b`");
    // without a card, a folder is one
    assert_eq!(splits(&names, None, Some("d")).unwrap(), of(&[("train", "d/train.csv"), ("test", "d/test.csv")]));
    let wrong = splits(&names, None, Some("e")).unwrap_err();
    assert!(wrong.contains("there is no configuration `e`: its card is not there, and there is no folder"), "{wrong}");
}

#[test]
fn what_makes_no_data_set_is_refused_by_name() {
    let check = |names: &[&str], card: Option<&str>, expected: &str| {
        let found = splits(names, card, None).unwrap_err();
        assert!(found.contains(expected), "{found}");
    };
    check(&["name.py", "train.csv"], None, "`name.py` makes this data set, a program in Python, which is not run");
    check(&["name.py"], None, "`lmscope pull hf://datasets/org/name@refs/convert/parquet`");
    check(
        &["a.arrow", "b/c.tar.gz"],
        None,
        "which end in .parquet, .jsonl, .json, .csv or .txt; there are .arrow, .tar.gz",
    );
    check(&[CARD], None, "there are no files that are read here");
    check(&["a.csv"], Some(&card("b.csv")), "the file `b.csv` of the split `train` is not there");
    check(&["a.csv"], Some(&card("b*.csv")), "there are no files of `main` that are read here");
    check(&["a.csv"], Some(&card("https://x/y.csv")), "is an address, a file of the repository is expected");
    check(&["a.csv"], Some(&card("'[z-a]*'")), "is no pattern of files");
    check(&["a.csv"], Some(&card("3")), "README.md:4: `data_files` is no file");
    check(&["a.csv"], Some(&card("../../a.csv")), "the file `../../a.csv` of the split `train` is not there");
}

#[test]
fn only_the_files_of_the_data_set_are_needed() {
    let name = DatasetName::new("org/name", None).unwrap();
    let card = "---\nconfigs:\n- config_name: a\n  data_files: a/*\n- config_name: b\n  data_files: b/*\n---\n";
    let there = files(&["a/x.csv", "b/y.csv", "c/z.csv", "b/picture.png", CARD]);
    assert_eq!(needed(&name, Some(card), &there, None).unwrap(), ["a/x.csv", "b/y.csv"]);
    assert_eq!(needed(&name, Some(card), &there, Some("b")).unwrap(), ["b/y.csv"]);
    let error = needed(&name, Some(card), &there, Some("d")).unwrap_err().to_string();
    assert!(error.starts_with("use the data set `org/name`:\n  org/name: there is no configuration `d`"), "{error}");
}

#[test]
fn a_shard_that_is_not_there_is_noticed() {
    let lacks = |names: &[&str]| lacking(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(lacks(&["a-00000-of-00002-x.parquet", "a-00001-of-00002-y.parquet", "b.csv"]), None);
    assert_eq!(lacks(&["a-00000-of-00003.csv", "a-00002-of-00003.csv"]).as_deref(), Some("a-00001-of-00003"));
    assert_eq!(lacks(&["a-1-of-2.csv", "a-of-99999é", "-of-"]), None);
}
