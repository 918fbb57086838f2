//! Runs the binary; whatever a test does not state must be empty.

use std::process::Command;

/// A finished run.
pub(super) struct Run {
    pub(super) status: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs `lmscope` with these arguments.
pub(super) fn lmscope(args: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_lmscope")).args(args).output().unwrap();
    Run {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// The output of a run that must have succeeded silently.
    pub(super) fn ok(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""));
        self.stdout
    }

    /// The error of a run that must have failed with status 2 and printed nothing else.
    pub(super) fn refused(self) -> String {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}
