//! One subcommand, one file, one `run`.

pub(super) mod completions;
pub(super) mod compress;
pub(super) mod config;
pub(super) mod decompress;
pub(super) mod diff;
pub(super) mod eval;
pub(super) mod explain;
pub(super) mod hooks;
pub(super) mod info;
pub(super) mod lens;
pub(super) mod models;
pub(super) mod patch;
pub(super) mod predict;
pub(super) mod pull;
pub(super) mod replay;
pub(super) mod report;
pub(super) mod steer;
pub(super) mod trace;
pub(super) mod tui;
pub(super) mod verify;

use clap::Subcommand;

use super::Exit;
use super::output::Output;

/// What to do.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Explore a model in the terminal
    Tui(tui::Args),
    /// Show the distribution over the next token, step by step
    Predict(predict::Args),
    /// Write the activations of a forward pass to a safetensors file
    Trace(trace::Args),
    /// Say on one screen why the next token is what it is
    Explain(explain::Args),
    /// Look at a forward pass through a lens
    Lens(lens::Args),
    /// Put activations of one prompt into another: which of them carry the answer?
    Patch(patch::Args),
    /// Compute steering vectors from contrasting prompts
    Steer(steer::Args),
    /// Compare two prompts, or two models on one text: outputs, layers, attention, attributions
    Diff(diff::Args),
    /// Check, on this very model, the laws that every decoder obeys
    Verify(verify::Args),
    /// Measure a model with a suite of questions
    Eval(eval::Args),
    /// Compress a text with a model
    Compress(compress::Args),
    /// Read a compressed text back with the same model
    Decompress(decompress::Args),
    /// Draw the figures of a saved session again
    Replay(replay::Args),
    /// Write a report that can be pasted and checked: of a prompt, a session, runs, a comparison
    Report(report::Args),
    /// Say what a model file contains
    Info(info::Args),
    /// List the models in the Hugging Face cache
    Models(models::Args),
    /// Fetch a model from the Hugging Face hub into its cache
    Pull(pull::Args),
    /// List the hooks of a model, with shapes
    Hooks(hooks::Args),
    /// Print the configuration of the terminal UI as it counts
    Config(config::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

impl Command {
    pub(super) fn run(self, out: &mut Output) -> anyhow::Result<Exit> {
        match self {
            Self::Tui(args) => tui::run(args, out),
            Self::Predict(args) => predict::run(&args, out),
            Self::Trace(args) => trace::run(&args, out),
            Self::Diff(args) => diff::run(&args, out),
            Self::Explain(args) => explain::run(&args, out),
            Self::Lens(args) => lens::run(&args, out),
            Self::Patch(args) => patch::run(&args, out),
            Self::Steer(args) => steer::run(&args, out),
            Self::Verify(args) => verify::run(&args, out),
            Self::Eval(args) => eval::run(&args, out),
            Self::Compress(args) => compress::run(&args, out),
            Self::Decompress(args) => decompress::run(&args, out),
            Self::Replay(args) => replay::run(&args, out),
            Self::Report(args) => report::run(&args, out),
            Self::Info(args) => info::run(&args, out),
            Self::Models(args) => models::run(&args, out),
            Self::Pull(args) => pull::run(&args, out),
            Self::Hooks(args) => hooks::run(&args, out),
            Self::Config(args) => config::run(&args, out),
            Self::Completions(args) => completions::run(&args, out),
        }
    }
}
