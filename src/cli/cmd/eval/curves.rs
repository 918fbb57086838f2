//! `lmscope eval curves`

use std::path::PathBuf;

use anyhow::bail;

use crate::cli::Exit;
use crate::cli::figures::FigureArgs;
use crate::cli::output::Output;
use crate::eval::curves::curves;
use crate::eval::record;

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval run hallucination -o runs/today && lmscope eval curves runs/today --svg reliability.svg\n\nOf suites whose metrics rank answers by a signal, such as hallucination: how often an answer is right by how sure the model is, and what is wrong among the surest answers."
)]
pub(super) struct Args {
    /// The record of a run
    #[arg(value_name = "RECORD")]
    record: PathBuf,
    #[command(flatten)]
    figures: FigureArgs,
}

pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    args.figures.check()?;
    let figures = curves(&record::read(&args.record)?)?;
    if figures.is_empty() {
        bail!("there is no curve in `{}`: no metric of it ranks answers by a signal", args.record.display());
    }
    args.figures.write(&figures, out)?;
    Ok(Exit::Done)
}
