//! What the attention and the lens view are shown, against runs of the model that know nothing of them.

use std::sync::Arc;

use lmscope::engine::{
    Engine, EngineError, Event, InputMethod, Inputs, Inspection, Loaded, Named, Outcome, Panel, PartKind, Request, open,
};
use lmscope::figure::{Cell, Content, Figure, Heatmap};
use lmscope::hook::{HookPoint, Site};
use lmscope::intervene::{Interventions, Runs, Spec};
use lmscope::lens::Ask;
use lmscope::model::sample::{argmax, log_softmax};
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, CausalLm as _, LoadOptions, Loading, NoTap};
use lmscope::probe::input::ordinary;
use lmscope::probe::patching::{self, CellAt, Direction, Grid, Measure, Metric, PatchSite};
use lmscope::text::{BosPolicy, Prompt};
use lmscope::trace::{Trace, TracePlan};

use crate::support::{project, values};

const TEXT: &str = "The cat sat on a";

fn loaded(source: &ModelSource) -> Loaded {
    open(source, &Loading::unwatched(LoadOptions::default())).unwrap()
}

/// The embedded model, and one whose heads share keys and values.
fn models() -> [ModelSource; 2] {
    [ModelSource::default(), ModelSource::Directory(project("fixtures/models/tiny-llama"))]
}

fn ids(loaded: &Loaded) -> Vec<u32> {
    Prompt::new(&loaded.tokenizer, TEXT, BosPolicy::Model).unwrap().ids
}

