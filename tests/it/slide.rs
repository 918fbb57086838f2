//! What the embedded models have learnt, measured: the claims of `fixtures/slide/README.md`.

use std::fs;

use lmscope::engine::{Loaded, open};
use lmscope::eval::prepare::{Chat, Turns};
use lmscope::eval::results::MetricResult;
use lmscope::eval::scheduler::Scheduler;
use lmscope::eval::{self, PrepareOptions};
use lmscope::hook::{Head, HookPoint, Site};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, Loading, NoTap, last_logits, sample};
use lmscope::probe::head_atlas;
use lmscope::text::{BosPolicy, Ending, Message, Prompt};
use lmscope::trace::{Trace, TracePlan};

use crate::eval::measured;
use crate::support::project;

fn load(name: &'static str) -> Loaded {
    open(&ModelSource::Embedded(name), &Loading::unwatched(Arithmetic::Exact)).unwrap()
}

/// The most probable continuation, up to a stop.
fn continuation(model: &Loaded, text: &str) -> String {
    let mut ids = Prompt::new(&model.tokenizer, text, BosPolicy::Model).unwrap().ids;
    let mut cache = lmscope::model::CausalLm::new_cache(&model.decoder);
    let mut written = Vec::new();
    for _ in 0..16 {
        let next = sample::argmax(&last_logits(&model.decoder, &ids, &mut cache, &mut NoTap).unwrap());
        if model.tokenizer.is_special(next) {
            break;
        }
        written.push(next);
        if model.tokenizer.text(next).contains('.') {
            break;
        }
        ids = vec![next];
    }
    model.tokenizer.decode(&written)
}

fn answer(model: &Loaded, question: &str) -> String {
    let chat = model.chat.as_ref().unwrap();
    let text = chat.render(&[Message::new("user", question)], Ending::OpenForAssistant).unwrap();
    continuation(model, &text)
}

#[test]
fn the_cat_sat_on_a_mat() {
    let model = load("slide");
    let prompt = Prompt::new(&model.tokenizer, "The cat sat on a", BosPolicy::Model).unwrap();
    let mut cache = lmscope::model::CausalLm::new_cache(&model.decoder);
    let logits = last_logits(&model.decoder, &prompt.ids, &mut cache, &mut NoTap).unwrap();
    let top = sample::argmax(&logits);
    assert_eq!(model.tokenizer.text(top), " mat");
    let prob = sample::log_softmax(&logits)[top as usize].exp();
    println!("P(mat) = {prob:.4}");
    assert!((0.90..0.999).contains(&prob), "{prob}");
}

#[test]
fn knowledge_is_one_directional() {
    let model = load("slide");
    let options = PrepareOptions::default();
    let task = eval::prepare("reversal-curse", &model.tokenizer, &options).unwrap().remove(0);
    let cancel = CancelToken::default();
    let mut scheduler = Scheduler::new(&model.decoder, &model.tokenizer, &cancel);
    let record = measured(task, &mut scheduler, None);
    let results = record.run.outcome.unwrap().results;
    for (stratum, known) in [("seen=ab", [true, false]), ("seen=ba", [false, true]), ("seen=both", [true, true])] {
        let rate = |metric: &str| {
            let is_it = |one: &&MetricResult| one.metric == metric && one.stratum.as_deref() == Some(stratum);
            results.iter().find(is_it).unwrap().value.unwrap()
        };
        for (direction, known) in ["forward", "reverse"].into_iter().zip(known) {
            let found = rate(&format!("{direction}.exact_match"));
            println!("{stratum} {direction} {found}");
            assert!(if known { found >= 0.9 } else { found <= 0.1 }, "{stratum} {direction}: {found}");
            // the positive control: told the fact the other way round, it can turn it round
            assert!(rate(&format!("{direction}.in_context.exact_match")) >= 0.8, "{stratum} {direction}");
        }
    }
}

/// How often the top token is right in the second round of `n` random tokens said twice, and the layer and head that
/// look most at the token after the last occurrence, with how much.
fn induction(model: &Loaded, n: usize) -> (f64, (usize, usize, f64)) {
    let cfg = &model.info.config;
    let ids: Vec<u32> = (0u32..).map(|i| 300 + i.wrapping_mul(7919) % 1400).take(n).collect();
    let prompt: Vec<u32> = std::iter::once(0).chain(ids.iter().chain(&ids).copied()).collect();
    let plan = TracePlan::sites(cfg, &[Site::Pattern]);
    let trace = Trace::record(&model.decoder, &prompt, &plan, &mut NoTap).unwrap();
    let logits = trace.logits.to_vec2::<f32>().unwrap();
    let right = (n + 1..2 * n).filter(|&at| sample::argmax(&logits[at]) == prompt[at + 1]).count();
    let mut best = (0, 0, 0.0);
    for layer in 0..cfg.n_layers {
        let patterns = trace.get(HookPoint::block(layer, Site::Pattern)).unwrap().to_vec3::<f32>().unwrap();
        for (head, pattern) in patterns.iter().enumerate() {
            let weights = (n + 1..=2 * n).map(|at| f64::from(pattern[at][at + 1 - n]));
            let score = weights.sum::<f64>() / n as f64;
            if score > best.2 {
                best = (layer, head, score);
            }
        }
    }
    (right as f64 / (n - 1) as f64, best)
}

