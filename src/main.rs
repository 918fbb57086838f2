//! The `lmscope` binary: everything is in the library, but for where memory comes from.

use std::ffi::c_long;
use std::process::ExitCode;

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's `mi_option_purge_delay`, which its bindings leave out.
const PURGE_DELAY: mi_option_t = 15;
/// How long freed memory is kept. A forward pass frees the tensors of a layer to ask for as much at the next one, and a
/// batch of an evaluation, seconds long, asks for what the one before it freed; memory that has been given back comes
/// again page by page, cleared by the system.
const KEPT_MILLISECONDS: c_long = 10_000;

fn main() -> ExitCode {
    #[expect(unsafe_code, reason = "a call across the language border; no other thread runs yet, as it asks for")]
    // what stands in the environment, as MIMALLOC_PURGE_DELAY, goes before
    unsafe {
        mi_option_set_default(PURGE_DELAY, KEPT_MILLISECONDS);
    }
    lmscope::cli::main()
}
