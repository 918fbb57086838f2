//! `lmscope info`

use std::io::Write as _;

use crate::cli::Exit;
use crate::cli::args::ModelArgs;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::engine::{Inquiry, describe, hash_files, sections};

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope info -m model.gguf\n  lmscope info -m model.gguf --hash --format json\n\nOnly headers are read; --hash reads every byte of the weights."
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// How many tokens the memory of a trace is estimated for
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    tokens: u32,
    /// Also compute the SHA-256 of every weights file
    #[arg(long)]
    hash: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: InfoFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum InfoFormat {
    /// Aligned text
    Table,
    /// JSON
    Json,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let source = args.model.source()?;
    let inquiry = Inquiry { options: args.model.options(), n_tokens: args.tokens as usize };
    let mut description = describe(&source, inquiry)?;
    if args.hash {
        let mut progress = Progress::new("{bar:30} {bytes}/{total_bytes} {bytes_per_sec} hashed");
        description.files = hash_files(&source, &out.cancel(), &mut |done, total| progress.tell(done, total, ""))?;
    }
    match args.format {
        InfoFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &description)?;
            writeln!(out)?;
        }
        InfoFormat::Table => {
            for (title, facts) in sections(&description) {
                writeln!(out, "{title}")?;
                for (name, value) in facts {
                    writeln!(out, "  {name:<18} {value}")?;
                }
            }
        }
    }
    Ok(Exit::Done)
}
