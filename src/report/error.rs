//! Reports that cannot be written or read.

use std::path::PathBuf;

/// A report that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A figure could not be drawn or written.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// Numbers did not become JSON, or a file is none.
    #[error("this is not the JSON of a report")]
    Json(#[from] serde_json::Error),
    /// The page's template failed.
    #[error("the page cannot be rendered")]
    Page(#[from] minijinja::Error),
    /// Data could not be packed or unpacked.
    #[error("the data of the report are damaged")]
    Pack(#[from] std::io::Error),
    /// Data that are no base64.
    #[error("the data of the report are damaged")]
    Base64(#[from] base64::DecodeError),
    /// A file that is no report.
    #[error("`{}` is no report of lmscope: {what}", file.display())]
    NoReport {
        /// The file.
        file: PathBuf,
        /// What is missing.
        what: String,
    },
}
