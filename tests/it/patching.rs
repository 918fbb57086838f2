//! Patching grids against full runs, one a cell.

use candle_core::Tensor;
use lmscope::hook::{HookPoint, Site};
use lmscope::lens::{Ask, Target, Versus};
use lmscope::model::decoder::Decoder;
use lmscope::model::{CancelToken, CausalLm, Dtype, NoTap, Result, Tap, ids_tensor, last_logits};
use lmscope::probe::patching::{
    Cell, CellAt, Direction, Grid, Measure, Metric, MetricOf, Origin, PatchError, PatchSite, Request,
};
use lmscope::probe::path;
use lmscope::trace::{Trace, TracePlan};

use crate::support::{golden_models, load, load_as, max_abs_diff, project, tiny_models, values};

/// They differ at positions 1 and 4.
const CLEAN: [u32; 6] = [3, 14, 15, 92, 65, 35];
const CORRUPTED: [u32; 6] = [3, 26, 15, 92, 31, 35];

/// Replaces a cell by another run's activation, number by number.
struct Naive<'a> {
    at: HookPoint,
    site: PatchSite,
    cell: CellAt,
    source: &'a Trace,
}

impl Tap for Naive<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        at == self.at
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let (new, mut old) = (values(&self.source.activations[&at]), values(&x));
        let dims = x.dims()[1..].to_vec();
        for index in 0..old.len() {
            let mut rest = index;
            let mut place = vec![0; dims.len()];
            for axis in (0..dims.len()).rev() {
                (place[axis], rest) = (rest % dims[axis], rest / dims[axis]);
            }
            let (head, position) = match self.site {
                PatchSite::Pattern => (Some(place[0]), place[1]),
                PatchSite::ResidPre | PatchSite::AttnOut | PatchSite::MlpOut => (None, place[0]),
                _ => (Some(place[1]), place[0]),
            };
            if head == self.cell.head && self.cell.position.is_none_or(|of| of == position) {
                old[index] = new[index];
            }
        }
        Ok(Tensor::from_vec(old, x.shape(), x.device())?)
    }
}

fn logits(lm: &Decoder, ids: &[u32], tap: &mut dyn Tap) -> Vec<f32> {
    last_logits(lm, ids, &mut lm.new_cache(), tap).unwrap()
}

/// The tokens whose logits the two prompts move furthest apart.
fn ask(lm: &Decoder) -> Ask {
    let (clean, corrupted) = (logits(lm, &CLEAN, &mut NoTap), logits(lm, &CORRUPTED, &mut NoTap));
    let change = |id: &u32| clean[*id as usize] - corrupted[*id as usize];
    let by_change = |a: &u32, b: &u32| change(a).total_cmp(&change(b));
    let ids = 0..u32::try_from(clean.len()).unwrap();
    let (token, rival) = (ids.clone().max_by(by_change).unwrap(), ids.min_by(by_change).unwrap());
    Ask { position: None, token: Some(token), versus: Versus::Token(rival) }
}

fn grid(lm: &Decoder, site: PatchSite, direction: Direction, metric: Metric) -> Grid<'_> {
    let request = Request { site, measure: Measure { direction, metric, ask: ask(lm) } };
    Grid::of_ids(lm, [&CLEAN, &CORRUPTED], request, &CancelToken::default()).unwrap()
}

