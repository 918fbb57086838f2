//! Attribution to the prompt's tokens, and attribution patching: each against another way to the same numbers.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{D, Device, Tensor};
use lmscope::engine::{Loaded, open};
use lmscope::figure::{Cell, Content, Figure, Table};
use lmscope::hook::{HookPoint, Site};
use lmscope::lens::{Ask, Question};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::decoder::{Decoder, Kernels, Parameters};
use lmscope::model::source::ModelSource;
use lmscope::model::{
    CancelToken, CausalLm, DecoderConfig, FinalNorm, Loading, NoTap, Param, ParamId, Result, Sizes, Tap, ids_tensor,
};
use lmscope::probe::input::embedding_gradient;
use lmscope::probe::integrated_gradients::integrate;
use lmscope::probe::leave_one_out::{Mode, without_each};
use lmscope::probe::value_zeroing::{matrices, rollout};
use lmscope::probe::{self, InputOptions, ProbeError, Subject};
use lmscope::text::{BosPolicy, Granularity, Prompt};
use lmscope::trace::{Gradients, Metric, Quantity, Trace, TraceError, TracePlan, estimate_patches};

use crate::support::noise::normal;
use crate::support::{load, project, values};

const IDS: [u32; 7] = [3, 14, 15, 92, 65, 35, 89];
const METRIC: Metric = Metric { position: IDS.len() - 1, quantity: Quantity::Difference(42, 17) };
const EMBED: HookPoint = HookPoint::model(Site::Embed);

/// Tiny models that differ in what attribution goes through.
const MODELS: [&str; 8] = [
    "models/tiny-gpt2",
    "models/tiny-llama",
    "models/tiny-gpt-neox",
    "architectures/bloom-plain",
    "architectures/falcon-new",
    "architectures/gemma2-softcap",
    "architectures/mixtral-experts",
    "architectures/olmo2-plain",
];

fn tiny(name: &str) -> Decoder {
    load(&project("fixtures").join(name)).decoder
}

fn slide() -> Loaded {
    open(&ModelSource::Embedded("slide"), &Loading::unwatched(Arithmetic::Exact)).unwrap()
}

/// A probe's figures, and how far it said it was, last.
fn run(loaded: &Loaded, name: &str, text: &str, inputs: InputOptions) -> (Vec<Figure>, Option<probe::Step>) {
    let prompt = Prompt::new(&loaded.tokenizer, text, BosPolicy::Model).unwrap();
    let (provenance, question, cancel) =
        (loaded.provenance(Some(&prompt)), Question::default(), CancelToken::default());
    let subject = subject(loaded, &prompt, &question, (&provenance, &cancel), inputs);
    let mut last = None;
    let figures = probe::find(name).unwrap().run(&subject, &mut |step| last = Some(step)).unwrap();
    (figures, last)
}

fn subject<'a>(
    loaded: &'a Loaded,
    prompt: &'a Prompt,
    question: &'a Question,
    (provenance, cancel): (&'a lmscope::figure::Provenance, &'a CancelToken),
    inputs: InputOptions,
) -> Subject<'a> {
    Subject {
        lm: &loaded.decoder,
        tokenizer: &loaded.tokenizer,
        prompt,
        provenance,
        question,
        inputs,
        atlas: None,
        cancel,
    }
}

fn table(figure: &Figure) -> &Table {
    let Content::Table(table) = &figure.content else { panic!("{} is not a table", figure.title) };
    table
}

fn number(cell: &Cell) -> f64 {
    let Cell::Number { value, .. } = cell else { panic!("{cell:?} is not a number") };
    *value
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(0f64, |size, value| size.max(value.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * size, "{found} {expected}, largest {size}");
    }
}

/// The metric of a sequence.
fn value(lm: &Decoder, ids: &[u32], metric: Metric, tap: &mut dyn Tap) -> f64 {
    let hidden = lm.forward(&ids_tensor(ids).unwrap(), &mut lm.new_cache(), tap).unwrap();
    f64::from(metric.of(lm, &hidden).unwrap().to_vec1::<f32>().unwrap()[0])
}

