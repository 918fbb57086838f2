//! How few bits a model needs for a text, that it reads them back, and what compressors that know no language need.

#[cfg(test)]
mod tests;

use std::f64::consts::LN_2;

use super::{Scorer, Sheet};
use crate::compress::others::OTHERS;
use crate::eval::prepare::PrepareOptions;
use crate::eval::problem::Problem;
use crate::eval::request::{Compress, Compressed, LoglikelihoodStrided, Request, Response};
use crate::eval::task::{Aggregation, Better, Graded, Grader, MetricSpec, Observation, Observed, Task, TaskItem};
use crate::text::Tokenizer;

/// See the module.
pub(super) const SCORER: Scorer = Scorer {
    name: "compression",
    about: "Compresses each text with the model, reads it back, and counts the bits beside those of zip, xz and zstd",
    keys: &["strides", "window"],
    task,
};

fn task(sheet: &Sheet<'_>, tokenizer: Option<&Tokenizer>, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let strides = Strides::read(sheet)?;
    let read = sheet.each(|index| item(sheet, index, &strides, tokenizer))?;
    let (items, sizes) = read.into_iter().unzip();
    let metrics = metrics(&strides);
    sheet.task(items, metrics, Box::new(Compression { strides, sizes }), options)
}

/// Windows that texts longer than one are also looked at through.
struct Strides {
    window: usize,
    strides: Vec<usize>,
}

impl Strides {
    fn read(sheet: &Sheet<'_>) -> Result<Self, Vec<Problem>> {
        let told = |problem| vec![problem];
        let strides = sheet.counts("strides").map_err(told)?;
        let window = sheet.count("window").map_err(told)?.unwrap_or(0);
        let place = || sheet.root.get("strides").unwrap_or(sheet.root);
        if let Some(wrong) = strides.iter().find(|stride| **stride == 0 || **stride > window) {
            let what = format!("the stride {wrong} is not from 1 to the `window` of {window} tokens");
            return Err(vec![place().problem(what)]);
        }
        let mut once = strides.clone();
        once.dedup();
        if once.len() < strides.len() {
            return Err(vec![place().problem("a stride is there twice")]);
        }
        Ok(Self { window, strides })
    }
}

/// What a text is counted in.
struct Sizes {
    bytes: usize,
    /// What each of the other compressors makes of it.
    others: Vec<usize>,
}

fn item(
    sheet: &Sheet<'_>,
    index: usize,
    strides: &Strides,
    tokenizer: Option<&Tokenizer>,
) -> Result<(TaskItem, Sizes), Problem> {
    let text = sheet.text(index, "text")?.to_owned();
    let wrong = |what: String| sheet.problem(index, what);
    if text.is_empty() {
        return Err(wrong("`text` is empty, there is nothing to compress".into()));
    }
    let pack = |other: &crate::compress::others::Other| {
        other
            .pack(text.as_bytes())
            .map(|packed| packed.len())
            .map_err(|error| wrong(format!("{}: {error}", other.name)))
    };
    let sizes = Sizes { bytes: text.len(), others: OTHERS.iter().map(pack).collect::<Result<_, _>>()? };
    let n_tokens = tokenizer.map(|tokenizer| tokenizer.encode(&text)).transpose();
    let n_tokens = n_tokens.map_err(|error| wrong(error.to_string()))?.map_or(0, |ids| ids.len());
    let mut requests = vec![Request::Compress(Compress { text: text.clone() })];
    if n_tokens > strides.window {
        let strided = |&stride: &usize| LoglikelihoodStrided { text: text.clone(), window: strides.window, stride };
        requests.extend(strides.strides.iter().map(strided).map(Request::LoglikelihoodStrided));
    }
    Ok((sheet.item(index, text, requests)?, sizes))
}

fn metrics(strides: &Strides) -> Vec<MetricSpec> {
    let mut metrics = vec![
        MetricSpec::new("bits_per_byte", Aggregation::BitsPerByte, Better::Lower),
        MetricSpec::new("coded_bits_per_byte", Aggregation::BitsPerByte, Better::Lower),
        MetricSpec::new("lossless", Aggregation::Mean, Better::Higher),
        MetricSpec::new("as_tokens", Aggregation::Mean, Better::Neither),
    ];
    for other in OTHERS {
        metrics.push(MetricSpec::new(
            format!("{}_bits_per_byte", other.name),
            Aggregation::BitsPerByte,
            Better::Neither,
        ));
        metrics.push(MetricSpec::new(format!("{}_ratio", other.name), Aggregation::Ratio, Better::Lower));
    }
    for stride in &strides.strides {
        metrics.push(MetricSpec::new(of_stride(*stride), Aggregation::BitsPerByte, Better::Lower));
    }
    metrics
}

fn of_stride(stride: usize) -> String {
    format!("stride_{stride}_bits_per_byte")
}

struct Compression {
    strides: Strides,
    /// In the order of the items.
    sizes: Vec<Sizes>,
}

impl Grader for Compression {
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded> {
        let sizes = self.sizes.get(item.index)?;
        let (Response::Compressed(compressed), strided) = responses.split_first()? else { return None };
        let mut observations = of_compressed(compressed, sizes);
        if !strided.is_empty() {
            if strided.len() != self.strides.strides.len() {
                return None;
            }
            for (stride, response) in self.strides.strides.iter().zip(strided) {
                let Response::Rolled(rolled) = response else { return None };
                let text = Observed::Text { loglik: rolled.loglik(), units: sizes.bytes };
                observations.push(Observation::new(of_stride(*stride), text));
            }
        }
        Some(Graded { observations, ..Graded::default() })
    }
}

/// All but the strides.
fn of_compressed(compressed: &Compressed, sizes: &Sizes) -> Vec<Observation> {
    let of_bytes = |n: usize| Observed::Text { loglik: -(8.0 * n as f64) * LN_2, units: sizes.bytes };
    let ideal = match compressed.loglik {
        Some(loglik) => Observed::Text { loglik, units: sizes.bytes },
        None => of_bytes(sizes.bytes),
    };
    let mut observations = vec![
        Observation::new("bits_per_byte", ideal),
        Observation::new("coded_bits_per_byte", of_bytes(compressed.bytes)),
        Observation::new("lossless", Observed::Flag(compressed.lossless)),
        Observation::new("as_tokens", Observed::Flag(compressed.loglik.is_some())),
    ];
    for (other, &n) in OTHERS.iter().zip(&sizes.others) {
        let ratio = Observed::Ratio { part: compressed.bytes as f64, whole: n as f64 };
        observations.push(Observation::new(format!("{}_bits_per_byte", other.name), of_bytes(n)));
        observations.push(Observation::new(format!("{}_ratio", other.name), ratio));
    }
    observations
}
