//! Every architecture reads what it has written: both directions see the same bits, whatever is read together.

use lmscope::compress::{Codec, Coded, Room, Stream, Windows};
use lmscope::model::{CancelToken, CausalLm, Dtype, least_rows};
use lmscope::text::{SpecialTokens, Tokenizer};

use crate::support::{load, load_as, project, tiny_models};

/// A tokenizer whose first token is before every text; nothing else is asked of it.
fn tokenizer() -> Tokenizer {
    let json = std::fs::read(project("fixtures/models/tiny-llama/tokenizer.json")).unwrap();
    Tokenizer::from_json_bytes(&json, SpecialTokens { bos: Some(0), eos: None, add_bos: true }).unwrap()
}

/// Tokens that look random.
fn ids(n: usize, seed: u32, d_vocab: usize) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % u32::try_from(d_vocab).unwrap()
    };
    (0..n).map(|_| next()).collect()
}

fn check(name: &str, lm: &dyn CausalLm) {
    let (cancel, d_vocab) = (CancelToken::default(), lm.config().d_vocab);
    let texts: Vec<Vec<u32>> = (0..3).map(|k| ids(3 + 12 * k, 7 + u32::try_from(k).unwrap(), d_vocab)).collect();
    let codec = Codec::new(lm, &tokenizer(), Windows::new(12, 5), &cancel).unwrap();
    let coded: Vec<Coded> = texts.iter().map(|text| codec.encode(text, &mut |_| {}).unwrap()).collect();
    let streams: Vec<Stream<'_>> = coded.iter().map(Coded::stream).collect();
    for sequences in [1, 3] {
        let codec = Codec::new(lm, &tokenizer(), Windows::new(12, 5), &cancel).unwrap();
        let codec = codec.within(Room { rows: 9, logits: least_rows(d_vocab), sequences });
        assert_eq!(codec.decode(&streams, &mut |_| {}).unwrap(), texts, "{name}: {sequences} together");
    }
}

#[test]
fn every_tiny_model_reads_what_it_wrote() {
    for dir in tiny_models() {
        check(&dir.display().to_string(), &load(&dir).decoder);
    }
}

#[test]
fn the_embedded_model_does_in_every_arithmetic() {
    for dtype in [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::F16] {
        check(dtype.name(), &load_as(&project("fixtures/slide/base"), dtype).decoder);
    }
}