/// Changes the tensor at some hooks.
struct Change<F>(Site, F);

impl<F: FnMut(HookPoint, &Tensor) -> Tensor> Tap for Change<F> {
    fn wants(&self, at: HookPoint) -> bool {
        at.site() == self.0
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        Ok((self.1)(at, &x))
    }
}

#[test]
fn gradients_and_integrals_are_those_of_torch_and_captum() {
    let json = std::fs::read(project("fixtures/oracle/attributions.json")).unwrap();
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&json).unwrap();
    for name in ["tiny-gpt2", "tiny-llama"] {
        let (lm, cancel) = (tiny(&format!("models/{name}")), CancelToken::default());
        let ids = |field: &str| serde_json::from_value::<Vec<u32>>(all[name][field].clone()).unwrap();
        let numbers = |field: &str| serde_json::from_value::<Vec<f64>>(all[name][field].clone()).unwrap();
        assert_eq!((ids("ids"), &all[name]["token"], &all[name]["versus"]), (IDS.to_vec(), &42.into(), &17.into()));
        let found = embedding_gradient(&lm, &IDS, METRIC, &cancel).unwrap();
        assert!((found.value - all[name]["value"].as_f64().unwrap()).abs() < 1e-4);
        close(&found.norms, &numbers("gradient_norm"), 1e-4);
        close(&found.products, &numbers("gradient_x_input"), 1e-4);
        let found = integrate(&lm, [&IDS, &ids("baseline")], METRIC, 512, &cancel, &mut |_| ()).unwrap();
        close(&found.scores, &numbers("integrated_gradients"), 5e-3);
        assert!(found.completeness_error() < 5e-3, "{name}: {}", found.completeness_error());
    }
}

#[test]
fn the_norm_is_that_of_the_gradient_by_differences() {
    const STEP: f32 = 2e-3;
    let lm = tiny("models/tiny-llama");
    let trace = Trace::record(&lm, &IDS, &TracePlan::new([EMBED]), &mut NoTap).unwrap();
    let x = values(trace.get(EMBED).unwrap());
    let d_model = lm.config().d_model;
    let metric_at = |moved: Vec<Vec<f32>>| {
        let n = moved.len();
        let x = Tensor::from_vec(moved.concat(), (n, IDS.len(), d_model), &Device::Cpu).unwrap();
        let ids = ids_tensor(&IDS).unwrap().repeat((n, 1)).unwrap();
        let mut tap = Change(Site::Embed, |_, _: &Tensor| x.clone());
        let hidden = lm.forward(&ids, &mut lm.new_cache(), &mut tap).unwrap();
        METRIC.of(&lm, &hidden).unwrap().to_vec1::<f32>().unwrap()
    };
    let moved = |at: usize, by: f32| {
        let mut moved = x.clone();
        moved[at] += by;
        moved
    };
    let slope = |at: usize| {
        let rows = [STEP, -STEP, 2.0 * STEP, -2.0 * STEP].map(|by| moved(at, by)).to_vec();
        let m: Vec<f64> = metric_at(rows).into_iter().map(f64::from).collect();
        let (near, far) = ((m[0] - m[1]) / 2.0, (m[2] - m[3]) / 4.0);
        (4.0 * near - far) / 3.0 / f64::from(STEP)
    };
    let norm = |position: usize| {
        (position * d_model..(position + 1) * d_model).map(|at| slope(at).powi(2)).sum::<f64>().sqrt()
    };
    let expected: Vec<f64> = (0..IDS.len()).map(norm).collect();
    close(&embedding_gradient(&lm, &IDS, METRIC, &CancelToken::default()).unwrap().norms, &expected, 1e-3);
}

/// Random parameters.
struct Random;

impl Parameters for Random {
    fn dense(&mut self, id: ParamId) -> Result<Tensor> {
        let n = match id.param {
            Param::Embed => 0.5,
            _ => 1.0,
        };
        Ok((normal(1, (SIZES.d_vocab, SIZES.d_model)) * n)?)
    }
}