fn inspect(source: &ModelSource, specs: &[&str], panels: Vec<Panel>) -> Arc<Inspection> {
    let loaded = loaded(source);
    let ids = ids(&loaded);
    let interventions = specs.iter().map(ToString::to_string).collect();
    let request = Request::Inspect { ids, ask: Ask::default(), interventions, panels };
    match Engine::with(loaded).run(request, &CancelToken::default(), &mut |_| ()) {
        Ok(Outcome::Inspected(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn map(figure: Option<&Arc<Figure>>) -> &Heatmap {
    match &figure.unwrap().content {
        Content::Heatmap(map) => map,
        other => panic!("{other:?}"),
    }
}

/// A run with these interventions, which keeps a site of every block.
fn trace(loaded: &Loaded, ids: &[u32], specs: &[String], site: Site) -> Trace {
    let runs = Runs { ids: Some(ids), ..Runs::default() };
    let cancel = CancelToken::default();
    let done = Interventions::prepare(&Spec::parse_all(specs).unwrap(), &loaded.decoder, runs, &cancel).unwrap();
    Trace::record(&loaded.decoder, ids, &TracePlan::sites(&loaded.info.config, &[site]), &mut done.tap(0)).unwrap()
}

#[test]
fn what_is_written_of_a_token_is_what_the_head_puts_out_when_it_sees_nothing_else() {
    for source in models() {
        let (layer, head) = (1, 2);
        let found = inspect(&source, &[], vec![Panel::AttentionHead { layer, head }]);
        let (weights, written) = (map(found.attention.as_ref()), map(found.written.as_ref()));
        let loaded = loaded(&source);
        let ids = ids(&loaded);
        let patterns = trace(&loaded, &ids, &[], Site::Pattern);
        let pattern = patterns.get(HookPoint::block(layer, Site::Pattern)).unwrap().get(head).unwrap();
        assert_eq!(weights.values(), values(&pattern));
        let query = ids.len() - 1;
        for key in 0..=query {
            let others = [(0, key), (key + 1, query + 1)].into_iter().filter(|(from, to)| from < to);
            let specs: Vec<String> =
                others.map(|(from, to)| format!("zero-attention:L{layer}H{head}:{query}->{from}-{}", to - 1)).collect();
            let alone = trace(&loaded, &ids, &specs, Site::Result);
            let result = alone.get(HookPoint::block(layer, Site::Result)).unwrap().get(query).unwrap();
            let norm = values(&result.get(head).unwrap()).iter().map(|x| x * x).sum::<f32>().sqrt();
            let told = written.value(query, key).unwrap();
            assert!((told - norm).abs() <= 1e-5 * norm.max(1.0), "{source:?} {query}->{key}: {told} {norm}");
        }
    }
}

#[test]
fn thumbnails_hold_the_largest_weight_of_each_part_of_the_patterns() {
    for (source, side) in models().into_iter().flat_map(|source| [(source.clone(), 3), (source, 99)]) {
        let found = inspect(&source, &[], vec![Panel::HeadGrid { side }]);
        let grid = found.head_grid.as_ref().unwrap();
        let loaded = loaded(&source);
        let ids = ids(&loaded);
        let n = ids.len();
        assert_eq!((grid.side, grid.n_heads), (side.min(n), loaded.info.config.n_heads));
        let patterns = trace(&loaded, &ids, &[], Site::Pattern);
        for layer in 0..grid.n_layers {
            let heads = patterns.get(HookPoint::block(layer, Site::Pattern)).unwrap().to_vec3::<f32>().unwrap();
            for (head, pattern) in heads.iter().enumerate() {
                for (at, cell) in grid.head(layer, head).iter().enumerate() {
                    let (row, column) = (at / grid.side, at % grid.side);
                    let is_in = |q: usize, k: usize| (q * grid.side / n, k * grid.side / n) == (row, column) && k <= q;
                    let all = (0..n).flat_map(|q| (0..n).map(move |k| (q, k)));
                    let most = all.filter(|&(q, k)| is_in(q, k)).map(|(q, k)| pattern[q][k]).fold(0.0, f32::max);
                    assert_eq!(cell.to_bits(), most.to_bits(), "{source:?} L{layer}H{head} {row},{column}");
                }
            }
        }
    }
}

#[test]
fn an_intervention_shows_the_attention_of_the_model_as_it_is_beside_its_own() {
    let source = ModelSource::default();
    let panels = vec![Panel::AttentionHead { layer: 2, head: 1 }, Panel::HeadGrid { side: 4 }];
    let plain = inspect(&source, &[], panels.clone());
    assert!(plain.base.attention.is_none() && plain.base.written.is_none());
    let changed = inspect(&source, &["zero:L0.attn"], panels);
    assert_eq!(map(changed.base.attention.as_ref()), map(plain.attention.as_ref()));
    assert_eq!(map(changed.base.written.as_ref()), map(plain.written.as_ref()));
    assert_ne!(map(changed.attention.as_ref()), map(plain.attention.as_ref()));
    assert_ne!(changed.head_grid, plain.head_grid);
    // what is put into a head came from no token, at the positions where it is put
    let edited = inspect(&source, &["scale:L2H1@3*2"], vec![Panel::AttentionHead { layer: 2, head: 1 }]);
    let (written, base) = (map(edited.written.as_ref()), map(edited.base.written.as_ref()));
    for query in 0..written.rows().labels.len() {
        let row = |map: &Heatmap| (0..=query).map(|key| map.value(query, key).unwrap()).collect::<Vec<_>>();
        let expected = if query == 3 { vec![0.0; 4] } else { row(base) };
        assert_eq!(row(written), expected, "query {query}");
    }
    let loaded = loaded(&source);
    let ids = ids(&loaded);
    let naive = trace(&loaded, &ids, &["zero:L0.attn".into()], Site::Pattern);
    let pattern = naive.get(HookPoint::block(2, Site::Pattern)).unwrap().get(1).unwrap();
    assert_eq!(map(changed.attention.as_ref()).values(), values(&pattern));
}

#[test]
fn a_tap_that_makes_thumbnails_changes_no_bit() {
    let loaded = loaded(&ModelSource::default());
    let ids = ids(&loaded);
    let mut small = Some(lmscope::lens::attention::Thumbnails::new(&loaded.info.config, ids.len(), 4));
    let plan = TracePlan::default();
    let watched = Trace::record(&loaded.decoder, &ids, &plan, &mut small).unwrap();
    let plain = Trace::record(&loaded.decoder, &ids, &plan, &mut NoTap).unwrap();
    assert_eq!(values(&watched.logits), values(&plain.logits));
}

/// A row of the trajectory: the layer's name and the numbers of these columns.
fn numbers(figure: Option<&Arc<Figure>>, name: &str) -> Vec<f64> {
    let Content::Table(table) = &figure.unwrap().content else { panic!("{figure:?}") };
    let at = table.columns().iter().position(|column| column.name == name).unwrap_or_else(|| panic!("{name}"));
    let number = |row: &Vec<Cell>| match &row[at] {
        Cell::Number { value, .. } => *value,
        other => panic!("{other:?}"),
    };
    table.rows().iter().map(number).collect()
}

#[test]
fn followed_tokens_entropy_and_divergence_are_those_of_each_layers_own_logits() {
    let source = ModelSource::default();
    let loaded = loaded(&source);
    let ids = ids(&loaded);
    let watched = loaded.tokenizer.id_of(" dog").unwrap();
    let panel = Panel::LogitLens { watch: vec![watched] };
    let found = inspect(&source, &[], vec![panel]);
    assert_eq!(found.watched, [watched]);
    let position = ids.len() - 1;
    let streams = trace(&loaded, &ids, &[], Site::ResidPost);
    let last = log_softmax(&streams.logits_at(position).unwrap());
    let columns =
        [format!("logprob {}", loaded.tokenizer.visible(watched)), "entropy_bits".to_owned(), "kl".to_owned()]
            .map(|name| numbers(found.trajectory.as_ref(), &name));
    let width = ids.len();
    for layer in 0..loaded.info.config.n_layers {
        let stream = streams.get(HookPoint::block(layer, Site::ResidPost)).unwrap();
        let logits = loaded.decoder.unembed(&stream.get(position).unwrap().unsqueeze(0).unwrap()).unwrap();
        let logits = values(&logits);
        let here = log_softmax(&logits);
        let entropy: f64 = here.iter().map(|p| -p.exp() * p).sum::<f64>() / std::f64::consts::LN_2;
        let kl: f64 = last.iter().zip(&here).map(|(p, q)| p.exp() * (p - q)).sum();
        // the first stage is the stream before any block
        for (column, expected) in columns.iter().zip([here[watched as usize], entropy, kl]) {
            assert!((column[layer + 1] - expected).abs() < 1e-3, "layer {layer}: {} {expected}", column[layer + 1]);
        }
        let top = found.lens_tops[(layer + 1) * width + position];
        assert_eq!(top as usize, argmax(&logits) as usize, "layer {layer}");
    }
}

#[test]
fn the_lens_of_the_model_as_it_is_stands_beside_that_with_interventions() {
    let source = ModelSource::default();
    let panels = vec![Panel::LogitLens { watch: Vec::new() }];
    let plain = inspect(&source, &[], panels.clone());
    assert!(plain.base.logit_lens.is_none() && plain.base.trajectory.is_none());
    let changed = inspect(&source, &["zero:L1.mlp"], panels);
    assert_eq!(map(changed.base.logit_lens.as_ref()), map(plain.logit_lens.as_ref()));
    assert_ne!(map(changed.logit_lens.as_ref()), map(plain.logit_lens.as_ref()));
    let [base, before] = [&changed.base.trajectory, &plain.trajectory].map(|path| numbers(path.as_ref(), "kl"));
    assert_eq!(base, before);
}

fn inputs(source: &ModelSource, method: InputMethod) -> Arc<Inputs> {
    let loaded = loaded(source);
    let request = Request::Inputs { ids: ids(&loaded), ask: Ask::default(), method };
    match Engine::with(loaded).run(request, &CancelToken::default(), &mut |_| ()) {
        Ok(Outcome::Inputs(found)) => found,
        other => panic!("{other:?}"),
    }
}

/// Logit A - logit B at the end of a run with these interventions.
fn logit(loaded: &Loaded, ids: &[u32], found: &Inputs, specs: &[String]) -> f64 {
    let logits = trace(loaded, ids, specs, Site::ResidPost).logits_at(ids.len() - 1).unwrap();
    let of = |named: &Named| f64::from(logits[named.id as usize]);
    of(&found.token) - of(found.versus.as_ref().unwrap())
}

#[test]
fn gradient_times_input_is_the_slope_along_each_embedding() {
    for source in models() {
        let loaded = loaded(&source);
        let ids = ids(&loaded);
        let found = inputs(&source, InputMethod::GradientXInput);
        assert_eq!(found.parts.len(), ids.len());
        assert!((found.logit - logit(&loaded, &ids, &found, &[])).abs() < 1e-4);
        // the prompt is coloured by the same numbers
        let request = Request::Attribution { ids: ids.clone(), ask: Ask::default() };
        match Engine::with(self::loaded(&source)).run(request, &CancelToken::default(), &mut |_| ()) {
            Ok(Outcome::Attribution(scores)) => {
                assert_eq!(scores, found.parts.iter().map(|part| part.share.now).collect::<Vec<_>>());
            }
            other => panic!("{other:?}"),
        }
        for (position, part) in found.parts.iter().enumerate() {
            assert_eq!(part.kind, PartKind::Input(position));
            // rotary positions: the stream before block 0 is the embedding
            let at = |factor: &str| logit(&loaded, &ids, &found, &[format!("scale:L0@{position}*{factor}")]);
            let slope = (at("1.01") - at("0.99")) / 0.02;
            let tolerance = 0.02 * slope.abs().max(0.1);
            assert!((part.share.now - slope).abs() < tolerance, "{source:?} {position}: {} {slope}", part.share.now);
        }
    }
}

#[test]
fn a_token_left_out_is_a_token_that_no_later_one_attends_to() {
    let source = ModelSource::default();
    let loaded = loaded(&source);
    let ids = ids(&loaded);
    let found = inputs(&source, InputMethod::LeaveOneOut);
    assert_eq!(found.parts.len(), ids.len() - 1, "the token asked after reads itself");
    let why = inspect(&source, &[], vec![Panel::Why]).why.clone().unwrap();
    for part in &found.parts {
        let spec = why.without(part.kind).unwrap();
        let without = logit(&loaded, &ids, &found, std::slice::from_ref(&spec));
        let lost = found.logit - without;
        assert!((part.share.now - lost).abs() < 1e-4, "{spec}: {} {lost}", part.share.now);
    }
    assert_eq!(why.without(PartKind::Input(ids.len() - 1)), None);
}

#[test]
fn integrated_gradients_add_up_to_what_lies_between_two_texts() {
    let source = ModelSource::default();
    let loaded = loaded(&source);
    let ids = ids(&loaded);
    let found = inputs(&source, InputMethod::IntegratedGradients);
    let other = ordinary(&loaded.tokenizer, &ids, loaded.tokenizer.bos()).unwrap();
    let between = found.logit - logit(&loaded, &other, &found, &[]);
    assert!((found.promised.unwrap() - between).abs() < 1e-3, "{:?} {between}", found.promised);
    assert!(found.remainder().unwrap().abs() < 0.05 * between.abs(), "{:?} of {between}", found.remainder());
    let parts: f64 = found.parts.iter().map(|part| part.share.now).sum();
    assert!((parts + found.remainder().unwrap() - between).abs() < 1e-3);
}

#[test]
fn leaving_tokens_out_tells_how_far_it_is_and_stops_when_it_is_told_to() {
    let loaded = loaded(&ModelSource::default());
    let text = "The cat sat on a mat. ".repeat(9);
    let ids = Prompt::new(&loaded.tokenizer, &text, BosPolicy::Model).unwrap().ids;
    assert!(ids.len() > 48, "several batches");
    let request = Request::Inputs { ids, ask: Ask::default(), method: InputMethod::LeaveOneOut };
    let mut engine = Engine::with(loaded);
    let cancel = CancelToken::default();
    let mut told = Vec::new();
    let stopped = engine.run(request.clone(), &cancel.clone(), &mut |event| {
        if let Event::Progress(progress) = event {
            told.push(progress.done);
            cancel.cancel();
        }
    });
    assert!(matches!(stopped, Err(EngineError::Cancelled)), "{stopped:?}");
    assert_eq!(told, [16]);
    let mut all = Vec::new();
    let done = engine.run(request, &CancelToken::default(), &mut |event| {
        if let Event::Progress(progress) = event {
            all.push((progress.done, progress.total));
        }
    });
    assert!(done.is_ok());
    let (done, total) = all.last().copied().unwrap();
    assert_eq!(done, total, "{all:?}");
}

#[test]
fn a_cell_of_a_noising_grid_is_the_model_with_that_patch() {
    let loaded = loaded(&ModelSource::default());
    let (clean, corrupted) = (ids(&loaded), "The duck sat on a");
    let other = Prompt::new(&loaded.tokenizer, corrupted, BosPolicy::Model).unwrap().ids;
    let measure = Measure { direction: Direction::Noise, metric: Metric::LogitDiff, ask: Ask::default() };
    let cancel = CancelToken::default();
    for (site, place, at) in [
        (PatchSite::ResidPre, "L2@2", (2, None, Some(2))),
        (PatchSite::MlpOut, "L1.mlp@5", (1, None, Some(5))),
        (PatchSite::Z, "L3H2@5", (3, Some(2), Some(5))),
        (PatchSite::Head, "L3H2", (3, Some(2), None)),
    ] {
        let request = patching::Request { site, measure };
        let grid = Grid::of_ids(&loaded.decoder, [&clean, &other], request, &cancel).unwrap();
        let cells = grid.fill(&cancel, &mut |_| ()).unwrap();
        let at = CellAt { layer: at.0, head: at.1, position: at.2 };
        let cell = cells.iter().find(|cell| cell.at == at).unwrap();
        let spec = format!("patch:{place}<{corrupted}");
        let why = inspect(&ModelSource::default(), &[&spec], vec![Panel::Why]).why.clone().unwrap();
        assert!((why.logit.now - cell.value).abs() < 1e-3, "{spec}: {} {}", why.logit.now, cell.value);
        assert!((why.logit.base.unwrap() - grid.plain()[0]).abs() < 1e-3);
        // a grid that is gone on with tells only what was not known
        let (known, rest) = cells.split_at(cells.len() / 3);
        let mut told = 0;
        let resumed = grid.fill_rest(known.to_vec(), &cancel, &mut |_| told += 1).unwrap();
        assert_eq!(told, rest.len());
        assert_eq!(
            resumed.iter().map(|cell| cell.at).collect::<Vec<_>>(),
            cells.iter().map(|cell| cell.at).collect::<Vec<_>>()
        );
        assert!(resumed.iter().zip(&cells).all(|(a, b)| (a.value - b.value).abs() < 1e-4));
    }
}

#[test]
fn tokens_are_generated_as_whole_runs_would_choose_them_with_and_without_interventions() {
    for specs in [&[][..], &["scale:L1.mlp*1.5"]] {
        let loaded = loaded(&ModelSource::default());
        let start = ids(&loaded);
        let specs: Vec<String> = specs.iter().map(ToString::to_string).collect();
        let mut expected = start.clone();
        for _ in 0..4 {
            let run = trace(&loaded, &expected, &specs, Site::ResidPost);
            expected.push(argmax(&run.logits_at(expected.len() - 1).unwrap()));
            if expected.last().copied() == loaded.tokenizer.eos() {
                break;
            }
        }
        let sampling = lmscope::model::sample::Sampling::default();
        let request = Request::Generate { ids: start.clone(), n_tokens: 4, sampling, interventions: specs };
        match Engine::with(loaded).run(request, &CancelToken::default(), &mut |_| ()) {
            Ok(Outcome::Generated { ids }) => assert_eq!(ids, expected[start.len()..]),
            other => panic!("{other:?}"),
        }
    }
}
