//! `lmscope eval list`, `show` and `validate`: what suites ask, before anything is run.

use std::io::Write as _;

use super::EvalFormat;
use super::asked::AskArgs;
use crate::cli::Exit;
use crate::cli::args::{ModelArgs, hub_cache};
use crate::cli::output::Output;
use crate::engine::open_text_side;
use crate::eval::request::{GenerateUntil, Loglikelihood, Request};
use crate::eval::task::{Task, TaskItem};
use crate::eval::{self, BUILTIN, PrepareOptions};
use crate::text::Tokenizer;

#[derive(clap::Args)]
#[command(after_help = "Example:\n  lmscope eval list --format json")]
pub(super) struct ListArgs {
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: EvalFormat,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  lmscope eval show reversal-curse\n  lmscope eval show tasks/capitals.yaml --item 3 -m model.gguf"
)]
pub(super) struct ShowArgs {
    /// A suite in the binary, a folder, or a file: suite.toml, or a task file of lm-evaluation-harness
    #[arg(value_name = "SUITE")]
    suite: String,
    /// The item's name; the first one unless given
    #[arg(long, value_name = "ID")]
    item: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    asked: AskArgs,
}

#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  lmscope eval validate evals/mine tasks/capitals.yaml\n\nExit status: 0 nothing is wrong, 2 something is."
)]
pub(super) struct ValidateArgs {
    /// Suites in the binary, folders, or files
    #[arg(value_name = "SUITE", required = true)]
    suites: Vec<String>,
}

/// The suites in the binary.
pub(super) fn list(args: &ListArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let mut all = Vec::new();
    for suite in BUILTIN {
        all.extend(eval::outline(suite.name, &PrepareOptions::default())?);
    }
    if let EvalFormat::Json = args.format {
        serde_json::to_writer_pretty(&mut *out, &all)?;
        writeln!(out)?;
        return Ok(Exit::Done);
    }
    for outline in all {
        let (version, items) = (&outline.version, outline.items);
        let quick = outline.quick.map_or_else(String::new, |n| format!(" ({n} quick)"));
        writeln!(out, "{}  version {version}, {items} items{quick}: {}", outline.name, outline.about)?;
    }
    Ok(Exit::Done)
}

