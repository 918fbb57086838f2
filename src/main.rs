//! The `lmscope` binary: everything is in the library.

use std::process::ExitCode;

use lmscope::allocator::{Allocator, keep_freed};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    keep_freed();
    lmscope::cli::main()
}