/// Every cell of a grid, by a full run each.
fn check(lm: &Decoder, site: PatchSite, direction: Direction, metric: Metric, name: &str) {
    let grid = grid(lm, site, direction, metric);
    let cells = grid.fill(&CancelToken::default(), &mut |_| {}).unwrap();
    assert_eq!(cells.iter().map(|cell| cell.at).collect::<Vec<_>>(), grid.cells(), "{name}");
    let plan = TracePlan::sites(lm.config(), &[site.hook()]);
    let (base, source) = match direction {
        Direction::Denoise => (&CORRUPTED, &CLEAN),
        Direction::Noise => (&CLEAN, &CORRUPTED),
    };
    let source = Trace::record(lm, source, &plan, &mut NoTap).unwrap();
    let plain = [logits(lm, &CLEAN, &mut NoTap), logits(lm, &CORRUPTED, &mut NoTap)];
    let measure = MetricOf::new(metric, direction, grid.target(), [&plain[0], &plain[1]]);
    let mut moved = 0.0f64;
    for cell in cells {
        let at = HookPoint::block(cell.at.layer, site.hook());
        let mut naive = Naive { at, site, cell: cell.at, source: &source };
        let expected = measure.of(&logits(lm, base, &mut naive));
        assert!((cell.value - expected).abs() < 1e-4, "{name} {site} {:?}: {} {expected}", cell.at, cell.value);
        moved = moved.max((expected - measure.of(&logits(lm, base, &mut NoTap))).abs());
    }
    assert!(moved > 1e-4, "{name} {site}: patching moves something");
}

#[test]
fn a_grid_equals_full_runs_on_every_architecture() {
    for dir in tiny_models() {
        let lm = load(&dir).decoder;
        for site in [PatchSite::ResidPre, PatchSite::Z] {
            check(&lm, site, Direction::Denoise, Metric::LogitDiff, &dir.display().to_string());
        }
    }
}

#[test]
fn every_site_direction_and_metric_equals_full_runs() {
    let more = ["bloom-plain", "mistral-sliding", "olmo2-plain", "gptj-rotary-4", "qwen3_moe-fused"];
    let more = more.map(|name| project("fixtures/architectures").join(name));
    for dir in golden_models().into_iter().chain(more) {
        let lm = load(&dir).decoder;
        for (number, site) in PatchSite::ALL.into_iter().enumerate() {
            let metric = Metric::ALL[number % Metric::ALL.len()];
            for &direction in Direction::ALL {
                check(&lm, site, direction, metric, &dir.display().to_string());
            }
        }
    }
}

#[test]
fn a_forward_pass_resumes_at_any_layer_and_position() {
    for dir in tiny_models() {
        let lm = load(&dir).decoder;
        let plan = TracePlan::sites(lm.config(), &[Site::ResidPre]);
        let trace = Trace::record(&lm, &CLEAN, &plan, &mut NoTap).unwrap();
        let mut whole = lm.new_cache();
        lm.forward(&ids_tensor(&CLEAN).unwrap(), &mut whole, &mut NoTap).unwrap();
        for (layer, start) in [(0, 0), (0, 3), (1, 0), (1, 5)] {
            let mut cache = whole.clone();
            cache.truncate(start).unwrap();
            let resid = trace.get(HookPoint::block(layer, Site::ResidPre)).unwrap();
            let resid = resid.narrow(0, start, CLEAN.len() - start).unwrap().unsqueeze(0).unwrap();
            let batch = Tensor::cat(&[&resid, &resid], 0).unwrap();
            let hidden = lm.resume(layer, batch, &mut cache, &mut NoTap).unwrap();
            let found = lm.logits(&hidden).unwrap();
            let expected = trace.logits.narrow(0, start, CLEAN.len() - start).unwrap();
            for row in 0..2 {
                let apart = max_abs_diff(&found.get(row).unwrap(), &expected);
                assert!(apart < 1e-4, "{} {layer} {start}: {apart}", dir.display());
            }
        }
    }
}

