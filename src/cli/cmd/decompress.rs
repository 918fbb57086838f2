//! `lmscope decompress`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::compress::{ENDING, open};
use crate::cli::Exit;
use crate::cli::args::ModelArgs;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::compress::{Codec, Packed};
use crate::disk::write_new;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope compress notes.txt && lmscope decompress notes.txt.lmz -o again.txt\n\nThe model must be the one that the file was compressed with, and compute in the same way; another one is refused. What was read is compared with a hash of the text before it is written."
)]
pub(in crate::cli) struct Args {
    /// The file to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write; without it FILE without .lmz. No file is overwritten
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let what = || format!("cannot read {}", args.file.display());
    let output = output(args)?;
    let packed = fs::read(&args.file).map_err(anyhow::Error::from).and_then(|bytes| Ok(Packed::from_bytes(&bytes)?));
    let packed = packed.with_context(what)?;
    let (loaded, reader) = open(&args.model, out)?;
    let cancel = out.cancel();
    let codec = Codec::new(&loaded.decoder, &loaded.tokenizer, packed.windows, &cancel)?;
    let mut bar = Progress::new("{msg} {wide_bar} {pos}/{len} {eta}");
    let mut tell = |done: usize, total: usize| bar.tell(done as u64, total as u64, "tokens read");
    let text = packed.unpack((&codec, &loaded.tokenizer), &reader, &mut tell).with_context(what)?;
    drop(bar);
    write_new(&output, &text).with_context(|| format!("cannot write {}", output.display()))?;
    writeln!(out, "{}", output.display())?;
    Ok(Exit::Done)
}

fn output(args: &Args) -> anyhow::Result<PathBuf> {
    match &args.output {
        Some(output) => Ok(output.clone()),
        None if args.file.extension().is_some_and(|ending| ending == ENDING) => Ok(args.file.with_extension("")),
        None => bail!("{} does not end in .{ENDING}: say where to write with -o", Path::new(&args.file).display()),
    }
}