const SIZES: Sizes =
    Sizes { n_layers: 0, d_model: 8, n_heads: 1, n_kv_heads: 1, d_head: 8, d_mlp: 8, d_vocab: 100, n_ctx: 16 };

#[test]
fn of_a_linear_model_every_score_is_known() {
    // no blocks and no norm: logits are products with the last token's embedding
    let cfg = DecoderConfig { final_norm: FinalNorm::None, ..DecoderConfig::plain("linear", SIZES) };
    let lm = Decoder::new(cfg, &mut Random, Kernels::Fused).unwrap();
    let cancel = CancelToken::default();
    let baseline = [3, 50, 21, 7, 88, 41, 60];
    let found = integrate(&lm, [&IDS, &baseline], METRIC, 8, &cancel, &mut |_| ()).unwrap();
    let (here, there) = (value(&lm, &IDS, METRIC, &mut NoTap), value(&lm, &baseline, METRIC, &mut NoTap));
    assert!(found.completeness_error() < 1e-5, "{}", found.completeness_error());
    assert_eq!(found.steps, 8);
    let mut expected = vec![0.0; IDS.len()];
    expected[METRIC.position] = here - there;
    close(&found.scores, &expected, 1e-5);
    let gradient = embedding_gradient(&lm, &IDS, METRIC, &cancel).unwrap();
    expected[METRIC.position] = here;
    close(&gradient.products, &expected, 1e-5);
}

const PROMPTS: [&str; 8] = [
    "The cat sat on a",
    "Tom Cruise's mother is",
    "Once upon a time there was a little girl",
    "one, two, three,",
    "The capital of France is",
    "Mary Lee Pfeiffer is the mother of",
    "abc abc ab",
    "It was raining. The boy took his",
];

#[test]
fn the_default_baseline_keeps_the_error_below_two_percent() {
    let loaded = slide();
    for text in PROMPTS {
        let (figures, _) = run(&loaded, "integrated-gradients", text, InputOptions::default());
        let error = number(&table(&figures[1]).rows()[4][1]);
        assert!(error < 2.0, "{text}: {error} %");
        assert!(!figures[0].caption.contains("Warning"));
    }
}

#[test]
fn an_integral_that_misses_much_is_a_warning() {
    let loaded = slide();
    let few = InputOptions { steps: Some(8), ..InputOptions::default() };
    for text in PROMPTS {
        let (figures, _) = run(&loaded, "integrated-gradients", text, few);
        assert!(number(&table(&figures[1]).rows()[4][1]) > 5.0);
        assert!(figures[0].caption.starts_with("Warning: the scores miss "), "{}", figures[0].caption);
    }
}

fn tokens() -> Vec<Range<usize>> {
    (0..IDS.len()).map(|token| token..token + 1).collect()
}

fn without(lm: &Decoder, units: &[Range<usize>], mode: Mode) -> Vec<Option<f64>> {
    without_each(lm, &IDS, units, (METRIC, mode), &CancelToken::default(), &mut |_| ()).unwrap()
}