/// Says all that is wrong.
pub(super) fn validate(args: &ValidateArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let hub = hub_cache();
    for suite in &args.suites {
        match eval::outline(suite, &PrepareOptions { hub: Some(&hub), ..PrepareOptions::default() }) {
            Ok(outlines) => {
                for outline in outlines {
                    for note in &outline.notes {
                        writeln!(out, "note: {}", one_line(note))?;
                    }
                    let (version, items, kind) = (&outline.version, outline.items, &outline.output_type);
                    writeln!(out, "{}  version {version}, {kind}, {items} items: nothing is wrong", outline.name)?;
                }
            }
            Err(eval::prepare::Error::Problems { problems, .. }) => {
                for problem in problems {
                    writeln!(out, "{}", one_line(&problem.to_string()))?;
                }
                exit = Exit::Error;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit)
}

/// Shows an item as the model is asked it.
pub(super) fn show(args: &ShowArgs, out: &mut Output) -> anyhow::Result<Exit> {
    let hub = hub_cache();
    eval::outline(&args.suite, &PrepareOptions { hub: Some(&hub), ..PrepareOptions::default() })?;
    let source = args.model.source()?;
    // no weights are read: what is asked is a matter of words
    let words = open_text_side(&source)?;
    let options = args.asked.options(0, (words.chat.as_ref(), &source.name()), &hub)?;
    let tasks = eval::prepare(&args.suite, &words.tokenizer, &options)?;
    for task in &tasks {
        let wanted = |item: &&TaskItem| args.item.as_ref().is_none_or(|id| item.id == *id);
        let Some(item) = task.items.iter().find(wanted) else {
            anyhow::bail!("show item `{}`: {} has none of that name", args.item.as_deref().unwrap_or(""), task.name);
        };
        show_item(task, item, &words.tokenizer, out)?;
    }
    Ok(Exit::Done)
}

fn show_item(task: &Task, item: &TaskItem, tokenizer: &Tokenizer, out: &mut Output) -> anyhow::Result<()> {
    let (kind, n) = (&task.output_type, task.items.len());
    writeln!(out, "{}  version {}, {kind}, {} examples, {n} items", task.name, task.version, task.n_shot)?;
    writeln!(out, "item {}  target {}", item.id, one_line(&item.target))?;
    for (name, value) in &item.doc {
        writeln!(out, "  {}: {}", one_line(name), one_line(&value.to_string()))?;
    }
    let mut shown = None;
    for (at, request) in (1..).zip(&item.requests) {
        let context = context(request);
        if shown != Some(context) {
            writeln!(out, "\n--- context\n{}\n---", lines(context))?;
            shown = Some(context);
        }
        write!(out, "{at}. ")?;
        match request {
            Request::Loglikelihood(request) => show_scored(request, tokenizer, out)?,
            Request::LoglikelihoodRolling(request) => show_whole(&request.text, tokenizer, out)?,
            Request::Compress(request) => {
                show_whole(&request.text, tokenizer, out)?;
                writeln!(out, "   compressed and read back")?;
            }
            Request::LoglikelihoodStrided(request) => {
                show_whole(&request.text, tokenizer, out)?;
                writeln!(out, "   in windows of {} tokens that move on by {}", request.window, request.stride)?;
            }
            Request::GenerateUntil(request) => show_generated(request, tokenizer, out)?,
            Request::SampleUntil(request) => {
                show_generated(&request.asked, tokenizer, out)?;
                let temperature = f64::from(request.temperature_milli) / 1000.0;
                writeln!(out, "   drawn at temperature {temperature} with seed {}", request.seed)?;
            }
        }
    }
    Ok(())
}

fn context(request: &Request) -> &str {
    match request {
        Request::LoglikelihoodRolling(_) | Request::LoglikelihoodStrided(_) | Request::Compress(_) => "",
        other => other.given(),
    }
}

/// Tokens of the context that are shown before the boundary.
const BEFORE: usize = 6;

fn show_scored(request: &Loglikelihood, tokenizer: &Tokenizer, out: &mut Output) -> anyhow::Result<()> {
    let split = request.inspect(tokenizer)?;
    let (context, scored) = split.ids.split_at(split.boundary);
    let from = context.len().saturating_sub(BEFORE);
    let lints: Vec<String> = split.lints.iter().map(|lint| format!("  lint: {lint}")).collect();
    let more = if from > 0 { "… " } else { "" };
    writeln!(
        out,
        "{more}{} ‖ {}  ({} + {} tokens){}",
        pieces(&context[from..], tokenizer),
        pieces(scored, tokenizer),
        context.len(),
        scored.len(),
        lints.concat()
    )?;
    Ok(())
}

fn show_whole(text: &str, tokenizer: &Tokenizer, out: &mut Output) -> anyhow::Result<()> {
    let ids = tokenizer.encode(text)?;
    writeln!(out, "‖ {}  ({} tokens)", pieces(&ids, tokenizer), ids.len())?;
    Ok(())
}

fn show_generated(request: &GenerateUntil, tokenizer: &Tokenizer, out: &mut Output) -> anyhow::Result<()> {
    let ids = tokenizer.encode(&request.context)?;
    let from = ids.len().saturating_sub(BEFORE);
    let more = if from > 0 { "… " } else { "" };
    let (last, until) = (pieces(&ids[from..], tokenizer), &request.until);
    writeln!(out, "{more}{last} ‖ up to {} tokens, until {until:?}  ({} tokens)", request.max_new, ids.len())?;
    Ok(())
}

fn pieces(ids: &[u32], tokenizer: &Tokenizer) -> String {
    ids.iter().map(|id| tokenizer.visible(*id)).collect::<Vec<_>>().join("|")
}

/// Without characters that move the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn lines(text: &str) -> String {
    text.split('\n').map(one_line).collect::<Vec<_>>().join("\n")
}
