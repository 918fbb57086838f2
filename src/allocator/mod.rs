//! Where memory comes from: mimalloc, which keeps what was freed for a while. It must not know who asks.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};
pub use mimalloc::MiMalloc as Allocator;

/// mimalloc's `mi_option_purge_delay`, which its bindings leave out.
const PURGE_DELAY: mi_option_t = 15;
/// How long freed memory is kept. A forward pass frees the tensors of a layer to ask for as much at the next one, a batch
/// of an evaluation, seconds long, asks for what the one before it freed, and whoever reads a trace asks for the next one
/// within a minute; memory that has been given back comes again page by page, cleared by the system.
const KEPT_MILLISECONDS: c_long = 60_000;

/// Keeps freed memory for a while. What stands in the environment, as `MIMALLOC_PURGE_DELAY`, goes before.
pub fn keep_freed() {
    #[expect(unsafe_code, reason = "a call across the language border, which sets a number that is atomic there")]
    unsafe {
        mi_option_set_default(PURGE_DELAY, KEPT_MILLISECONDS);
    }
}
