//! Runs the binary; whatever a test does not state must be empty.

use std::process::Command;

/// A finished run.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `lmscope` with these arguments.
pub(crate) fn lmscope(args: &[&str]) -> Run {
    lmscope_with(args, &[])
}

/// Runs `lmscope` with these arguments and variables of the hub; those of whoever runs the tests do not count,
/// nor does the width of their terminal.
pub(crate) fn lmscope_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmscope"));
    for (name, _) in std::env::vars() {
        if ["HF_", "XDG_", "LMSCOPE_CACHE", "LMSCOPE_DATA", "SSL_CERT"].iter().any(|prefix| name.starts_with(prefix))
            || name.to_lowercase().ends_with("_proxy")
            || name == "COLUMNS"
        {
            command.env_remove(name);
        }
    }
    // what one test remembers of a model must not show in another
    let cache = tempfile::tempdir().unwrap();
    command.env("XDG_CACHE_HOME", cache.path()).env("XDG_DATA_HOME", cache.path());
    let output = command.args(args).envs(variables.iter().copied()).output().unwrap();
    Run {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// The output of a run that must have succeeded silently.
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""));
        self.stdout
    }

    /// The error of a run that must have failed with status 2 and printed nothing else.
    pub(crate) fn refused(self) -> String {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self.stderr
    }
}