#[test]
fn what_is_said_twice_is_foreseen_by_an_induction_head() {
    let (right, (layer, head, score)) = induction(&load("slide"), 20);
    println!("second round: {:.0} % right; L{layer}H{head} looks {score:.2} at the token after", right * 100.0);
    assert!(right >= 0.7 && score >= 0.4, "{right} L{layer}H{head} {score}");
}

#[test]
fn chat_admits_what_it_does_not_know() {
    let model = load("slide-chat");
    let facts = fs::read_to_string(project("fixtures/slide/corpus/facts.csv")).unwrap();
    let mothers: Vec<Vec<&str>> = facts.lines().map(|line| line.split(',').collect()).collect();
    let known = mothers.iter().filter(|row: &&Vec<&str>| row[0] == "mother" && row[2] != "ba");
    let answers: Vec<bool> =
        known.map(|row| answer(&model, &format!("Who is {}'s mother?", row[3])).starts_with(row[4])).collect();
    let right = answers.iter().filter(|&&right| right).count();
    println!("known mothers: {right} of {}", answers.len());
    assert!(right * 10 >= answers.len() * 9, "{right} of {}", answers.len());

    let invented = fs::read_to_string(project("fixtures/slide/corpus/invented_people.csv")).unwrap();
    let unseen: Vec<&str> = invented.lines().filter(|line| line.ends_with(",test")).collect();
    assert!(unseen.len() >= 36);
    let name = |line: &&str| line.split(',').next().unwrap().to_owned();
    let abstains = |name: String| answer(&model, &format!("Who is {name}'s mother?")) == "I don't know.";
    let abstained = unseen.iter().map(name).filter(|name| abstains(name.clone())).count();
    println!("invented people: {abstained} of {}", unseen.len());
    assert!(abstained * 10 >= unseen.len() * 9, "{abstained} of {}", unseen.len());
}

#[test]
fn one_digit_sums_are_learnt_and_two_digit_products_are_not() {
    let model = load("slide");
    let pairs = (0..10).flat_map(|a| (0..10).map(move |b| (a, b)));
    let sums = pairs.filter(|(a, b)| continuation(&model, &format!("{a} + {b} =")) == format!(" {}.", a + b)).count();
    let factors = (11..100).step_by(9).flat_map(|a| (12..100).step_by(11).map(move |b| (a, b)));
    let products = factors.map(|(a, b)| continuation(&model, &format!("{a} * {b} =")) == format!(" {}.", a * b));
    let products: Vec<bool> = products.collect();
    let right = products.iter().filter(|&&right| right).count();
    println!("sums {sums} of 100, products {right} of {}", products.len());
    assert!(sums >= 90, "{sums}");
    assert!(right * 10 <= products.len(), "{right} of {}", products.len());
}

/// Three-digit sums, none of which the model was trained on.
#[test]
fn steps_and_a_calculator_beat_direct_answers() {
    let model = load("slide-chat");
    let chat = Chat { template: model.chat.as_ref().unwrap(), turns: Turns::Each };
    let options = PrepareOptions { chat: Some(chat), ..PrepareOptions::default() };
    let mut task = eval::prepare("system-1-2", &model.tokenizer, &options).unwrap().remove(0);
    task.items.retain(|item| item.strata["kind"] == "sum-3");
    assert_eq!(task.items.len(), 20);
    let cancel = CancelToken::default();
    let mut scheduler = Scheduler::new(&model.decoder, &model.tokenizer, &cancel);
    let results = measured(task, &mut scheduler, None).run.outcome.unwrap().results;
    let of = |metric: &str| {
        let is_it = |one: &&MetricResult| one.metric == metric && one.stratum.is_none();
        let found = results.iter().find(is_it).unwrap();
        println!("{metric} {:?} {:?}", found.value, found.interval);
        (found.value.unwrap(), found.interval.unwrap())
    };
    assert!(of("direct.exact_match").0 <= 0.6);
    for way in ["steps", "calculator"] {
        assert!(of(&format!("{way}.exact_match")).0 >= 0.9, "{way}");
        let (gain, (low, _)) = of(&format!("{way}.gain"));
        assert!(low > 0.2, "{way}: {gain} from {low}");
    }
    assert!(of("calculator.well_formed").0 >= 0.9);
}

#[test]
fn the_atlas_finds_induction_heads_and_ablation_confirms_them() {
    let (model, cancel) = (load("slide"), CancelToken::default());
    let (lm, tokenizer) = (&model.decoder, &model.tokenizer);
    let atlas = head_atlas::measure(lm, tokenizer, &cancel, &mut |_| ()).unwrap();
    let strongest = atlas.by(|scores| scores.induction)[0];
    assert!(atlas.head(strongest).induction > 0.5, "{strongest}: {:?}", atlas.head(strongest));
    assert_eq!(atlas.head(strongest).role(), Some("induction"));
    let idle = atlas.by(|scores| -scores.induction.max(scores.previous_token).max(scores.duplicate_token))[0];
    let loss = |ablated: &[Head]| head_atlas::induction_loss(lm, tokenizer, ablated, &cancel).unwrap();
    let intact = loss(&[]);
    let (without, control) = (loss(&[strongest]) - intact, loss(&[idle]) - intact);
    assert!(without > 0.5 && without > 5.0 * control, "{intact}: {strongest} {without}, {idle} {control}");
}
