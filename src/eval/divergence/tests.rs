use super::*;
use crate::eval::fixture::{folder, task_in, tokenizer};
use crate::eval::prepare::PrepareOptions;
use crate::model::FakeLm;

const SUITE: &str = "name = 'two'\nversion = 1\nscorer = 'base-vs-assistant'\nabstain = 'No.'\n";

fn tasks() -> Vec<Task> {
    let items = "{\"id\": \"known\", \"question\": \"q?\", \"answer\": \"zz\", \"others\": [\"vv\"]}\n\
                 {\"id\": \"unknown\", \"question\": \"k?\", \"others\": [\"vv\"]}";
    vec![task_in(&folder(SUITE, items), &PrepareOptions::default()).unwrap()]
}

fn rows(lm: &dyn CausalLm, tokenizer: &Tokenizer) -> Rows {
    Rows::of(&tasks(), &|_, _| true, (lm, tokenizer), &CancelToken::default()).unwrap().unwrap()
}

/// The token 7 has this logit, all others 0.
fn leaning(logit: f32) -> FakeLm {
    FakeLm::new(288, 512, move |_| (0..288).map(|id| if id == 7 { logit } else { 0.0 }).collect())
}

#[test]
fn hand_worked_divergences() {
    let found = rows(&leaning(0.0), &tokenizer()).against(&rows(&leaning(10.0), &tokenizer())).unwrap();
    assert_eq!(found.len(), 2);
    let known = &found[&("two".to_owned(), "known".to_owned())];
    // the answer alone: neither the line before it nor what ends it
    assert_eq!(tokenizer().decode(&known.ids), "zz");
    let log_sum = (10f64.exp() + 287.0).ln();
    let uniform_to_leaning = log_sum - 288f64.ln() - 10.0 / 288.0;
    let share = (10.0 - log_sum).exp();
    let leaning_to_uniform = 288f64.ln() - log_sum + 10.0 * share;
    for (found, expected) in [(&known.a_b, uniform_to_leaning), (&known.b_a, leaning_to_uniform)] {
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|kl| (kl - expected).abs() < 1e-5), "{found:?} {expected}");
    }
    let [a_b, b_a] = known.mean();
    assert!((a_b - uniform_to_leaning).abs() < 1e-5 && (b_a - leaning_to_uniform).abs() < 1e-5);
    let unknown = &found[&("two".to_owned(), "unknown".to_owned())];
    assert_eq!(tokenizer().decode(&unknown.ids), "No.");
}

#[test]
fn a_model_is_at_no_distance_from_itself() {
    let noise = crate::eval::fixture::noise();
    let found = rows(&noise, &tokenizer()).against(&rows(&noise, &tokenizer())).unwrap();
    assert!(found.values().all(|one| one.mean() == [0.0, 0.0]), "{found:?}");
}

#[test]
fn models_of_other_tokens_are_not_compared() {
    let a = rows(&leaning(0.0), &tokenizer());
    let wider = FakeLm::new(300, 512, |_| vec![0.0; 300]);
    assert_eq!(a.against(&rows(&wider, &tokenizer())).unwrap_err(), OtherTokens);
    let bytes = std::fs::read("fixtures/slide/chat/tokenizer.json").unwrap();
    let special = crate::text::SpecialTokens { bos: Some(0), eos: Some(2), add_bos: true };
    let other = Tokenizer::from_json_bytes(&bytes, special).unwrap();
    let slide = FakeLm::new(1792, 512, |_| vec![0.0; 1792]);
    assert_eq!(a.against(&rows(&slide, &other)).unwrap_err(), OtherTokens);
}

#[test]
fn texts_that_end_in_no_common_token_are_left_out() {
    let row = |ids: &[u32]| Row { ids: ids.to_vec(), logprobs: vec![vec![0.0]; ids.len()] };
    assert!(between(&row(&[1, 2]), &row(&[2, 3])).is_none());
    assert!(between(&row(&[]), &row(&[2, 3])).is_none());
    assert_eq!(between(&row(&[9, 2, 3]), &row(&[1, 2, 3])).unwrap().ids, [2, 3]);
}
