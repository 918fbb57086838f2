use proptest::prelude::*;

use super::codec::Stored;
use super::packed::{Error as PackedError, Packed, Reader, number_len};
use super::*;
use crate::eval::fixture::{noise, tokenizer};
use crate::model::{CancelToken, CausalLm, FakeLm};
use crate::text::{SpecialTokens, Tokenizer};

const V: usize = 288;

/// A model that has no preference.
fn uniform(n_ctx: usize) -> FakeLm {
    FakeLm::new(V, n_ctx, |_| vec![0.0; V])
}

/// A model that is sure that after each token comes the next id.
fn sure() -> FakeLm {
    FakeLm::new(V, 64, |ids| {
        let mut logits = vec![f32::NEG_INFINITY; V];
        logits[(ids.last().unwrap() + 1) as usize % V] = 0.0;
        logits
    })
}

/// As [`noise`], but often nearly sure.
fn steep(n_ctx: usize) -> FakeLm {
    FakeLm::new(V, n_ctx, |ids| {
        let seed = ids.iter().fold(11u32, |hash, id| hash.wrapping_mul(31).wrapping_add(*id));
        (0..288u32).map(|id| ((seed ^ id.wrapping_mul(2_654_435_761)) >> 20) as f32 / 40.0 - 50.0).collect()
    })
}

fn codec<'a>(lm: &'a dyn CausalLm, windows: Windows, cancel: &'a CancelToken) -> Codec<'a> {
    Codec::new(lm, &tokenizer(), windows, cancel).unwrap()
}

fn coded(codec: &Codec<'_>, ids: &[u32]) -> Coded {
    codec.encode(ids, &mut |_| {}).unwrap()
}

fn decoded(codec: &Codec<'_>, coded: &[Coded]) -> Vec<Vec<u32>> {
    let streams: Vec<Stream<'_>> = coded.iter().map(Coded::stream).collect();
    codec.decode(&streams, &mut |_| {}).unwrap()
}

#[test]
fn a_model_without_preference_costs_the_log_of_its_vocabulary_for_each_token() {
    let (lm, cancel) = (uniform(64), CancelToken::default());
    let codec = codec(&lm, Windows::half(64), &cancel);
    let ids: Vec<u32> = (0..500).map(|k| k * 7 % 288).collect();
    let found = coded(&codec, &ids);
    let bits = 500.0 * (V as f64).log2();
    assert!((found.loglik + 500.0 * (V as f64).ln()).abs() < 1e-9);
    assert!((found.bytes.len() as f64 - bits / 8.0).abs() <= 1.0, "{} bytes of {}", found.bytes.len(), bits / 8.0);
    assert_eq!(decoded(&codec, &[found]), [ids]);
}

