//! What interventions must do, on the tiny models.

use std::path::Path;

use candle_core::{Device, Tensor};
use lmscope::hook::{HookPoint, Site};
use lmscope::intervene::{Error, INTERVENTIONS, Intervened, Interventions, Runs, Spec};
use lmscope::model::decoder::Decoder;
use lmscope::model::{CancelToken, CausalLm, Dtype, NoTap, NormPlacement, Residual, ids_tensor};
use lmscope::trace::{Trace, TracePlan};

use crate::cli::runner::lmscope;
use crate::support::noise::normal;
use crate::support::{load, load_as, max_abs_diff, project, tensors, tiny_models, values};

const IDS: [u32; 9] = [3, 14, 15, 92, 65, 35, 14, 15, 89];
const OTHER: [u32; 9] = [7, 14, 15, 26, 5, 35, 8, 15, 89];

fn for_every_model(check: impl Fn(&Decoder, &str)) {
    for dir in tiny_models() {
        check(&load(&dir).decoder, &dir.display().to_string());
    }
}

fn model(name: &str) -> Decoder {
    load(&project("fixtures/models").join(name)).decoder
}

fn try_prepare(lm: &Decoder, texts: &[&str], runs: Runs<'_>) -> Result<Interventions, Error> {
    Interventions::prepare(&Spec::parse_all(texts)?, lm, runs, &CancelToken::default())
}

fn prepare(lm: &Decoder, texts: &[&str]) -> Interventions {
    try_prepare(lm, texts, Runs { ids: Some(&IDS), clean: Some(&OTHER), reference: None, named: &[] }).unwrap()
}