#[test]
fn leaving_out_is_what_it_is_by_hand() {
    let units = [0..1, 1..3, 3..6, 6..7];
    for name in MODELS {
        let lm = tiny(name);
        let is = |found: Option<f64>, expected: f64| {
            let found = found.unwrap();
            assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{name}: {found} {expected}");
        };
        let deleted = without(&lm, &units, Mode::Delete);
        let shorter = [&IDS[1..], &[3, 92, 65, 35, 89], &[3, 14, 15, 89], &IDS[..6]];
        for (found, ids) in deleted.into_iter().zip(shorter) {
            is(found, value(&lm, ids, Metric { position: ids.len() - 1, ..METRIC }, &mut NoTap));
        }
        let replaced = without(&lm, &units, Mode::Replace(7));
        for (found, unit) in replaced.into_iter().zip(&units) {
            let mut ids = IDS;
            ids[unit.clone()].fill(7);
            is(found, value(&lm, &ids, METRIC, &mut NoTap));
        }
        let masked = without(&lm, &units, Mode::Mask);
        assert_eq!(masked[3], None);
        for (found, unit) in masked.into_iter().zip(&units[..3]) {
            let mut tap = Change(Site::AttnScores, |_, scores: &Tensor| {
                let mut rows = scores.get(0).unwrap().to_vec3::<f32>().unwrap();
                for row in rows.iter_mut().flat_map(|head| &mut head[unit.end..]) {
                    row[unit.clone()].fill(f32::NEG_INFINITY);
                }
                Tensor::new(rows, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
            });
            is(found, value(&lm, &IDS, METRIC, &mut tap));
        }
    }
    let alone = [Range { start: 0, end: 1 }];
    let metric = Metric { position: 0, ..METRIC };
    let cancel = CancelToken::default();
    let found = without_each(&tiny(MODELS[0]), &IDS[..1], &alone, (metric, Mode::Delete), &cancel, &mut |_| ());
    assert_eq!(found.unwrap(), [None]);
}

#[test]
fn a_masked_first_token_is_a_deleted_one_where_positions_are_relative() {
    let lm = tiny("models/tiny-llama");
    let (deleted, masked) = (without(&lm, &tokens(), Mode::Delete), without(&lm, &tokens(), Mode::Mask));
    assert!((deleted[0].unwrap() - masked[0].unwrap()).abs() < 1e-5);
    assert!((deleted[2].unwrap() - masked[2].unwrap()).abs() > 1e-3);
}

#[test]
fn zeroed_values_are_what_they_are_one_run_at_a_time() {
    for name in MODELS {
        let lm = tiny(name);
        let found = matrices(&lm, &IDS, &CancelToken::default(), &mut |_| ()).unwrap();
        assert_eq!(found.len(), lm.config().n_layers);
        for (layer, found) in found.iter().enumerate() {
            let out = |zeroed: Option<usize>| {
                let at = HookPoint::block(layer, Site::ResidPost);
                let mut tap = Change(Site::V, |at: HookPoint, v: &Tensor| match zeroed {
                    Some(source) if at.layer() == Some(layer) => {
                        let zero = v.narrow(1, source, 1).unwrap().zeros_like().unwrap();
                        v.slice_scatter(&zero, 1, source).unwrap()
                    }
                    _ => v.clone(),
                });
                let trace = Trace::record(&lm, &IDS, &TracePlan::new([at]), &mut tap).unwrap();
                trace.get(at).unwrap().to_vec2::<f32>().unwrap()
            };
            let usual = out(None);
            let changed: Vec<_> = (0..IDS.len()).map(|source| out(Some(source))).collect();
            for (token, found) in found.iter().enumerate() {
                let cos = |source: usize| {
                    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
                    let (a, b) = (&changed[source][token], &usual[token]);
                    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
                };
                let row: Vec<f64> = (0..IDS.len()).map(|source| (1.0 - cos(source)).max(0.0)).collect();
                let sum: f64 = row.iter().sum();
                close(found, &row.iter().map(|value| value / sum).collect::<Vec<_>>(), 1e-3);
                assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                assert!(found[token + 1..].iter().all(|&value| value == 0.0), "{name}");
            }
        }
    }
}

#[test]
fn a_rollout_of_a_hand_worked_case() {
    let first = vec![vec![1.0, 0.0], vec![0.25, 0.75]];
    let second = vec![vec![1.0, 0.0], vec![0.5, 0.5]];
    assert_eq!(rollout(&[first.clone(), second]), [[1.0, 0.0], [0.625, 0.375]]);
    assert_eq!(rollout(std::slice::from_ref(&first)), first);
    assert!(rollout(&[]).is_empty());
}

#[test]
fn a_word_has_the_sum_of_its_tokens() {
    let loaded = slide();
    let text = "Tom Cruise's mother is";
    let of =
        |name: &str, granularity| run(&loaded, name, text, InputOptions { granularity, ..InputOptions::default() });
    for name in ["gradient-norm", "gradient-x-input", "integrated-gradients"] {
        let (tokens, words) = (of(name, Granularity::Token).0, of(name, Granularity::Word).0);
        let scores =
            |figures: &[Figure]| table(&figures[0]).rows().iter().map(|row| number(&row[1])).collect::<Vec<_>>();
        let (tokens, words) = (scores(&tokens), scores(&words));
        // <|endoftext|> | T om | C ru ise 's | mother | is
        assert_eq!((tokens.len(), words.len()), (9, 5));
        close(&words, &[tokens[0], tokens[1..3].iter().sum(), tokens[3..7].iter().sum(), tokens[7], tokens[8]], 1e-9);
        let shares: f64 = table(&of(name, Granularity::Word).0[0]).rows().iter().map(|row| number(&row[2]).abs()).sum();
        assert!((shares - 100.0).abs() < 1e-6);
    }
    let lost = table(&of("leave-one-out", Granularity::Word).0[0]).rows().to_vec();
    assert_eq!((lost.len(), &lost[4][3]), (5, &Cell::Empty));
}

#[test]
fn later_tokens_have_no_say_and_get_no_row() {
    let loaded = slide();
    let prompt = Prompt::new(&loaded.tokenizer, "The cat sat on a mat", BosPolicy::Model).unwrap();
    let shorter = Prompt::new(&loaded.tokenizer, "The cat sat on a", BosPolicy::Model).unwrap();
    let (provenance, cancel) = (loaded.provenance(None), CancelToken::default());
    let question = Question { ask: Ask { position: Some(-2), ..Ask::default() }, ..Question::default() };
    let rows = |prompt: &Prompt, question: &Question, name: &str| {
        let subject = subject(&loaded, prompt, question, (&provenance, &cancel), InputOptions::default());
        let figures = probe::find(name).unwrap().run(&subject, &mut |_| ()).unwrap();
        table(&figures[0]).rows().to_vec()
    };
    for name in ["gradient-norm", "gradient-x-input", "value-zeroing", "leave-one-out"] {
        let (long, short) = (rows(&prompt, &question, name), rows(&shorter, &Question::default(), name));
        assert_eq!(long.len(), shorter.ids.len());
        for (long, short) in long.iter().zip(&short) {
            assert_eq!(long[0], short[0]);
            // deleting the last token moves the question to the one before in both prompts
            assert!((number(&long[1]) - number(&short[1])).abs() < 1e-3, "{name} {long:?} {short:?}");
        }
    }
}

#[test]
fn probes_say_how_far_they_are_and_stop_when_asked() {
    let loaded = slide();
    for name in ["integrated-gradients", "leave-one-out", "value-zeroing"] {
        let (_, last) = run(&loaded, name, "The cat sat on a", InputOptions::default());
        assert!(last.is_some_and(|step| step.done <= step.total && step.done > 0), "{name}: {last:?}");
    }
    let prompt = Prompt::new(&loaded.tokenizer, "The cat sat on a", BosPolicy::Model).unwrap();
    let (provenance, question, cancel) = (loaded.provenance(None), Question::default(), CancelToken::default());
    cancel.cancel();
    let subject = subject(&loaded, &prompt, &question, (&provenance, &cancel), InputOptions::default());
    for name in ["gradient-norm", "gradient-x-input", "integrated-gradients", "leave-one-out", "value-zeroing"] {
        let error = probe::find(name).unwrap().run(&subject, &mut |_| ()).unwrap_err();
        assert!(ProbeError::is_cancelled(&error), "{name}");
    }
}

/// Some of an activation `[1, pos, ..]` moved towards that of another run.
fn moved(x: &Tensor, clean: &Tensor, [position, head]: [usize; 2], share: f64) -> Tensor {
    let shape = x.dims().to_vec();
    let width = shape[shape.len() - 1];
    let n_heads = if shape.len() == 4 { shape[2] } else { 1 };
    let (mut x, clean) = (values(x), values(clean));
    let start = (position * n_heads + head) * width;
    for at in start..start + width {
        #[expect(clippy::cast_possible_truncation, reason = "activations are f32")]
        let step = (share * f64::from(clean[at] - x[at])) as f32;
        x[at] += step;
    }
    Tensor::from_vec(x, shape, &Device::Cpu).unwrap()
}

#[test]
fn attribution_patching_is_patching_to_first_order() {
    const CORRUPT: [u32; 7] = [3, 14, 51, 92, 65, 35, 89];
    for name in MODELS {
        let lm = tiny(name);
        let twin = lm.differentiable().unwrap();
        let last = lm.config().n_layers - 1;
        for site in [Site::ResidPre, Site::AttnOut, Site::MlpOut, Site::Z] {
            let found = estimate_patches(&twin, [&IDS, &CORRUPT], METRIC, site, &mut NoTap).unwrap();
            let unpatched = value(&lm, &CORRUPT, METRIC, &mut NoTap);
            assert!((found.corrupt - unpatched).abs() < 1e-4);
            for (layer, position, head) in [(0, 2, 0), (last, 2, found.n_heads() - 1), (last, 6, 0), (0, 6, 0)] {
                let at = HookPoint::block(layer, site);
                let clean = Trace::record(&lm, &IDS, &TracePlan::new([at]), &mut NoTap).unwrap();
                let clean = clean.get(at).unwrap();
                let patched = |share: f64| {
                    let mut tap =
                        Change(
                            site,
                            |here: HookPoint, x: &Tensor| {
                                if here == at { moved(x, clean, [position, head], share) } else { x.clone() }
                            },
                        );
                    value(&lm, &CORRUPT, METRIC, &mut tap)
                };
                let slope = |share: f64| (patched(share) - patched(-share)) / (2.0 * share);
                let expected = (4.0 * slope(2e-3) - slope(4e-3)) / 3.0;
                let found = found.at_head(layer, position, head);
                assert!(
                    (found - expected).abs() < 2e-3 + 1e-2 * expected.abs(),
                    "{name} {at} {position}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn heads_add_up_and_what_has_no_position_is_refused() {
    const CORRUPT: [u32; 7] = [3, 14, 51, 92, 65, 35, 89];
    let lm = tiny("models/tiny-gpt2");
    let twin = lm.differentiable().unwrap();
    let estimates = |site| estimate_patches(&twin, [&IDS, &CORRUPT], METRIC, site, &mut NoTap);
    // attn_out is linear in z
    let (z, attn_out) = (estimates(Site::Z).unwrap(), estimates(Site::AttnOut).unwrap());
    for layer in 0..lm.config().n_layers {
        for position in 0..IDS.len() {
            let (z, attn_out) = (z.at(layer, position), attn_out.at(layer, position));
            assert!((z - attn_out).abs() < 1e-4, "{layer} {position}: {z} {attn_out}");
        }
    }
    assert_eq!(z.at(0, 99).to_bits(), 0);
    // the whole stream at layer 0 differs at one position only
    let resid = estimates(Site::ResidPre).unwrap();
    assert!(resid.at(0, 2).abs() > 1e-3 && resid.at(0, 1).abs() < 1e-6);
    for site in [Site::Pattern, Site::RotQ] {
        assert!(matches!(estimates(site), Err(TraceError::NotRecorded { .. })));
    }
}

#[test]
fn gradients_of_a_batch_are_those_of_its_rows() {
    let lm = tiny("models/tiny-llama").differentiable().unwrap();
    let other: Vec<u32> = IDS.iter().rev().copied().collect();
    let at = HookPoint::block(1, Site::ResidMid);
    let plan = TracePlan::new([at]);
    let of = |ids: &Tensor| Gradients::record(&lm, ids, METRIC, &plan, &mut NoTap).unwrap();
    let (a, b) = (ids_tensor(&IDS).unwrap(), ids_tensor(&other).unwrap());
    let both = of(&Tensor::cat(&[&a, &b], 0).unwrap());
    for (row, ids) in [a, b].iter().enumerate() {
        let alone = of(ids);
        assert!((both.values[row] - alone.values[0]).abs() < 1e-5);
        let difference =
            (both.gradient(at).unwrap().get(row).unwrap() - alone.gradient(at).unwrap().get(0).unwrap()).unwrap();
        let worst =
            difference.abs().unwrap().flatten_all().unwrap().max(D::Minus1).unwrap().to_scalar::<f32>().unwrap();
        assert!(worst < 1e-5, "{worst}");
    }
}