#[test]
fn a_model_that_is_right_and_sure_costs_nothing_and_one_that_is_wrong_32_bits_a_token() {
    let (lm, cancel) = (sure(), CancelToken::default());
    let codec = codec(&lm, Windows::half(64), &cancel);
    let prefix = tokenizer().bos().unwrap();
    let ids: Vec<u32> = (1..=250).map(|k| (prefix + k) % 288).collect();
    let found = coded(&codec, &ids);
    // the one part that each token before the right one keeps moves the lower end, which takes a byte to say
    assert!(found.bytes.len() <= 1, "{} bytes", found.bytes.len());
    assert!(found.loglik == 0.0, "{}", found.loglik);
    assert_eq!(decoded(&codec, &[found]), [ids]);
    // the first token is one that the model rules out, and so is what follows it
    let wrong: Vec<u32> = (0..20).map(|k| (prefix + 5 + 2 * k) % 288).collect();
    let found = coded(&codec, &wrong);
    assert_eq!((found.loglik, found.bytes.len()), (f64::NEG_INFINITY, 20 * 4));
    assert_eq!(decoded(&codec, &[found]), [wrong]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn tokens_come_back_and_take_no_more_than_the_ideal_length(
        texts in proptest::collection::vec(proptest::collection::vec(0u32..288, 0..90), 1..6),
        length in 1usize..50, stride in 1usize..50, sequences in 1usize..4, logits in 1usize..5, rows in 1usize..40
    ) {
        let cancel = CancelToken::default();
        for lm in [steep(40), noise()] {
            let codec = codec(&lm, Windows::new(length, stride), &cancel).within(Room { rows, logits, sequences });
            let found: Vec<Coded> = texts.iter().map(|ids| coded(&codec, ids)).collect();
            prop_assert_eq!(&decoded(&codec, &found), &texts);
            for (one, ids) in found.iter().zip(&texts) {
                let ideal = -one.loglik / std::f64::consts::LN_2 / 8.0;
                prop_assert!(one.bytes.len() as f64 <= ideal * 1.01 + 8.0, "{} bytes of {ideal}", one.bytes.len());
                // neither the room nor the company changes a bit
                let alone = Codec::new(&lm, &tokenizer(), Windows::new(length, stride), &cancel).unwrap();
                prop_assert_eq!(&coded(&alone, ids), one);
            }
        }
    }
}

#[test]
fn the_log_likelihood_is_that_of_each_window_by_hand() {
    // after each token, the next id has logit 2 if the window begins with the prefix, else 1; all others have 0
    let prefix = tokenizer().bos().unwrap();
    let lm = FakeLm::new(V, 4, move |ids| {
        let mut logits = vec![0.0; V];
        logits[(ids.last().unwrap() + 1) as usize % V] = if ids[0] == prefix { 2.0 } else { 1.0 };
        logits
    });
    let cancel = CancelToken::default();
    let ids: Vec<u32> = (1..=6).map(|k| (prefix + k) % 288).collect();
    let logprob = |logit: f64| logit - (logit.exp() + (V - 1) as f64).ln();
    // four tokens in the first window, then two in one that begins later
    let found = coded(&codec(&lm, Windows::new(4, 4), &cancel), &ids);
    assert!((found.loglik - (4.0 * logprob(2.0) + 2.0 * logprob(1.0))).abs() < 1e-9);
}

#[test]
fn a_model_that_gives_no_numbers_and_ids_that_it_lacks_are_errors() {
    let cancel = CancelToken::default();
    let lm = FakeLm::new(V, 16, |ids| vec![if ids.len() > 3 { f32::NAN } else { 0.0 }; V]);
    let codec = codec(&lm, Windows::half(16), &cancel);
    let error = codec.encode(&[1, 2, 3, 4, 5], &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "predict token 3 of the text: a logit is no number, or none is finite");
    let stream = Stream { bytes: &[1, 2, 3, 4, 5, 6, 7, 8], n_tokens: 5 };
    assert!(matches!(codec.decode(&[stream], &mut |_| {}), Err(Error::NotFinite { at: 3 })));
    let error = codec.encode(&[1, 288], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("token 1") && error.to_string().contains("vocabulary of 288"));
    let json = std::fs::read("fixtures/models/tiny-llama/tokenizer.json").unwrap();
    let special = SpecialTokens { bos: None, eos: None, add_bos: false };
    let bare = Tokenizer::from_json_bytes(&json, special).unwrap();
    assert!(matches!(Codec::new(&lm, &bare, Windows::half(16), &cancel), Err(Error::NoPrefix)));
    cancel.cancel();
    assert!(matches!(codec.encode(&[1], &mut |_| {}), Err(Error::Model(crate::model::Error::Cancelled))));
}

fn reader(name: &str) -> Reader {
    Reader { name: name.into(), sha256: [name.as_bytes()[0]; 32] }
}

fn packed(text: &[u8], lm: &dyn CausalLm) -> Packed {
    let cancel = CancelToken::default();
    let codec = codec(lm, Windows::half(64), &cancel);
    Packed::pack(text, (&codec, &tokenizer()), (reader("slide"), "9.9.9"), &mut |_, _| {}).unwrap()
}

fn unpacked(packed: &Packed, lm: &dyn CausalLm, by: &str) -> Result<Vec<u8>, PackedError> {
    let cancel = CancelToken::default();
    let codec = codec(lm, packed.windows, &cancel);
    packed.unpack((&codec, &tokenizer()), &reader(by), &mut |_, _| {})
}

const TEXTS: [&str; 6] = [
    "",
    "a",
    "The cat sat on a mat.",
    "Мама мыла раму.\r\n\0 \t",
    "<s> </s> <|endoftext|>",
    "  e\u{301}é ﬁ 🐈\u{fffd}",
];

#[test]
fn a_file_holds_the_text() {
    let lm = steep(64);
    for text in TEXTS {
        let packed = packed(text.as_bytes(), &lm);
        assert_ne!(packed.stored, Stored::Raw, "{text}");
        let file = Packed::from_bytes(&packed.to_bytes()).unwrap();
        assert_eq!(file, packed);
        assert_eq!(unpacked(&file, &lm, "slide").unwrap(), text.as_bytes());
    }
    // no text
    let bytes = [0xff, 0xfe, 0, 1, 2];
    let packed = packed(&bytes, &lm);
    assert_eq!((packed.stored, packed.bits.as_slice()), (Stored::Raw, bytes.as_slice()));
    assert_eq!(unpacked(&Packed::from_bytes(&packed.to_bytes()).unwrap(), &lm, "any model").unwrap(), bytes);
}

#[test]
fn tokens_that_do_not_give_the_text_back_are_not_used() {
    let (llama, cut) = (
        normalising("Prepend", r#"{"type":"Prepend","prepend":" "}"#),
        normalising("Lowercase", r#"{"type":"Lowercase"}"#),
    );
    let of = |text: &str, tokenizer| Stored::of(text.as_bytes(), tokenizer).unwrap();
    assert_eq!(of("a cat", &llama).0, Stored::AfterSpace);
    assert_eq!(of("A cat", &cut), (Stored::Raw, Vec::new()));
    assert_eq!(of("a cat", &cut).0, Stored::Tokens);
    let ids = of("a cat", &llama).1;
    assert_eq!(Stored::AfterSpace.text(&ids, &llama).unwrap(), b"a cat");
}

/// The tokenizer with a normalizer before it.
fn normalising(what: &str, normalizer: &str) -> Tokenizer {
    let json = std::fs::read("fixtures/models/tiny-llama/tokenizer.json").unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    json["normalizer"] = serde_json::from_str(normalizer).unwrap();
    let special = SpecialTokens { bos: tokenizer().bos(), eos: tokenizer().eos(), add_bos: true };
    Tokenizer::from_json_bytes(json.to_string().as_bytes(), special).unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[test]
fn another_model_is_refused_and_a_change_is_noticed() {
    let lm = steep(64);
    let packed = packed(TEXTS[2].as_bytes(), &lm);
    let error = unpacked(&packed, &lm, "other").unwrap_err();
    assert_eq!(
        error.to_string(),
        "read a text that was compressed with `slide`: `other` is another model, or computes otherwise"
    );
    assert!(error.hint().unwrap().contains("slide"));
    // a model that computes otherwise under the same name
    assert!(matches!(
        unpacked(&packed, &noise(), "slide"),
        Err(PackedError::Differs { .. } | PackedError::Codec(Error::Damaged { .. }))
    ));
    let bytes = packed.to_bytes();
    for at in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let found = Packed::from_bytes(&bytes).and_then(|packed| unpacked(&packed, &lm, "slide"));
            match found {
                // only what is said of the name and the version
                Ok(text) => assert_eq!(text, TEXTS[2].as_bytes(), "byte {at}"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        assert!(Packed::from_bytes(&bytes[..at]).is_err() || at > bytes.len() - packed.bits.len() - 1);
    }
    let error = Packed::from_bytes(b"PK\x03\x04").unwrap_err();
    assert!(error.to_string().starts_with("read the head of the file: it begins with [80, 75, 3, 4]"));
    assert!(Packed::from_bytes(b"").is_err());
}

#[test]
fn numbers_take_a_byte_for_seven_bits() {
    for (number, n) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u64::MAX, 10)] {
        assert_eq!(number_len(number), n);
    }
}
