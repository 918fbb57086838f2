//! `lmscope report gallery`

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser as _;

use super::check::Again;
use super::target::TargetFile;
use crate::cli::Exit;
use crate::cli::cmd::eval;
use crate::cli::output::Output;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope report gallery -o gallery")]
pub(super) struct Args {
    /// The folder to write to
    #[arg(short, long, value_name = "DIR", default_value = "gallery")]
    output: PathBuf,
}

/// The suite that is run, and what it is asked of.
const RUN: [&str; 8] = ["run", "hallucination", "-m", "slide-chat", "--chat", "--tier", "quick", "--no-cache"];
/// The pages with their arguments; `{run}` is the record of the suite.
const PAGES: [(&str, &[&str]); 3] = [
    ("why.html", &["explain", "The cat sat on a", "--corrupted", "The dog sat on a"]),
    ("models.html", &["compare", "The cat sat on a", "--other", "slide-chat"]),
    ("evaluation.html", &["eval", "{run}"]),
];

/// The arguments of `eval`.
#[derive(clap::Parser)]
#[command(name = "lmscope eval", no_binary_name = true)]
struct Suite {
    #[command(flatten)]
    args: eval::Args,
}

/// Writes a page of each kind about the embedded models, so that everything that reports show can be seen.
pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let folder = &args.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let run = folder.join("run");
    let run = run.to_str().context("the folder's name is no text")?;
    if !folder.join("run").join("run.json").exists() {
        let suite = Suite::try_parse_from(RUN.into_iter().chain(["-o", run]))?;
        eval::run(&suite.args, out)?;
    }
    for (name, words) in PAGES {
        let words: Vec<String> = words.iter().map(|word| word.replace("{run}", run)).collect();
        let of = Again::try_parse_from(&words)?.of;
        let report = of.build(words, out)?;
        TargetFile::new(folder.join(name)).write(&report, out)?;
    }
    Ok(Exit::Done)
}
