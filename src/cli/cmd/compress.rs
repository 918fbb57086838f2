//! `lmscope compress`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::cli::args::{Format, ModelArgs};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::{Exit, folders};
use crate::compress::others::OTHERS;
use crate::compress::packed::Reader;
use crate::compress::{Codec, Packed, Stored, Windows};
use crate::disk::write_new;
use crate::engine::{Loaded, identity};
use crate::figure::{Cell, Column, Content, Figure, Table};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope compress notes.txt && lmscope decompress notes.txt.lmz -o again.txt\n\nA token that the model expects costs few bits; -log2 of its probability, summed up, is the ideal length, and an arithmetic coder comes close to it. The file names the model that reads it, and does not hold it: whoever has not got the model cannot read it. Reading runs the model once for each token. A text that the tokens do not give back is stored as it is."
)]
pub(in crate::cli) struct Args {
    /// The file to compress
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write; FILE.lmz unless given. No file is overwritten
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Tokens that the model sees at most; beyond, it goes on with the last half of them
    #[arg(long, value_name = "TOKENS", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(2..))]
    window: u32,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What file names end with.
pub(super) const ENDING: &str = "lmz";

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let text = fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    let (loaded, reader) = open(&args.model, out)?;
    let cancel = out.cancel();
    let windows = Windows::half(loaded.info.config.n_ctx.min(args.window as usize));
    let codec = Codec::new(&loaded.decoder, &loaded.tokenizer, windows, &cancel)?;
    let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
    let mut tell = |done: usize, total: usize| bar.tell(done as u64, total as u64, "tokens compressed");
    let packed = Packed::pack(&text, (&codec, &loaded.tokenizer), (reader, env!("CARGO_PKG_VERSION")), &mut tell)?;
    drop(bar);
    let bytes = packed.to_bytes();
    write_new(&output, &bytes).with_context(|| format!("cannot write {}", output.display()))?;
    if packed.stored == Stored::Raw {
        out.note(&format!("{} is stored as it is: {}", args.file.display(), why_raw(&text)));
    }
    args.format.exporter().write(&[figure(&args.file, &text, (&packed, bytes.len()), &loaded)?], out)?;
    Ok(Exit::Done)
}

fn why_raw(text: &[u8]) -> &'static str {
    match std::str::from_utf8(text) {
        Ok(_) => "the tokenizer changes the text, so that its tokens do not give it back",
        Err(_) => "it is no UTF-8",
    }
}

/// `notes.txt.lmz` of `notes.txt`.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ENDING);
    name.into()
}

/// The model, and what a file says of it.
pub(super) fn open(model: &ModelArgs, out: &Output) -> anyhow::Result<(Loaded, Reader)> {
    let identity = identity(&model.source()?, &folders::hashes(), &out.cancel())?;
    let loaded = model.open(out)?;
    let precision = loaded.info.precision.of_numbers().describe();
    let mut hash = Sha256::new();
    for part in [&identity.model, &identity.tokenizer, &precision] {
        hash.update(part);
        hash.update([0]);
    }
    let name = format!("{}, {precision}", loaded.info.name);
    Ok((loaded, Reader { name, sha256: hash.finalize().into() }))
}

fn figure(file: &Path, text: &[u8], (packed, n): (&Packed, usize), loaded: &Loaded) -> anyhow::Result<Figure> {
    let columns = ["compressor", "bytes", "bits per byte", "of the text"];
    let row = |name: &str, bytes: usize| {
        let share = |times: f64| if text.is_empty() { Cell::Empty } else { Cell::number(bytes as f64 * times, 3) };
        let all = text.len() as f64;
        vec![
            Cell::Text(name.to_owned()),
            Cell::Integer(i64::try_from(bytes).unwrap_or(i64::MAX)),
            share(8.0 / all),
            share(1.0 / all),
        ]
    };
    let mut rows = vec![row("none", text.len()), row(&loaded.info.name, n), row("its bits alone", packed.bits.len())];
    for other in OTHERS {
        rows.push(row(other.name, other.pack(text)?.len()));
    }
    let about: Vec<String> = OTHERS.iter().map(|other| format!("{}: {}", other.name, other.about)).collect();
    let caption = format!(
        "{} tokens, windows of {} that move on by {}. The model is not counted. {}.",
        packed.n_tokens,
        packed.windows.length(),
        packed.windows.stride(),
        about.join("; ")
    );
    Ok(Figure {
        title: format!("Compressed {}", file.display()),
        caption,
        provenance: loaded.provenance(None),
        content: Content::Table(Table::new(columns.map(|name| Column::new(name, "")).into(), rows)?),
    })
}
