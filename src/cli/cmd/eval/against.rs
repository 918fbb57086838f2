//! `lmscope eval run --against`: a second model is asked the same items, after the first one, which is given up before.

use std::collections::HashSet;
use std::io::Write as _;

use super::asked::ChatTurns;
use super::run::{Args, Measured, measure};
use super::source::Source;
use super::{EvalFormat, print};
use crate::cli::Exit;
use crate::cli::args::hub_cache;
use crate::cli::intervene::InterveneArgs;
use crate::cli::output::Output;
use crate::engine::open_text_side;
use crate::eval::against::{self, Divergences, FOLDER, against};
use crate::eval::divergence::Rows;
use crate::eval::tables;
use crate::intervene::Intervened;
use crate::model::source::ModelSource;

/// A second model.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Second model")]
pub(super) struct AgainstArgs {
    /// Ask this model the same items after that of -m, and print the paired differences; interventions are of -m alone
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["baseline", "shard"])]
    against: Option<String>,
    /// Ask the second model through its chat template; --chat is of the first one alone
    #[arg(
        long,
        value_enum,
        value_name = "TURNS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "each",
        requires = "against"
    )]
    against_chat: Option<ChatTurns>,
}

impl AgainstArgs {
    /// Whether there is a second model.
    pub(super) fn is_asked(&self) -> bool {
        self.against.is_some()
    }
}

/// Asks both models, one after the other, and tells how they differ.
pub(super) fn run(args: &Args, out: &mut Output) -> anyhow::Result<Exit> {
    let mut second = second(args);
    check_template(&second)?;
    let a = measure(args, out)?;
    second.output = Some(a.folder.join(FOLDER));
    let rows = rows(&a, out)?;
    // the weights of one model are all that is held
    let Measured { identified, tasks, record, folder } = a;
    drop(identified);
    let b = measure(&second, out)?;
    let divergences = divergences(rows, &b, out)?;
    let found = against(&tasks, [&record, &b.record], &divergences)?;
    against::write(&folder, &found)?;
    if let EvalFormat::Table = args.format {
        for record in [&record, &b.record] {
            print(out, args.format, &tables::results(&record.run)?, &record.run)?;
            writeln!(out)?;
        }
    }
    print(out, args.format, &against::figures(&found)?, &found)?;
    out.note(&format!("record: {}, and in it {FOLDER} and {}", folder.display(), against::FILE));
    Ok(Exit::Done)
}

/// How the second model is asked.
fn second(args: &Args) -> Args {
    let mut second = args.clone();
    if let Some(model) = &args.against.against {
        second.model.model.clone_from(model);
    }
    second.intervene = InterveneArgs::default();
    second.asked = args.asked.with_chat(args.against.against_chat);
    second
}

/// A template that the second model has not is told before the first one is asked.
fn check_template(second: &Args) -> anyhow::Result<()> {
    let model = &second.model.model;
    if model.starts_with("replay:") {
        return Ok(());
    }
    let words = open_text_side(&ModelSource::from_arg(model, &hub_cache())?)?;
    second.asked.options(second.seed, (words.chat.as_ref(), model), &hub_cache())?;
    Ok(())
}

/// What a model says along the texts of its tasks; a record has no distributions.
fn rows(measured: &Measured, out: &Output) -> anyhow::Result<Option<Rows>> {
    let Source::Model { loaded, interventions, .. } = &measured.identified.source else { return Ok(None) };
    let lm = Intervened::new(&loaded.decoder, interventions);
    let items = measured.record.items.iter();
    let asked: HashSet<(&str, &str)> = items.map(|item| (item.task.as_str(), item.id.as_str())).collect();
    let is_asked = |task: &str, id: &str| asked.contains(&(task, id));
    Ok(Rows::of(&measured.tasks, &is_asked, (&lm, &loaded.tokenizer), &out.cancel())?)
}

/// How far both models' distributions are apart; nothing where their tokens differ, which is said.
fn divergences(of_a: Option<Rows>, b: &Measured, out: &mut Output) -> anyhow::Result<Divergences> {
    let Some(of_a) = of_a else { return Ok(Divergences::new()) };
    let Some(of_b) = rows(b, out)? else { return Ok(Divergences::new()) };
    match of_a.against(&of_b) {
        Ok(found) => Ok(found),
        Err(error) => {
            out.note(&format!("warning: {error}"));
            Ok(Divergences::new())
        }
    }
}