#[test]
fn cells_come_from_the_last_position_first_and_can_be_cancelled() {
    let lm = load(&project("fixtures/models/tiny-llama")).decoder;
    let grid = grid(&lm, PatchSite::ResidPre, Direction::Denoise, Metric::Recovery);
    let mut order = Vec::new();
    let cells = grid.fill(&CancelToken::default(), &mut |filled| order.push(filled)).unwrap();
    assert_eq!(cells.len(), 12);
    assert!(order.iter().enumerate().all(|(index, filled)| (filled.done, filled.total) == (index + 1, 12)));
    let positions: Vec<usize> = order.iter().step_by(2).map(|filled| filled.cell.at.position.unwrap()).collect();
    assert_eq!(positions[0], 5, "the last position first");
    assert!(positions[1..3].contains(&1) && positions[1..3].contains(&4), "then those that differ: {positions:?}");
    assert_eq!(positions[5], 0, "what cannot change comes last: {positions:?}");
    let value = |layer, position| {
        let at = CellAt { layer, head: None, position: Some(position) };
        cells.iter().find(|cell| cell.at == at).unwrap().value
    };
    assert!(value(0, 0).abs() < 1e-6 && value(0, 2).abs() < 1e-6, "the same embedding changes nothing");

    let cancel = CancelToken::default();
    let mut seen = 0;
    let stopped = grid.fill(&cancel, &mut |_| {
        seen += 1;
        cancel.cancel();
    });
    assert!(stopped.unwrap_err().is_cancelled());
    assert_eq!(seen, 2, "the cells of the sweep that was running");
}

#[test]
fn prompts_that_cannot_be_compared_are_refused() {
    let lm = load(&project("fixtures/models/tiny-llama")).decoder;
    let measure = Measure { direction: Direction::Denoise, metric: Metric::Recovery, ask: ask(&lm) };
    let try_grid = |other: &[u32], ask: Ask| {
        let request = Request { site: PatchSite::ResidPre, measure: Measure { ask, ..measure } };
        Grid::of_ids(&lm, [&CLEAN, other], request, &CancelToken::default()).map(|_| ()).unwrap_err()
    };
    assert!(matches!(try_grid(&CLEAN, measure.ask), PatchError::Same { position: 5 }));
    let first = Ask { position: Some(0), ..measure.ask };
    assert!(matches!(try_grid(&CORRUPTED, first), PatchError::Same { position: 0 }));
    // two tokens that the prompts move alike
    let (clean, corrupted) = (logits(&lm, &CLEAN, &mut NoTap), logits(&lm, &CORRUPTED, &mut NoTap));
    let moved = |token, rival| {
        let target = Target { position: 5, token, versus: Some(rival) };
        (target.logit(&clean) - target.logit(&corrupted)).abs()
    };
    let rival = (1..200).find(|&rival| moved(0, rival) < 0.05).unwrap();
    let alike = Ask { position: None, token: Some(0), versus: Versus::Token(rival) };
    let error = try_grid(&CORRUPTED, alike).to_string();
    assert!(error.contains("hardly differ: logit-diff is") && error.contains("less than 0.1 apart"), "{error}");
}

