//! A fence around libraries that panic on some of the files that they accept: that of tokenizers (a template that names a
//! token it does not define, for one), and that of Parquet. The panic becomes an error, and nothing is printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected and told as an error.
    static IS_FENCED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// What `work` returns, or what it panicked with. What it has changed by then must not be used again.
pub(crate) fn fenced<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_FENCED.get() {
                before(info);
            }
        }));
    });
    let outer = IS_FENCED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_FENCED.set(outer);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::fenced;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(fenced(|| 7), Ok(7));
        assert_eq!(fenced(|| -> u8 { panic!("no entry") }), Err("no entry".to_owned()));
        assert_eq!(fenced(|| -> u8 { panic!("no {}", 7) }), Err("no 7".to_owned()));
    }
}
