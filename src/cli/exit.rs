//! Exit codes, and how errors are told.

use std::io::{self, Write as _};

use super::args::{NotOneToken, TooMuchMemory};
use super::cmd::eval::asked::NoTemplate;
use super::cmd::eval::bless::Unfinished;
use crate::config::ConfigError;
use crate::engine::{EngineError, OpenError};
use crate::export::ExportError;
use crate::intervene::vector::SaveError;
use crate::lens::LensError;
use crate::model::load::LoadError;
use crate::probe::ProbeError;
use crate::probe::patching::PatchError;
use crate::session::SessionError;
use crate::{compress, eval, hook, hub, intervene, model, text, verify};

/// What the process ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or the gate passed.
    Done,
    /// The answer is no.
    No,
    /// There is no answer.
    Error,
    /// There is too little to tell, and that was not to pass.
    Inconclusive,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Error => 2,
            Self::Inconclusive => 3,
            Self::Interrupted => 130,
        }
    }
}

/// Prints an error with its causes and a hint, and says how the process ends.
pub(super) fn report(result: anyhow::Result<Exit>) -> Exit {
    let error = match result {
        Ok(exit) => return exit,
        Err(error) => error,
    };
    if is_broken_pipe(&error) {
        return Exit::Done;
    }
    if is_cancelled(&error) {
        return Exit::Interrupted;
    }
    let mut text = format!("error: {}\n", printable(&error.to_string()));
    let mut last = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // a transparent error repeats its source
        if cause != last {
            text.push_str(&format!("  caused by: {}\n", printable(&cause)));
        }
        last = cause;
    }
    if let Some(hint) = hint(&error) {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    // nothing can be said if standard error is closed
    let _ = io::stderr().write_all(text.as_bytes());
    Exit::Error
}

/// A message in which a name or value from a file can neither move the cursor nor fill the screen; a list of mistakes has
/// a line for each.
fn printable(message: &str) -> String {
    const OF_A_LINE: usize = 2000;
    const LINES: usize = 110;
    let escape = |c: char| -> String { if c.is_control() { c.escape_default().collect() } else { c.to_string() } };
    let cut = |line: &str| {
        let mut text: String = line.chars().take(OF_A_LINE).map(escape).collect();
        if line.chars().nth(OF_A_LINE).is_some() {
            text.push('…');
        }
        text
    };
    let mut lines: Vec<String> = message.split('\n').take(LINES).map(cut).collect();
    if message.split('\n').nth(LINES).is_some() {
        lines.push("…".into());
    }
    lines.join("\n")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref::<model::Error>(), Some(model::Error::Cancelled))
            || matches!(cause.downcast_ref::<EngineError>(), Some(EngineError::Cancelled))
            || cause.downcast_ref::<OpenError>().is_some_and(OpenError::is_cancelled)
            || matches!(cause.downcast_ref::<hub::Error>(), Some(hub::Error::Cancelled))
            || cause.downcast_ref::<compress::Error>().is_some_and(compress::Error::is_cancelled)
            || cause.downcast_ref::<compress::packed::Error>().is_some_and(compress::packed::Error::is_cancelled)
            || cause.downcast_ref::<eval::run::Error>().is_some_and(eval::run::Error::is_cancelled)
            || matches!(cause.downcast_ref(), Some(eval::scheduler::Error::Model(model::Error::Cancelled)))
            || cause.downcast_ref::<intervene::Error>().is_some_and(intervene::Error::is_cancelled)
            || cause.downcast_ref::<PatchError>().is_some_and(PatchError::is_cancelled)
            || cause.downcast_ref::<ProbeError>().is_some_and(ProbeError::is_cancelled)
            || cause.downcast_ref::<verify::Error>().is_some_and(verify::Error::is_cancelled)
    })
}

/// The first hint along the chain.
fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let any = cause;
        None.or_else(|| any.downcast_ref::<EngineError>().and_then(EngineError::hint))
            .or_else(|| any.downcast_ref::<OpenError>().and_then(OpenError::hint))
            .or_else(|| any.downcast_ref::<compress::Error>().and_then(compress::Error::hint))
            .or_else(|| any.downcast_ref::<compress::packed::Error>().and_then(compress::packed::Error::hint))
            .or_else(|| any.downcast_ref::<ConfigError>().and_then(ConfigError::hint))
            .or_else(|| any.downcast_ref::<SessionError>().and_then(SessionError::hint))
            .or_else(|| any.downcast_ref::<LoadError>().and_then(LoadError::hint))
            .or_else(|| any.downcast_ref::<LensError>().and_then(LensError::hint))
            .or_else(|| any.downcast_ref::<model::Error>().and_then(model::Error::hint))
            .or_else(|| any.downcast_ref::<text::Error>().and_then(text::Error::hint))
            .or_else(|| any.downcast_ref::<eval::run::Error>().and_then(eval::run::Error::hint))
            .or_else(|| any.downcast_ref::<eval::record::Error>().and_then(eval::record::Error::hint))
            .or_else(|| any.downcast_ref::<eval::merge::Error>().and_then(eval::merge::Error::hint))
            .or_else(|| any.downcast_ref::<eval::cache::Error>().and_then(eval::cache::Error::hint))
            .or_else(|| any.downcast_ref::<eval::backend::Error>().and_then(eval::backend::Error::hint))
            .or_else(|| any.downcast_ref::<eval::gate::Error>().and_then(eval::gate::Error::hint))
            .or_else(|| any.downcast_ref::<eval::against::Error>().and_then(eval::against::Error::hint))
            .or_else(|| any.downcast_ref::<eval::scheduler::Error>().and_then(eval::scheduler::Error::hint))
            .or_else(|| any.downcast_ref::<eval::interop::Error>().and_then(eval::interop::Error::hint))
            .or_else(|| any.downcast_ref::<NoTemplate>().map(NoTemplate::hint))
            .or_else(|| any.downcast_ref::<Unfinished>().map(Unfinished::hint))
            .or_else(|| any.downcast_ref::<eval::prepare::Error>().and_then(eval::prepare::Error::hint))
            .or_else(|| any.downcast_ref::<hub::Error>().and_then(hub::Error::hint))
            .or_else(|| any.downcast_ref::<hook::Error>().and_then(hook::Error::hint))
            .or_else(|| any.downcast_ref::<verify::Error>().and_then(verify::Error::hint))
            .or_else(|| any.downcast_ref::<intervene::Error>().and_then(intervene::Error::hint))
            .or_else(|| any.downcast_ref::<intervene::Problem>().and_then(intervene::Problem::hint))
            .or_else(|| any.downcast_ref::<intervene::ParseError>().map(intervene::ParseError::hint))
            .or_else(|| any.downcast_ref::<SaveError>().and_then(SaveError::hint))
            .or_else(|| any.downcast_ref::<PatchError>().and_then(PatchError::hint))
            .or_else(|| any.downcast_ref::<ProbeError>().and_then(ProbeError::hint))
            .or_else(|| any.downcast_ref::<ExportError>().and_then(ExportError::hint))
            .or_else(|| any.downcast_ref::<NotOneToken>().and_then(NotOneToken::hint))
            .or_else(|| any.downcast_ref::<TooMuchMemory>().map(|error| error.hint.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_ctrl_c_has_stopped_is_no_error() {
        let stopped = OpenError::Load { model: "m".into(), source: LoadError::Cancelled };
        assert_eq!(report(Err(stopped.into())), Exit::Interrupted);
    }
}