/// Patching of `resid_pre` as `TransformerLens` does it: `fixtures/oracle/tl_numbers.py`.
#[test]
fn grids_are_those_of_transformer_lens() {
    let text = std::fs::read_to_string(project("fixtures/oracle/tl_numbers.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = |key: &str| -> Vec<u32> { serde_json::from_value(json[key].clone()).unwrap() };
    let token = |key: &str| u32::try_from(json[key].as_u64().unwrap()).unwrap();
    let (clean, corrupted) = (ids("ids"), ids("corrupt"));
    let ask = Ask { position: None, token: Some(token("a")), versus: Versus::Token(token("b")) };
    for (name, numbers) in json["models"].as_object().unwrap() {
        let lm = load(&project("fixtures/models").join(name)).decoder;
        let measure = Measure { direction: Direction::Denoise, metric: Metric::LogitDiff, ask };
        let request = Request { site: PatchSite::ResidPre, measure };
        let grid = Grid::of_ids(&lm, [&clean, &corrupted], request, &CancelToken::default()).unwrap();
        let theirs: Vec<Vec<f64>> = serde_json::from_value(numbers["patching"].clone()).unwrap();
        for cell in grid.fill(&CancelToken::default(), &mut |_| {}).unwrap() {
            let expected = theirs[cell.at.layer][cell.at.position.unwrap()];
            assert!((cell.value - expected).abs() < 1e-4, "{name} {:?}: {} {expected}", cell.at, cell.value);
        }
    }
}

#[test]
fn estimates_order_the_work_and_the_best_cells_are_run() {
    let lm = load(&project("fixtures/models/tiny-llama")).decoder;
    for (site, metric) in [
        (PatchSite::ResidPre, Metric::Recovery),
        (PatchSite::Head, Metric::LogitDiff),
        (PatchSite::V, Metric::Logprob),
        (PatchSite::MlpOut, Metric::LogitDiff),
    ] {
        for &direction in Direction::ALL {
            let grid = grid(&lm, site, direction, metric);
            let exact = grid.fill(&CancelToken::default(), &mut |_| {}).unwrap();
            let mut told = 0;
            let found = grid.fill_best(4, &CancelToken::default(), &mut |_| told += 1).unwrap();
            assert_eq!((found.len(), told), (exact.len(), exact.len()));
            let unchanged = exact.iter().filter(|cell| cell.at.position == Some(0)).count();
            let n_run = found.iter().filter(|cell| cell.origin == Origin::Run).count();
            assert_eq!(n_run, 4 + unchanged, "{site}");
            let base = exact.iter().find(|cell| cell.at.position == Some(0)).map_or(0.0, |cell| cell.value);
            for (found, exact) in found.iter().zip(&exact) {
                assert_eq!(found.at, exact.at);
                if found.origin == Origin::Run {
                    assert!((found.value - exact.value).abs() < 1e-5, "{site} {:?}", found.at);
                }
            }
            if site == PatchSite::MlpOut {
                // the last MLP at the last position is only a norm away from the logits: nearly linear
                let last = found.len() - 1;
                let change = |cells: &[Cell]| cells[last].value - base;
                assert!((change(&found) - change(&exact)).abs() <= 0.3 * change(&exact).abs().max(0.1), "{site}");
            }
        }
    }
    let pattern = grid(&lm, PatchSite::Pattern, Direction::Denoise, Metric::LogitDiff);
    let error = pattern.fill_best(1, &CancelToken::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, PatchError::NoEstimate { found: "pattern", .. }));
}

#[test]
fn grids_and_paths_are_filled_in_every_number_type() {
    let dir = project("fixtures/models/tiny-llama");
    let f32 = load(&dir).decoder;
    let fill = |lm: &Decoder, site, ask| {
        let measure = Measure { direction: Direction::Denoise, metric: Metric::LogitDiff, ask };
        let cancel = CancelToken::default();
        let prompts = [CLEAN.as_slice(), &CORRUPTED];
        let grid = Grid::of_ids(lm, prompts, Request { site, measure }, &cancel).unwrap();
        let cells = grid.fill(&cancel, &mut |_| {}).unwrap().into_iter().map(|cell| cell.value);
        let request = path::Request { receivers: "L1H0.q".parse().unwrap(), through: path::Through::Mlps, measure };
        let paths = path::Paths::of_ids(lm, prompts, request, &cancel).unwrap();
        let effects = paths.run(&cancel, &mut |_, _| {}).unwrap().into_iter().map(|effect| effect.value);
        cells.chain(effects).collect::<Vec<f64>>()
    };
    for (dtype, tolerance) in [(Dtype::F64, 1e-4), (Dtype::F16, 0.02), (Dtype::Bf16, 0.2)] {
        let lm = load_as(&dir, dtype).decoder;
        for site in PatchSite::ALL {
            let pairs = fill(&lm, site, ask(&f32)).into_iter().zip(fill(&f32, site, ask(&f32)));
            let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(apart < tolerance, "{dtype:?} {site}: {apart}");
        }
    }
}
