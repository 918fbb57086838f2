//! Where the numbers of a report come from, and how it was made.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::args::ModelArgs;
use crate::cli::folders;
use crate::cli::output::Output;
use crate::engine::{Loaded, identity};
use crate::eval::record::Run;
use crate::report::Fact;

/// What is known of a model that was loaded.
pub(super) fn of_model(role: &str, args: &ModelArgs, loaded: &Loaded, out: &Output) -> anyhow::Result<Vec<Fact>> {
    let identity = identity(&args.source()?, &folders::hashes(), &out.cancel())?;
    let info = &loaded.info;
    Ok(vec![
        Fact::subject(role, &info.name),
        Fact::subject(&format!("{role}: SHA-256 of weights and configuration"), identity.model),
        Fact::subject(&format!("{role}: fingerprint"), &info.fingerprint),
        Fact::subject(&format!("{role}: SHA-256 of the tokenizer"), identity.tokenizer),
        Fact::subject(&format!("{role}: numbers"), info.precision.describe()),
    ])
}

/// What a record says of its run.
pub(super) fn of_run(role: &str, run: &Run) -> Vec<Fact> {
    let named = |what: &str| format!("{role}: {what}");
    let mut facts = vec![Fact::subject(role, &run.model.name)];
    let known = [
        ("SHA-256 of weights and configuration", run.model.sha256.clone()),
        ("fingerprint", run.model.fingerprint.clone()),
        ("numbers", run.model.precision.clone()),
        ("SHA-256 of the tokenizer", run.tokenizer.as_ref().map(|tokenizer| tokenizer.sha256.clone())),
    ];
    facts.extend(known.into_iter().filter_map(|(what, value)| Some(Fact::subject(&named(what), value?))));
    for task in &run.tasks {
        let hash = task.hash.as_deref().unwrap_or("unknown");
        facts.push(Fact::subject(
            &named(&format!("suite {}", task.name)),
            format!("version {}, SHA-256 {hash}", task.version),
        ));
    }
    if !run.model.interventions.is_empty() {
        facts.push(Fact::subject(&named("interventions"), run.model.interventions.join(", ")));
    }
    facts.push(Fact::subject(&named("seed"), run.settings.seed.map_or_else(|| "none".into(), |seed| seed.to_string())));
    facts.push(Fact::subject(
        &named("run by"),
        format!(
            "lmscope {}, {}",
            run.origin.lmscope_version,
            run.origin.started.as_deref().unwrap_or("at an unknown time")
        ),
    ));
    facts.push(Fact::subject(&named("command"), run.origin.command.join(" ")));
    facts
}

/// How this file was made.
pub(super) fn making(arguments: &[String]) -> Vec<Fact> {
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![
        Fact::making("command", format!("lmscope report {}", arguments.join(" "))),
        Fact::making("lmscope", env!("CARGO_PKG_VERSION")),
        Fact::making("date", now),
        Fact::making("machine", format!("{} {}, {cores} processors", std::env::consts::OS, std::env::consts::ARCH)),
    ]
}
