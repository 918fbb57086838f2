use proptest::prelude::*;

use super::*;

fn saved() -> Saved {
    Saved {
        model: ModelRef {
            source: "slide".into(),
            fingerprint: "abc".into(),
            arithmetic: Arithmetic::Exact,
            dtype: Dtype::F32,
        },
        bos: BosPolicy::Model,
        view: "tree".into(),
        at: 1,
        position: 2,
        token: Some(SavedToken { id: 7, text: "␣c".into() }),
        versus: None,
        head: Head { layer: 1, head: 2 },
        sampling: Sampling { temperature: 0.8, seed: 3, ..Sampling::default() },
        interventions: vec![SavedIntervention { spec: "zero:L3H2".into(), is_on: false }],
        nodes: vec![
            SavedNode {
                ids: vec![0, 1],
                text: vec!["<s>".into(), "a".into()],
                logprobs: vec![None, Some(-0.5)],
                n_added: 1,
                bos: "added".into(),
                ..SavedNode::default()
            },
            SavedNode {
                parent: Some(0),
                ids: vec![2],
                text: vec!["␣b".into()],
                logprobs: vec![None],
                label: Some("try".into()),
                ..SavedNode::default()
            },
        ],
        panels: Vec::new(),
        focus: 0,
    }
}

/// Panels, each next to one before it.
fn panels() -> impl Strategy<Value = Vec<SavedPanel>> {
    let panel = |number: usize| {
        let place = match number {
            0 => Just(SavedPlace::First).boxed(),
            _ => prop_oneof![(0..number).prop_map(SavedPlace::Beside), (0..number).prop_map(SavedPlace::Below)].boxed(),
        };
        (any::<String>(), 0usize..40, place).prop_map(|(view, layer, place)| SavedPanel {
            view,
            head: Head { layer, head: 1 },
            place,
        })
    };
    prop_oneof![Just(0), 2..=MOST_PANELS].prop_flat_map(move |n| (0..n).map(panel).collect::<Vec<_>>())
}

fn node(at: usize) -> impl Strategy<Value = SavedNode> {
    let parent = if at == 0 { Just(None).boxed() } else { prop::option::of(0..at).boxed() };
    let token = (any::<u32>(), any::<String>(), prop::option::of(-50.0f64..0.0));
    (parent, prop::collection::vec(token, 1..4), prop::option::of(any::<String>()), any::<bool>(), 0usize..3, ".*")
        .prop_map(|(parent, tokens, label, is_pruned, n_added, bos)| {
            let is_root = parent.is_none();
            SavedNode {
                parent,
                ids: tokens.iter().map(|token| token.0).collect(),
                text: tokens.iter().map(|token| token.1.clone()).collect(),
                logprobs: tokens.iter().map(|token| token.2).collect(),
                label,
                is_pruned,
                n_added: if is_root { n_added } else { 0 },
                bos: if is_root { bos } else { String::new() },
            }
        })
}

