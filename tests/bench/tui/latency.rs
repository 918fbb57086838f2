//! From a key that is written to the pty to the last byte of the frame that shows what it did.
//!
//! The key opens or closes the help, which asks the model for nothing and draws the whole screen anew. A key counts only
//! if the model was at work before it and after it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::session::{Session, SessionError};
use crate::{N_LONG, N_TOKENS, Times, model};

/// Keys of a part.
const KEYS: usize = 400;
/// How long loading and the first answer may take.
const START: Duration = Duration::from_secs(120);
/// How long a frame may take.
const FRAME: Duration = Duration::from_secs(10);
/// How long a part may take; then it ends with the keys that it has.
const PART: Duration = Duration::from_secs(120);
/// A terminal marks what is pasted.
const PASTE: [&str; 2] = ["\x1b[200~", "\x1b[201~"];

fn is_busy(session: &Session) -> bool {
    session.shows("computing")
}

fn is_filling(session: &Session) -> bool {
    session.shows("cells") && session.shows("Esc stops")
}

/// Opens and closes the help; how long each took.
fn toggle(session: &mut Session) -> Result<[Duration; 2], SessionError> {
    let is_open = |session: &Session| session.shows("Esc close");
    session.catch_up();
    let start = Instant::now();
    session.press("?");
    let opened = session.wait("the help", FRAME, is_open)? - start;
    session.catch_up();
    let start = Instant::now();
    session.press("?");
    let closed = session.wait("the end of the help", FRAME, |session| !is_open(session))? - start;
    Ok([opened, closed])
}

/// Presses keys while `holds`; `work` makes it hold again.
fn press_while(session: &mut Session, name: &str, holds: fn(&Session) -> bool, work: &str) -> Result<(), SessionError> {
    let (mut times, begun) = (Times::default(), Instant::now());
    while times.0.len() < KEYS {
        if begun.elapsed() > PART {
            println!("stopped after {} s, {} of {KEYS} keys", PART.as_secs(), times.0.len());
            break;
        }
        session.catch_up();
        if !holds(session) {
            session.press(work);
            session.wait("work", START, holds)?;
        }
        let pair = toggle(session)?;
        if holds(session) {
            times.0.extend(pair);
        }
    }
    println!("{}", times.line(name));
    Ok(())
}

fn start(folder: &Path, text: &str) -> Result<Session, SessionError> {
    let mut session = Session::start(folder, text);
    session.wait("the distribution", START, |session| session.shows("entropy") && !is_busy(session))?;
    Ok(session)
}

/// Nothing runs.
pub(super) fn idle(folder: &Path) -> Result<(), SessionError> {
    let mut session = start(folder, &model::prompt(folder, N_TOKENS))?;
    press_while(&mut session, "idle", |session| !is_busy(session), "")
}

/// One forward pass after the other of a long prompt.
pub(super) fn forward(folder: &Path) -> Result<(), SessionError> {
    let mut session = start(folder, &model::prompt(folder, N_LONG))?;
    // the lens shows every position; another one is another forward pass
    session.press("4");
    session.wait("the lens", START, |session| session.shows("if the model stopped here") && !is_busy(session))?;
    press_while(&mut session, "a forward pass runs", is_busy, "h")
}

/// A grid of every layer and position fills.
pub(super) fn patching(folder: &Path) -> Result<(), SessionError> {
    let text = model::prompt(folder, N_TOKENS);
    let mut session = start(folder, &text)?;
    session.press("6c");
    session.wait("the corrupted prompt's line", FRAME, |session| session.shows("corrupted>"))?;
    // what stands there goes
    session.press("\x15");
    session.press(&format!("{}{}{}", PASTE[0], model::corrupted(folder, &text), PASTE[1]));
    session
        .wait("its tokens", START, |session| session.shows(&format!("{N_TOKENS} tokens, the prompt has {N_TOKENS}")))?;
    session.press("\r");
    session.wait("the first cells", START, is_filling)?;
    press_while(&mut session, "a patching grid fills", is_filling, "s")
}
