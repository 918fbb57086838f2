//! Where memory comes from: mimalloc, which keeps what was freed until the system needs it. It must not know who asks.

use std::ffi::c_long;
use std::sync::{Mutex, PoisonError};

use libmimalloc_sys::{mi_collect, mi_option_get, mi_option_set, mi_option_set_default, mi_option_t};
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's `mi_option_purge_decommits`, which its bindings leave out: whether freed memory goes back to the system at
/// once, or is marked as free to be taken whenever the system has too little (`MADV_FREE`).
const PURGE_DECOMMITS: mi_option_t = 5;
/// Its `mi_option_purge_delay`, which they leave out as well.
const PURGE_DELAY: mi_option_t = 15;
/// How long freed memory is kept before the system may take it. A forward pass frees the tensors of a layer to ask for as
/// much at the next one, a batch of an evaluation, seconds long, asks for what the one before it freed, and whoever reads
/// a trace asks for the next one after a while; memory that has been given back comes again page by page, cleared by the
/// system.
const KEPT_MILLISECONDS: c_long = 60_000;

/// Keeps freed memory for a while, and then until the system asks for it. What stands in the environment, as
/// `MIMALLOC_PURGE_DELAY` and `MIMALLOC_PURGE_DECOMMITS`, goes before.
pub fn keep_freed() {
    for (option, value) in [(PURGE_DELAY, KEPT_MILLISECONDS), (PURGE_DECOMMITS, 0)] {
        #[expect(unsafe_code, reason = "a call across the language border, which sets a number that is atomic there")]
        unsafe {
            mi_option_set_default(option, value);
        }
    }
}

/// Does `work`, which asks for many small pieces and frees most of them, so that it leaves no more than it keeps. Of pages
/// of 2 MiB, which mimalloc asks the system for, parts would stay empty: pages are small meanwhile, for all threads. What
/// this thread freed goes back to the system at once.
pub fn in_small_pages<R>(work: impl FnOnce() -> R) -> R {
    let small_pages = SmallPages::begin();
    let result = work();
    give_back();
    drop(small_pages);
    result
}

fn give_back() {
    #[expect(unsafe_code, reason = "calls across the language border; options are numbers that are atomic there")]
    unsafe {
        let decommits = mi_option_get(PURGE_DECOMMITS);
        mi_option_set(PURGE_DECOMMITS, 1);
        mi_collect(true);
        mi_option_set(PURGE_DECOMMITS, decommits);
    }
}

/// While one lives, new memory comes in small pages; where the system has no such choice, it does nothing.
struct SmallPages;

/// Those that live: pages are the whole process's, and the last one to end makes them large again.
static SMALL: Mutex<Users> = Mutex::new(Users { n: 0, were_large: false });

struct Users {
    n: usize,
    were_large: bool,
}

impl SmallPages {
    fn begin() -> Self {
        let mut users = SMALL.lock().unwrap_or_else(PoisonError::into_inner);
        if users.n == 0 {
            users.were_large = pages::are_large() && pages::set_large(false);
        }
        users.n += 1;
        Self
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        let mut users = SMALL.lock().unwrap_or_else(PoisonError::into_inner);
        users.n -= 1;
        if users.n == 0 && users.were_large {
            pages::set_large(true);
        }
    }
}

/// Whether the system may give this process large pages; what it refuses to say or to change stays as it is.
#[cfg(target_os = "linux")]
mod pages {
    use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

    pub(super) fn are_large() -> bool {
        transparent_huge_pages_are_disabled().is_ok_and(|disabled| !disabled)
    }

    /// Whether it is so now.
    pub(super) fn set_large(large: bool) -> bool {
        disable_transparent_huge_pages(!large).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod pages {
    pub(super) const fn are_large() -> bool {
        false
    }

    pub(super) const fn set_large(_: bool) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pages_are_small_until_the_work_is_done() {
        let (during, inner) = in_small_pages(|| (pages::are_large(), in_small_pages(pages::are_large)));
        assert!(!during && !inner);
    }
}
