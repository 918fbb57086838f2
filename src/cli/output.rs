//! Standard output, and the token that Ctrl-C sets.

use std::io::{self, BufWriter, Stdout, Write};

use crate::model::CancelToken;

/// Where commands print.
pub(super) struct Output {
    stdout: BufWriter<Stdout>,
    cancel: CancelToken,
}

impl Output {
    pub(super) fn stdout(cancel: CancelToken) -> Self {
        Self { stdout: BufWriter::new(io::stdout()), cancel }
    }

    /// The token that Ctrl-C sets.
    pub(super) fn cancel(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// Writes what is still buffered.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// A line on standard error: progress and estimates, never results.
    pub(super) fn note(&mut self, line: &str) {
        // results come first where both go to one place; a closed standard error must not stop the work
        let _ = self.stdout.flush();
        let _ = writeln!(io::stderr(), "{line}");
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stdout.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
