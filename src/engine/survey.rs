//! What the files of the loaded model say: its description, and the numbers in one of its tensors.

use std::sync::Arc;

use super::{Described, Engine, EngineError, Event, EventSink, Inquiry, OpenError, Outcome, Progress, describe};
use crate::model::CancelToken;
use crate::model::checkpoint::gguf::GgufCheckpoint;
use crate::model::checkpoint::survey::{Survey, survey};
use crate::model::checkpoint::{Checkpoint, SafetensorsCheckpoint};
use crate::model::load::{LoadError, directory_header, gguf_header, weight_files};
use crate::model::source::{FileBytes, ModelSource};

impl Engine {
    pub(super) fn describe(&self, n_tokens: usize) -> Result<Outcome, EngineError> {
        let (source, options) = self.source.as_ref().ok_or(EngineError::NoFiles)?;
        let description = describe(source, Inquiry { options: *options, n_tokens })?;
        let header = match source {
            ModelSource::Gguf(path) => {
                FileBytes::map(path).and_then(|bytes| gguf_header(&GgufCheckpoint::new(path, &bytes)?, path.clone()))
            }
            ModelSource::Directory(_) | ModelSource::Embedded(_) => directory_header(source),
        };
        let tensors = header.map_err(|error| unreadable(source, error))?.tensors;
        Ok(Outcome::Described(Arc::new(Described { description, tensors })))
    }

    pub(super) fn survey(
        &self,
        tensor: &str,
        cancel: &CancelToken,
        sink: &mut dyn EventSink,
    ) -> Result<Outcome, EngineError> {
        let (source, _) = self.source.as_ref().ok_or(EngineError::NoFiles)?;
        let mut tell = |done, total| sink.send(Event::Progress(Progress { done, total, unit: "rows" }));
        let mut look = |checkpoint: &dyn Checkpoint| {
            let missing = || EngineError::NoTensor { name: tensor.to_owned() };
            survey(checkpoint, tensor, cancel, &mut tell)?.ok_or_else(missing)
        };
        let found: Survey = match source {
            ModelSource::Gguf(path) => {
                let bytes = FileBytes::map(path).map_err(|error| unreadable(source, error))?;
                look(&GgufCheckpoint::new(path, &bytes).map_err(|error| unreadable(source, error))?)
            }
            ModelSource::Directory(_) | ModelSource::Embedded(_) => {
                let files = weight_files(source).map_err(|error| unreadable(source, error))?;
                look(&SafetensorsCheckpoint::new(&files).map_err(|error| unreadable(source, error))?)
            }
        }?;
        Ok(Outcome::Surveyed(Arc::new(found)))
    }
}

fn unreadable(source: &ModelSource, error: LoadError) -> EngineError {
    OpenError::Load { model: source.name(), source: error }.into()
}
