//! The clipboard, through the terminal: OSC 52, which reaches the machine that one sits at, over ssh as well.

use std::io;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;

/// Bytes of a text that terminals take: their limit of 100,000 characters, in base64.
const LIMIT: usize = 74_994;

/// A text that could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Terminals drop what is longer, and do not say so.
    #[error("not copied: {found} bytes, and terminals take {LIMIT} at most; write a file instead")]
    TooLong {
        /// Bytes of the text.
        found: usize,
    },
    /// The terminal refused.
    #[error("not copied: {0}")]
    Terminal(#[from] io::Error),
}

/// Asks the terminal to put a text into the clipboard; answers its length in bytes.
pub(super) fn copy(text: &str) -> Result<usize, CopyError> {
    let n = checked(text)?;
    execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))?;
    Ok(n)
}

const fn checked(text: &str) -> Result<usize, CopyError> {
    if text.len() > LIMIT { Err(CopyError::TooLong { found: text.len() }) } else { Ok(text.len()) }
}

/// What became of it, in words. A terminal does not say whether it did as it was asked.
pub(super) fn told(result: &Result<usize, CopyError>) -> String {
    match result {
        Ok(n) => format!("{n} bytes sent to the terminal's clipboard (OSC 52)"),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_terminals_would_drop_is_refused() {
        assert_eq!(checked(&"x".repeat(LIMIT)).unwrap(), LIMIT);
        let error = checked(&"x".repeat(LIMIT + 1)).unwrap_err();
        assert!(error.to_string().contains("74995 bytes"), "{error}");
    }
}