fn refused(lm: &Decoder, text: &str, runs: Runs<'_>) -> String {
    let error = anyhow::Error::from(try_prepare(lm, &[text], runs).unwrap_err());
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn record(lm: &dyn CausalLm, ids: &[u32]) -> Trace {
    Trace::record(lm, ids, &TracePlan::new(lm.config().hook_points()), &mut NoTap).unwrap()
}

/// Everything of a run with these interventions.
fn run(lm: &Decoder, texts: &[&str]) -> Trace {
    record(&Intervened::new(lm, &prepare(lm, texts)), &IDS)
}

fn at(trace: &Trace, layer: usize, site: Site) -> Tensor {
    trace.get(HookPoint::block(layer, site)).unwrap().clone()
}

#[test]
fn patching_with_the_runs_own_activations_changes_no_bit() {
    for_every_model(|lm, name| {
        let plain = record(lm, &IDS);
        let runs = Runs { ids: Some(&IDS), clean: Some(&IDS), reference: None, named: &[] };
        let texts = ["patch:L*", "patch:L*.attn", "patch:L*.mlp@2-4", "patch:L*H*", "patch:L1H0@-1", "resample:L0@3"];
        for text in texts {
            let own = try_prepare(lm, &[text], runs).unwrap();
            let patched = record(&Intervened::new(lm, &own), &IDS);
            assert_eq!(values(&patched.logits), values(&plain.logits), "{name} {text}");
        }
    });
}

#[test]
fn patching_the_first_residual_everywhere_gives_the_other_prompts_run() {
    for_every_model(|lm, name| {
        let other = record(lm, &OTHER);
        assert_eq!(values(&run(lm, &["patch:L0"]).logits), values(&other.logits), "{name}");
        let last = format!("patch:L{}@-1", lm.config().n_layers - 1);
        let patched = run(lm, &[&last]);
        let layer = lm.config().n_layers - 1;
        let (a, b) = (at(&patched, layer, Site::ResidPre), at(&other, layer, Site::ResidPre));
        assert_eq!(values(&a.get(8).unwrap()), values(&b.get(8).unwrap()), "{name}");
    });
}

#[test]
fn a_change_reaches_only_later_layers_and_positions() {
    for_every_model(|lm, name| {
        let plain = record(lm, &IDS);
        for (text, layer, position) in
            [("zero:L1@4", 1, 4), ("scale:L1.attn@4*3", 1, 4), ("zero:L0H0@6", 0, 6), ("patch:L1.mlp@3", 1, 3)]
        {
            let changed = run(lm, &[text]);
            for (&hook, before) in &plain.activations {
                let after = changed.get(hook).unwrap();
                if hook.layer().is_some_and(|found| found < layer) {
                    assert_eq!(values(before), values(after), "{name} {text} {hook}");
                }
                // the first axis is the position, but for scores and patterns
                if hook.site().axes()[0].name() != "pos" {
                    continue;
                }
                let early = |x: &Tensor| x.narrow(0, 0, position).unwrap();
                // the products of an expert have as many rows as tokens chose it, and round accordingly
                match lm.config().experts {
                    Some(_) => assert!(max_abs_diff(&early(before), &early(after)) < 1e-5, "{name} {text} {hook}"),
                    None => assert_eq!(values(&early(before)), values(&early(after)), "{name} {text} {hook}"),
                }
            }
            assert!(max_abs_diff(&plain.logits, &changed.logits) > 0.0, "{name} {text}");
        }
    });
}

#[test]
fn zeroing_a_head_takes_away_its_result() {
    for name in ["tiny-llama", "tiny-gpt2", "tiny-gpt-neox", "tiny-llama-gguf"] {
        let lm = model(name);
        let (plain, zeroed) = (record(&lm, &IDS), run(&lm, &["zero:L1H2"]));
        let head = at(&plain, 1, Site::Result).narrow(1, 2, 1).unwrap().squeeze(1).unwrap();
        let expected = (at(&plain, 1, Site::AttnOut) - head).unwrap();
        assert!(max_abs_diff(&expected, &at(&zeroed, 1, Site::AttnOut)) < 1e-5, "{name}");
        let z = at(&zeroed, 1, Site::Z).narrow(1, 2, 1).unwrap();
        assert!(values(&z).iter().all(|&value| value == 0.0), "{name}");
    }
}

#[test]
fn zeroing_what_a_layer_adds_skips_it() {
    for_every_model(|lm, name| {
        let cfg = lm.config();
        if matches!(cfg.placement, NormPlacement::Residual | NormPlacement::Carried) {
            return;
        }
        let skipped = run(lm, &["zero:L0.attn", "zero:L0.mlp"]);
        assert_eq!(values(&at(&skipped, 0, Site::ResidPre)), values(&at(&skipped, 0, Site::ResidPost)), "{name}");
        assert!(matches!(cfg.residual, Residual::Parallel | Residual::SharedNorm) || cfg.has(Site::ResidMid));
    });
}

#[test]
fn a_knockout_renormalises_and_zeroed_attention_does_not() {
    for_every_model(|lm, name| {
        if lm.config().layers.iter().any(|layer| layer.window.is_some_and(|window| window < 8)) {
            return;
        }
        let plain = at(&record(lm, &IDS), 1, Site::Pattern).to_vec3::<f32>().unwrap();
        let knocked = at(&run(lm, &["knockout:L1H1:7->2"]), 1, Site::Pattern).to_vec3::<f32>().unwrap();
        let zeroed = at(&run(lm, &["zero-attention:L1H1:7->2"]), 1, Site::Pattern).to_vec3::<f32>().unwrap();
        for (head, rows) in plain.iter().enumerate() {
            for (query, row) in rows.iter().enumerate() {
                if (head, query) != (1, 7) {
                    assert_eq!((row, row), (&knocked[head][query], &zeroed[head][query]), "{name}");
                }
            }
        }
        let (before, knocked, zeroed) = (&plain[1][7], &knocked[1][7], &zeroed[1][7]);
        assert_eq!((knocked[2], zeroed[2]), (0.0, 0.0), "{name}");
        assert!((knocked.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{name}");
        assert!((zeroed.iter().sum::<f32>() - (1.0 - before[2])).abs() < 1e-6, "{name}");
        for key in [0, 1, 3, 7] {
            assert!((knocked[key] - before[key] / (1.0 - before[2])).abs() < 1e-5, "{name}");
        }
    });
}

#[test]
fn means_are_those_of_the_prompt_or_of_the_reference() {
    let lm = model("tiny-llama");
    let mean = |ids: &[u32]| at(&record(&lm, ids), 1, Site::MlpOut).mean(0).unwrap();
    let runs = Runs { ids: Some(&IDS), clean: None, reference: None, named: &[] };
    for (runs, expected) in [(runs, mean(&IDS)), (Runs { reference: Some(&OTHER[..4]), ..runs }, mean(&OTHER[..4]))] {
        let interventions = try_prepare(&lm, &["mean:L1.mlp@2-"], runs).unwrap();
        let out = at(&record(&Intervened::new(&lm, &interventions), &IDS), 1, Site::MlpOut);
        for position in 2..IDS.len() {
            assert!(max_abs_diff(&expected, &out.get(position).unwrap()) < 1e-6);
        }
        let before = at(&record(&lm, &IDS), 1, Site::MlpOut);
        assert_eq!(values(&before.narrow(0, 0, 2).unwrap()), values(&out.narrow(0, 0, 2).unwrap()));
    }
}

#[test]
fn neurons_are_entries_of_the_hidden_layer() {
    let lm = model("tiny-llama");
    let (plain, changed) = (record(&lm, &IDS), run(&lm, &["scale:L0N3-4@5*2"]));
    let (before, after) = (at(&plain, 0, Site::MlpPost), at(&changed, 0, Site::MlpPost));
    let (before, after) = (before.to_vec2::<f32>().unwrap(), after.to_vec2::<f32>().unwrap());
    for (position, (before, after)) in before.iter().zip(&after).enumerate() {
        for (neuron, (before, after)) in before.iter().zip(after).enumerate() {
            let by = if position == 5 && (3..=4).contains(&neuron) { 2.0 } else { 1.0 };
            assert!((before * by - after).abs() < 1e-7, "{position} {neuron}");
        }
    }
}

#[test]
fn steering_there_and_back_is_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v@1.safetensors");
    for name in ["tiny-gpt2", "tiny-llama", "tiny-gpt-neox"] {
        let lm = model(name);
        let vector = normal(1, lm.config().d_model);
        candle_core::safetensors::save(&[("v".to_owned(), vector.clone())].into(), &file).unwrap();
        let plain = record(&lm, &IDS);
        let steer = |by: &str, at: &str| format!("steer:L1+{by}*{}@{at}", file.display());
        let there = run(&lm, &[&steer("1.5", "-1")]);
        let expected = (at(&plain, 1, Site::ResidPre).get(8).unwrap() + (vector * 1.5).unwrap()).unwrap();
        assert!(max_abs_diff(&expected, &at(&there, 1, Site::ResidPre).get(8).unwrap()) < 1e-6);
        assert!(max_abs_diff(&plain.logits, &there.logits) > 1e-3);
        let back = run(&lm, &[&steer("1.5", "*"), &steer("-1.5", "*")]);
        assert!(max_abs_diff(&plain.logits, &back.logits) < 1e-4, "{name}");
    }
    let lm = model("tiny-llama");
    let text = format!("steer:L1+1*{}@*", file.display());
    let wide = Tensor::zeros(7, candle_core::DType::F32, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&[("v".to_owned(), wide)].into(), &file).unwrap();
    let runs = Runs { ids: Some(&IDS), ..Runs::default() };
    assert!(refused(&lm, &text, runs).contains("is [7], expected [32]"));
    assert!(refused(&lm, "steer:L1+1*no.safetensors", runs).contains("cannot read steering vector `no.safetensors`"));
}

#[test]
fn several_are_done_one_after_the_other() {
    for_every_model(|lm, name| {
        let (first, second) = (prepare(lm, &["zero:L0H0", "scale:L1@2*0.5"]), prepare(lm, &["scale:L0H*@3-*2"]));
        let inner = Intervened::new(lm, &first);
        let nested = record(&Intervened::new(&inner, &second), &IDS);
        // the outer model's edits come before the inner model's: taps run from the inside out
        let at_once = run(lm, &["zero:L0H0", "scale:L1@2*0.5", "scale:L0H*@3-*2"]);
        assert_eq!(values(&nested.logits), values(&at_once.logits), "{name}");
    });
}

#[test]
fn positions_count_in_the_whole_sequence_while_stepping() {
    for_every_model(|lm, name| {
        if lm.config().rotation_depends_on_length(IDS.len()) {
            return;
        }
        let texts = ["zero:L0@5", "patch:L1.mlp@2-6", "scale:L0H1@7-*3", "knockout:L1H0:8->7", "mean:L0.attn@0"];
        let interventions = prepare(lm, &texts);
        let lm = Intervened::new(lm, &interventions);
        let whole = record(&lm, &IDS).logits;
        let mut cache = lm.new_cache();
        let mut rows = Vec::new();
        for part in [&IDS[..4], &IDS[4..5], &IDS[5..8], &IDS[8..]] {
            let hidden = lm.forward(&ids_tensor(part).unwrap(), &mut cache, &mut NoTap).unwrap();
            rows.push(lm.logits(&hidden).unwrap().squeeze(0).unwrap());
        }
        assert!(max_abs_diff(&whole, &Tensor::cat(&rows, 0).unwrap()) < 1e-4, "{name}");
    });
}

#[test]
fn what_does_not_fit_is_refused_before_anything_runs() {
    let lm = model("tiny-llama");
    let runs = Runs { ids: Some(&IDS), ..Runs::default() };
    let cases = [
        ("zero:L9H3", "layer 9 does not exist, there are 2"),
        ("zero:L1H-9", "head -9 does not exist, there are 4"),
        ("zero:L1N99", "neuron 99 does not exist, there are 56"),
        ("zero:L1@9", "position 9 does not exist, there are 9"),
        ("zero:L1@8--3", "the position range 8--3 is empty"),
        ("knockout:L1H0:2->9", "key 9 does not exist"),
        ("knockout:L1H0:2->5", "no query of 2 sees a key of 5"),
        ("knockout:L1H0:0->0", "query 0 would see no key in head 0 of layer 1"),
        ("knockout:L*H*:*->0", "query 0 would see no key in head 0 of layer 0"),
        ("patch:L1", "it takes activations from another prompt, and none is given"),
    ];
    for (text, expected) in cases {
        let error = refused(&lm, text, runs);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let shorter = Runs { clean: Some(&OTHER[..5]), ..runs };
    assert!(refused(&lm, "patch:L1@2", shorter).contains("the prompt has 9 tokens"));
    assert!(refused(&lm, "resample:L1", shorter).contains("from 9 positions of a text of 5 tokens"));
    assert!(try_prepare(&lm, &["resample:L1@4"], shorter).is_ok());
    assert!(try_prepare(&lm, &["knockout:L*H*:1-->0"], runs).is_ok());
    let both = try_prepare(&lm, &["knockout:L1H0:4->0-2", "knockout:L1H*:4->3-4"], runs);
    assert!(both.is_err(), "together they leave nothing");
    let suite = Runs { clean: Some(&OTHER), ..Runs::default() };
    assert!(refused(&lm, "zero:L1@-1", suite).contains("counted from the end"));
    assert!(refused(&lm, "patch:L1@1", suite).contains("many prompts"));
    assert!(refused(&lm, "mean:L1.mlp", suite).contains("a reference text"));
    let mixture = load(&project("fixtures/architectures/mixtral-experts")).decoder;
    assert!(refused(&mixture, "zero:L0N3", runs).contains("no `blocks.0.mlp.hook_post`"));
}

#[test]
fn the_page_lists_every_kind_as_the_registry_does() {
    let page = std::fs::read_to_string(project("docs/interventions.md")).unwrap();
    for kind in INTERVENTIONS {
        let examples: Vec<String> = kind.examples().iter().map(|example| format!("`{example}`")).collect();
        let row = format!("| `{}` | {} | {} |\n", kind.grammar(), kind.about(), examples.join(", "));
        assert!(page.contains(&row), "docs/interventions.md lacks\n{row}");
    }
}

#[test]
fn the_command_line_shows_base_and_intervened_side_by_side() {
    let run = |more: &[&str]| {
        let args = ["predict", "The cat sat on a", "-k", "2", "--steps", "2", "--format", "json"];
        serde_json::from_str::<serde_json::Value>(&lmscope(&[&args[..], more].concat()).ok()).unwrap()
    };
    let (plain, changed) = (run(&[]), run(&["--do", "zero:L0.mlp", "--do", "scale:L1H*@1-*0.5"]));
    assert!(plain.get("interventions").is_none() && plain["steps"][0]["top"][0].get("base").is_none());
    assert_eq!(changed["interventions"], serde_json::json!(["zero:L0.mlp", "scale:L1H*@1-*0.5"]));
    let top = &plain["steps"][0]["top"][0];
    let same = changed["steps"][0]["top"].as_array().unwrap().iter().find(|found| found["id"] == top["id"]);
    if let Some(found) = same {
        assert_eq!((&found["base"]["rank"], &found["base"]["logprob"]), (&top["rank"], &top["logprob"]));
    }
    assert_ne!(top["logprob"], changed["steps"][0]["top"][0]["logprob"]);
    let refused = |args: &[&str], part: &str| {
        let error = lmscope(args).refused();
        assert!(error.contains(part) && error.contains("hint: "), "{error}");
    };
    refused(&["predict", "The cat", "--do", "zer:L0"], "did you mean `zero:`?");
    refused(&["trace", "The cat", "-o", "x", "--do", "patch:L0"], "--clean PROMPT");
    refused(&["eval", "run", "reversal-curse", "--do", "mean:L0.mlp"], "--reference TEXT");
    refused(&["patch", "The cat sat", "The cat sat"], "are the same up to position");
    refused(&["patch", "The cat sat", "The dog", "--metric", "logit-dif"], "did you mean `logit-diff`?");
    refused(&["patch", "The cat sat", "The cat sat on"], "choose words of as many tokens");
    refused(&["patch", "The cat sat", "The dog sat", "--to", "L9H0.q"], "receiver L9H0.q does not exist");
}

#[test]
fn a_vector_is_made_saved_and_steers() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("a.txt"), "The cat sat on a\nMary likes green\n").unwrap();
    std::fs::write(path("b.txt"), "The dog sat on a\nJohn likes red\n").unwrap();
    let (vectors, gguf) = (path("v.safetensors"), path("v.gguf"));
    let files = [path("a.txt"), path("b.txt")];
    let args = ["steer", "make", &files[0], &files[1], "--layer", "2-3", "-o", &vectors, "-o", &gguf];
    let made = lmscope(&args);
    assert_eq!((made.status, made.stderr.lines().count()), (0, 2), "{}", made.stderr);
    let saved = tensors(Path::new(&vectors));
    let mut names: Vec<&str> = saved.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["blocks.2.hook_resid_pre", "blocks.3.hook_resid_pre"]);
    let mut file = std::fs::File::open(&gguf).unwrap();
    let content = candle_core::quantized::gguf_file::Content::read(&mut file).unwrap();
    assert_eq!(content.metadata["general.architecture"].to_string().unwrap(), "controlvector");
    assert_eq!(content.metadata["controlvector.model_hint"].to_string().unwrap(), "llama");
    // llama.cpp adds direction N after block N
    for (direction, hook) in [("direction.1", names[0]), ("direction.2", names[1])] {
        let vector = content.tensor(&mut file, direction, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
        assert_eq!(values(&vector), values(&saved[hook]));
    }
    let steer = format!("steer:L2+3*{vectors}@-1");
    let text = lmscope(&["predict", "The cat sat on a", "-k", "2", "--do", &steer]).ok();
    assert!(text.contains("base_prob") && text.contains(&format!("intervened: {steer}")), "{text}");
    let early = ["steer", "make", &files[0], &files[1], "--layer", "1", "-o", &gguf];
    let error = lmscope(&early).refused();
    assert!(error.contains("cannot hold layer 1") && error.contains("hint: "), "{error}");
    std::fs::write(path("b.txt"), "only one\n").unwrap();
    assert!(lmscope(&args).refused().contains("2 and 1 lines"));
}

#[test]
fn interventions_work_in_every_number_type() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.safetensors");
    let vector = Tensor::ones(32, candle_core::DType::F32, &Device::Cpu).unwrap();
    candle_core::safetensors::save(&[("v".to_owned(), vector)].into(), &file).unwrap();
    let steer = format!("steer:L1+0.5*{}", file.display());
    for dtype in [Dtype::F64, Dtype::F16, Dtype::Bf16] {
        let lm = load_as(&project("fixtures/models/tiny-llama"), dtype).decoder;
        let plain = record(&lm, &IDS);
        let runs = Runs { ids: Some(&IDS), clean: Some(&IDS), reference: None, named: &[] };
        let own = try_prepare(&lm, &["patch:L1@2-", "resample:L*H1", "scale:L0.mlp*1"], runs).unwrap();
        // what is recorded is f32, which f64 does not fit into
        let rounding = if dtype == Dtype::F64 { 1e-5 } else { 0.0 };
        let apart = max_abs_diff(&record(&Intervened::new(&lm, &own), &IDS).logits, &plain.logits);
        assert!(apart <= rounding, "{dtype:?}: {apart}");
        let specs =
            ["zero:L0H1", "mean:L1.mlp@3", "knockout:L1H*:7->2", "zero-attention:L0H0:6->1", "zero:L0N3", &steer];
        let changed = run(&lm, &specs);
        changed.check_finite().unwrap();
        assert!(max_abs_diff(&changed.logits, &plain.logits) > 1e-3, "{dtype:?}");
    }
}
