//! What the terminal UI asks of the engine about one question, on the embedded model.

use std::sync::Arc;

use lmscope::engine::{Engine, EngineError, Inspection, Outcome, Panel, Part, PartKind, Request, Tokens, Why, open};
use lmscope::lens::Ask;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, LoadOptions, Loading};
use lmscope::text::BosPolicy;

fn engine() -> Engine {
    Engine::with(open(&ModelSource::default(), &Loading::unwatched(LoadOptions::default())).unwrap())
}

fn run(engine: &mut Engine, request: Request) -> Result<Outcome, EngineError> {
    engine.run(request, &CancelToken::default(), &mut |_| ())
}

fn tokens(engine: &mut Engine) -> Tokens {
    let text = "The cat sat on a".into();
    match run(engine, Request::Tokenise { text, bos: BosPolicy::Model }) {
        Ok(Outcome::Tokens(tokens)) => tokens,
        other => panic!("{other:?}"),
    }
}

fn inspect(engine: &mut Engine, specs: &[&str]) -> Result<Arc<Inspection>, EngineError> {
    let ids = tokens(engine).ids;
    let interventions = specs.iter().map(ToString::to_string).collect();
    let panels = vec![Panel::Distributions { top: 5 }, Panel::Why];
    match run(engine, Request::Inspect { ids, ask: Ask::default(), interventions, panels })? {
        Outcome::Inspected(found) => Ok(found),
        other => panic!("{other:?}"),
    }
}

fn sum(parts: &[Part], value: impl Fn(&Part) -> f64) -> f64 {
    parts.iter().map(value).sum()
}

fn named<'a>(parts: &'a [Part], name: &str) -> &'a Part {
    parts.iter().find(|part| part.name == name).unwrap()
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-3
}

#[test]
fn the_parts_of_every_level_add_up() {
    let found = inspect(&mut engine(), &[]).unwrap();
    let why: &Why = found.why.as_ref().unwrap();
    assert!(why.base.is_none() && why.logit.base.is_none());
    assert!(is_near(sum(&why.components, |part| part.share.now), why.logit.now));
    let of_layer_3: Vec<Part> = why.heads.iter().filter(|part| part.name.starts_with("L3")).cloned().collect();
    assert!(is_near(sum(&of_layer_3, |part| part.share.now), named(&why.components, "L3.attn").share.now));
    assert!(is_near(sum(&why.sources, |part| part.share.now), sum(&why.heads, |part| part.share.now)));
    for head in &why.heads {
        let PartKind::Head(head_of) = head.kind else { panic!("{head:?}") };
        let of = |part: &&Part| matches!(part.kind, PartKind::Source { head: Some(of), .. } if of == head_of);
        let carried: f64 = why.head_sources.iter().filter(of).map(|part| part.share.now).sum();
        assert!(is_near(carried, head.share.now), "{}", head.name);
    }
}

#[test]
fn what_is_taken_out_adds_nothing_and_the_base_stays_beside_it() {
    let mut engine = engine();
    let before = inspect(&mut engine, &[]).unwrap();
    let before_why = before.why.as_ref().unwrap();
    let after = inspect(&mut engine, &["zero:L3H2"]).unwrap();
    let why = after.why.as_ref().unwrap();
    let head = named(&why.heads, "L3H2");
    assert!(head.share.now.abs() < 1e-9, "{head:?}");
    for (now, before) in why.heads.iter().zip(&before_why.heads) {
        assert_eq!(now.share.base, Some(before.share.now), "{}", now.name);
    }
    assert!(is_near(sum(&why.sources, |part| part.share.now), sum(&why.heads, |part| part.share.now)));
    assert_eq!(why.base, Some(before_why.says.clone()));
    assert!(why.says.prob < before_why.says.prob);
    let last = |found: &Inspection| found.distributions.as_ref().unwrap().last().unwrap().top[0].clone();
    assert_eq!(last(&after).base, Some(last(&before).prob));
    assert_eq!(last(&before).base, None);
}

#[test]
fn what_takes_a_part_out_is_an_intervention() {
    let mut engine = engine();
    let found = inspect(&mut engine, &[]).unwrap();
    let why = found.why.as_ref().unwrap();
    let lists = [&why.components, &why.heads, &why.neurons, &why.sources, &why.head_sources];
    for part in lists.into_iter().filter_map(|parts| parts.first()) {
        if let Some(spec) = why.without(part.kind) {
            assert!(inspect(&mut engine, &[&spec]).is_ok(), "{spec}");
        }
    }
}

#[test]
fn what_cannot_be_done_is_told_by_its_spec() {
    let mut engine = engine();
    for wrong in ["zero:L99", "zer:L1", "patch:L1"] {
        let error = inspect(&mut engine, &[wrong]).unwrap_err();
        assert!(matches!(&error, EngineError::Intervene(_)) && error.to_string().contains(wrong), "{error}");
    }
}

#[test]
fn heads_are_measured_without_a_store() {
    let mut engine = engine();
    let (n_layers, n_heads) = engine.loaded().map(|it| (it.info.config.n_layers, it.info.config.n_heads)).unwrap();
    match run(&mut engine, Request::Heads) {
        Ok(Outcome::Heads(atlas)) => assert!(atlas.fits(n_layers, n_heads)),
        other => panic!("{other:?}"),
    }
}
