//! `lmscope pull`

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::Exit;
use crate::cli::args::settings;
use crate::cli::output::Output;
use crate::eval::repository;
use crate::hub::{DATASETS, DatasetName, DatasetPull, How, ModelName, PullEvent, Pulled, Settings, Watch, pull};
use crate::model::CancelToken;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope pull HuggingFaceTB/SmolLM2-135M\n  lmscope pull openai-community/gpt2@main\n  lmscope pull HuggingFaceTB/SmolLM2-135M-Instruct-GGUF smollm2-135m-instruct-q8_0.gguf\n  lmscope pull hf://datasets/openai/gsm8k main\n\nThen: lmscope -m HuggingFaceTB/SmolLM2-135M\n\nFetched are configuration, tokenizer and safetensors, or the one GGUF file; never pickles. Of a data set: its card and\nits files of data, or those of one configuration. A transfer that broke off goes on where it stopped. HF_TOKEN opens\nwhat is gated; HF_HOME, HF_HUB_CACHE and HF_ENDPOINT say where things are."
)]
pub(in crate::cli) struct Args {
    /// The model on the hub, or a data set behind `hf://datasets/`, with a branch, tag or commit behind @ if it is not main
    #[arg(value_name = "ORG/NAME[@REV]")]
    name: String,
    /// One GGUF file of a model, or one configuration of a data set
    #[arg(value_name = "FILE.gguf|CONFIG")]
    part: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    if args.name.starts_with(DATASETS) {
        return dataset(args, out);
    }
    let mut name = ModelName::parse(&args.name)?;
    if let Some(file) = &args.part {
        name = name.with_file(file)?;
    }
    let mut bars = Bars::new(out);
    let pulled = pull(&settings(), &name, &mut bars);
    bars.clear();
    let pulled = pulled.with_context(|| format!("cannot fetch `{name}`"))?;
    if std::io::stderr().is_terminal() {
        out.note(&format!("in {}; next: lmscope -m {}", pulled.snapshot.display(), name.model_arg()));
    }
    Ok(Exit::Done)
}

fn dataset(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let name = DatasetName::parse(&args.name)?;
    let mut bars = Bars::new(out);
    let pulled = pull_dataset(&settings(), &name, args.part.as_deref(), &mut bars);
    bars.clear();
    let pulled = pulled.with_context(|| format!("cannot fetch the data set `{name}`"))?;
    if std::io::stderr().is_terminal() {
        out.note(&format!("in {}; in a task file: dataset_path: {}", pulled.snapshot.display(), name.repo.as_str()));
    }
    Ok(Exit::Done)
}

/// Fetches the card, which says what else is wanted.
fn pull_dataset(
    settings: &Settings,
    name: &DatasetName,
    config: Option<&str>,
    watch: &mut dyn Watch,
) -> anyhow::Result<Pulled> {
    let mut pull = DatasetPull::begin(settings, name, watch)?;
    let card = pull.card()?;
    let wanted = repository::needed(name, card.as_deref(), pull.files(), config)?;
    Ok(pull.fetch(wanted)?)
}

/// A line a file on standard output; bars on a terminal.
struct Bars<'a> {
    out: &'a mut Output,
    cancel: CancelToken,
    screen: Option<Screen>,
}

/// A bar for the file that is being fetched, and one for all of them.
struct Screen {
    bars: MultiProgress,
    file: ProgressBar,
    total: ProgressBar,
}

impl Screen {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let bar = |template| {
            let bar = bars.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        let file = bar("{bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {msg}");
        let total = bar("{bar:30} {decimal_bytes}/{decimal_total_bytes} {eta} left in all");
        Self { bars, file, total }
    }
}

impl<'a> Bars<'a> {
    fn new(out: &'a mut Output) -> Self {
        Self { cancel: out.cancel(), out, screen: None }
    }

    fn clear(&self) {
        if let Some(screen) = &self.screen {
            screen.file.finish_and_clear();
            screen.total.finish_and_clear();
        }
    }

    fn line(&mut self, line: &str) {
        let out = &mut *self.out;
        // a closed standard output must not break off a transfer: the file is in the cache all the same
        let mut write = || drop(writeln!(out, "{line}").and_then(|()| out.flush()));
        match &self.screen {
            Some(screen) => screen.bars.suspend(write),
            None => write(),
        }
    }
}

impl Watch for Bars<'_> {
    fn event(&mut self, event: PullEvent<'_>) {
        if let PullEvent::Finished { file, bytes, how } = event {
            let how = match how {
                How::Fetched => "fetched".to_owned(),
                How::Resumed { from } => format!("fetched from {} on", DecimalBytes(from)),
                How::AlreadyThere => "already there".to_owned(),
            };
            self.line(&format!("{file}  {}  {how}", DecimalBytes(bytes)));
        }
        if matches!(event, PullEvent::Planned { bytes: 1.. }) && self.screen.is_none() {
            self.screen = std::io::stderr().is_terminal().then(Screen::new);
        }
        let Some(screen) = &self.screen else { return };
        match event {
            PullEvent::Planned { bytes } => screen.total.inc_length(bytes),
            PullEvent::Started { file, bytes, done } => {
                // what came before the server began anew does not count
                screen.total.dec(screen.file.position());
                screen.file.reset();
                screen.file.set_length(bytes);
                screen.file.set_position(done);
                screen.file.set_message(file.to_owned());
                screen.total.inc(done);
            }
            PullEvent::Received { bytes } => {
                screen.file.inc(bytes);
                screen.total.inc(bytes);
            }
            PullEvent::Finished { .. } => screen.file.reset(),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
