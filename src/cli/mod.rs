//! The command line: parses, calls the engine, prints. It contains no logic worth a unit test.

mod args;
mod cmd;
mod exit;
mod figures;
mod folders;
mod gate;
mod intervene;
mod output;
mod progress;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

pub use self::exit::Exit;
use self::output::Output;
use crate::model::CancelToken;

/// A microscope for causal language models: see why the next token is what it is.
#[derive(Parser)]
#[command(name = "lmscope", version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<cmd::Command>,
    /// Options of the terminal UI, which is what runs without a command
    #[command(flatten)]
    tui: cmd::tui::Args,
}

const EXAMPLES: &str = "Examples:
  lmscope                                            explore the embedded model
  lmscope predict \"The cat sat on a\"                 the distribution over the next token
  lmscope lens logit-lens \"The cat sat on a\"         what each layer would predict
  lmscope -m ~/models/SmolLM2-135M                   explore a model of yours
  lmscope pull HuggingFaceTB/SmolLM2-135M            fetch a model; nothing else uses the network
  lmscope eval run reversal-curse                    is knowledge one-directional?

Exit codes: 0 done, 1 the answer is no, 2 could not answer, 130 interrupted";

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    set_threads();
    let cli = Cli::parse();
    let cancel = CancelToken::default();
    let on_interrupt = cancel.clone();
    let handler = ctrlc::set_handler(move || {
        if on_interrupt.is_cancelled() {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        on_interrupt.cancel();
    });
    let mut out = Output::stdout(cancel);
    let result = handler.map_err(anyhow::Error::from).and_then(|()| match cli.command {
        Some(command) => command.run(&mut out),
        None => cmd::tui::run(cli.tui, &mut out),
    });
    let result = result.and_then(|exit| out.finish().map(|()| exit).map_err(anyhow::Error::from));
    ExitCode::from(exit::report(result).code())
}

/// candle looks up the number of cores at every matrix product unless this is set.
fn set_threads() {
    const VARIABLE: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_none() {
        let n = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        #[expect(unsafe_code, reason = "no other thread runs yet: this is the first statement of the program")]
        unsafe {
            std::env::set_var(VARIABLE, n.to_string());
        }
    }
}

/// The definition of the command line, for completions and for the tests of its help.
pub fn definition() -> clap::Command {
    Cli::command()
}