fn any_saved() -> impl Strategy<Value = Saved> {
    let nodes = (1usize..6).prop_flat_map(|n| (0..n).map(node).collect::<Vec<_>>());
    let rest = (any::<String>(), prop::option::of(any::<u32>()), 0u64..(i64::MAX as u64), 0.0f64..3.0);
    let specs = prop::collection::vec((any::<String>(), any::<bool>()), 0..3);
    (nodes, rest, specs, panels()).prop_map(|(nodes, rest, specs, panels)| Saved {
        focus: panels.len().saturating_sub(1),
        panels,
        at: nodes.len() - 1,
        position: 0,
        view: rest.0,
        token: rest.1.map(|id| SavedToken { id, text: "t".into() }),
        sampling: Sampling { temperature: rest.3, seed: rest.2, ..Sampling::default() },
        interventions: specs.into_iter().map(|(spec, is_on)| SavedIntervention { spec, is_on }).collect(),
        nodes,
        ..saved()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(saved in any_saved()) {
        let text = saved.text().unwrap();
        prop_assert_eq!(Saved::parse(&text).unwrap(), saved);
    }

    #[test]
    fn no_text_breaks_the_reader(cut in 0usize..900, with in "[\\[\\]=\"a0-9\n.]{0,6}") {
        let text = saved().text().unwrap();
        let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let broken = format!("{}{with}{}", &text[..cut], &text[cut..]);
        if let Err(SessionError::Problems { problems }) = Saved::parse(&broken) {
            prop_assert!(!problems.is_empty() && problems.iter().all(|problem| problem.line >= 1));
        }
    }
}

#[test]
fn every_mistake_is_told_with_its_line() {
    let text = saved().text().unwrap();
    let broken = text.replace("position = 2", "position = -2\nmood = 1").replace("on = false", "on = 3");
    let broken = broken.replace("parent = 0", "parent = 9").replace("temperature=0.8", "temp=0.8");
    let Err(SessionError::Problems { problems }) = Saved::parse(&broken) else { panic!("{broken}") };
    let line = |what: &str| 1 + broken.lines().position(|line| line.contains(what)).unwrap();
    let expected = [
        (line("position = -2"), "position is -2"),
        (line("mood"), "`mood` is unknown"),
        (line("temp=0.8"), "`temp` is no setting"),
        (line("on = 3"), "on is 3, expected true or false"),
        (line("parent = 9"), "node 1 follows node 9"),
    ];
    for (line, what) in expected {
        assert!(
            problems.iter().any(|problem| problem.line == line && problem.what.contains(what)),
            "{what}: {problems:?}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
}

#[test]
fn panels_without_a_place_are_told_with_their_lines() {
    let panel = |rest: &str| format!("\n[[panel]]\nview = \"why\"\nhead = \"L0H0\"\n{rest}");
    let with = |focus: &str, panels: &[&str]| {
        let text = saved().text().unwrap().replace("seed = 3\n", &format!("seed = 3\n{focus}\n"));
        text + &panels.iter().map(|rest| panel(rest)).collect::<String>()
    };
    let read = Saved::parse(&with("focus = 1", &["", "below = 0"])).unwrap();
    assert_eq!((read.focus, read.panels[1].place), (1, SavedPlace::Below(0)));
    let cases: [(&str, &[&str], &str); 6] = [
        ("", &["", "beside = 1"], "panel 1 has no place, expected beside or below a panel before it"),
        ("", &["", ""], "panel 1 has no place"),
        ("", &["", "beside = 0\nbelow = 0"], "panel 1 has no place"),
        ("", &["below = 0"], "panel 0 has no place, expected neither"),
        ("focus = 2", &["", "below = 0"], "focus is 2, the last panel is 1"),
        ("", &["", "beside = 0", "beside = 0", "beside = 0", "beside = 0"], "there are 5 panels, 4 at most"),
    ];
    for (focus, panels, expected) in cases {
        let Err(error) = Saved::parse(&with(focus, panels)) else { panic!("{expected}") };
        assert!(error.to_string().contains(expected) && error.to_string().contains("line "), "{error}");
    }
}

#[test]
fn a_text_that_is_no_toml_and_another_format_are_told() {
    let Err(error) = Saved::parse("format = \nview = [") else { panic!() };
    assert!(error.to_string().contains("line 1") && error.to_string().contains("line 2"), "{error}");
    let other = saved().text().unwrap().replace("format = 1", "format = 2");
    let Err(error) = Saved::parse(&other) else { panic!() };
    assert!(error.to_string().contains("this lmscope reads format 1"), "{error}");
}

#[test]
fn another_model_is_an_error_with_a_hint() {
    saved().check_model("abc").unwrap();
    let error = saved().check_model("xyz").unwrap_err();
    assert!(error.hint().is_some_and(|hint| hint.contains("-m slide")), "{error}");
}

#[test]
fn a_file_is_written_whole_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.lmscope");
    saved().save(&file).unwrap();
    assert_eq!(Saved::load(&file).unwrap(), saved());
    assert_eq!(saved().ids(1), [0, 1, 2]);
    assert!(matches!(saved().save(&folder.path().join("no/a")), Err(SessionError::Write { .. })));
    assert!(matches!(Saved::load(&folder.path().join("no")), Err(SessionError::Read { .. })));
}
