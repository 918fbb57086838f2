//! Every key of the error box does in the real binary what the table says.

use lmscope::tui::action::{Action, Move};
use lmscope::tui::keymap::{Context, key_name, rows};

use super::drive::bytes;
use super::pty::Session;

/// What the box says of a file that cannot be written.
const TITLE: &str = " Error ";
/// What its first line says.
const FIRST: &str = "cannot write";
/// More of a name than the smallest terminal shows at a time.
const N_PARTS: usize = 60;
/// What a terminal is sent for its clipboard.
const CLIPBOARD: &[u8] = b"\x1b]52;";

/// The program with an error on its screen, which needs more rows than there are.
fn with_error() -> Session {
    let mut session = Session::start_with(&["tui"], tempfile::tempdir().unwrap());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    session.resize(40, 10);
    open(&mut session);
    session
}

fn open(session: &mut Session) {
    let parts: Vec<String> = (0..N_PARTS).map(|at| format!("part-{at}")).collect();
    session.press("w");
    session.wait("the name's line", |screen| screen.contents().contains("save session as>"));
    session.press("\x15");
    // pasted, as a terminal marks it
    session.press(&format!("\x1b[200~/{}\x1b[201~", parts.join("/")));
    session.wait("the name", |screen| screen.contents().contains(&format!("part-{}", N_PARTS - 1)));
    session.press("\r");
    session.wait("the error", |screen| screen.contents().contains(TITLE) && screen.contents().contains(FIRST));
}

#[test]
fn keys_of_the_error_box_scroll_copy_and_close_it() {
    let mut session = with_error();
    for binding in rows(Context::Error) {
        for key in binding.keys.iter() {
            let name = key_name(*key);
            session.sent.clear();
            match binding.action {
                Action::Cursor(Move::On) => {
                    session.press(&bytes(*key));
                    session.wait(&format!("lines further down after {name}"), |screen| {
                        screen.contents().contains(TITLE) && !screen.contents().contains(FIRST)
                    });
                    session.press("\x1b[A");
                    session.wait("the first line again", |screen| screen.contents().contains(FIRST));
                }
                Action::Cursor(Move::Back) => {
                    session.press("\x1b[B");
                    session.wait("lines further down", |screen| !screen.contents().contains(FIRST));
                    session.press(&bytes(*key));
                    session.wait(&format!("the first line after {name}"), |screen| screen.contents().contains(FIRST));
                }
                Action::Copy => {
                    session.press(&bytes(*key));
                    session.wait("what was copied", |screen| screen.contents().contains("bytes sent"));
                    let is_sent = session.sent.windows(CLIPBOARD.len()).any(|bytes| bytes == CLIPBOARD);
                    assert!(is_sent, "{name} copies nothing");
                }
                Action::Close => {
                    session.press(&bytes(*key));
                    session.wait(&format!("no error after {name}"), |screen| !screen.contents().contains(TITLE));
                    open(&mut session);
                }
                Action::Quit => {
                    session.press(&bytes(*key));
                    session.ends_restored();
                    session = with_error();
                }
                other => panic!("what does {other:?} do in an error box?"),
            }
        }
    }
}
