//! What a run says while it goes on. Nothing here prints.

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvalEvent {
    /// The run begins.
    Started {
        /// Items to score.
        total: usize,
        /// Items that the record already holds.
        resumed: usize,
    },
    /// An item was scored and, if there is a record, written.
    Item {
        /// Items with scores so far, resumed ones included.
        done: usize,
        /// Items to score.
        total: usize,
        /// Which one.
        id: String,
        /// Whether asking a for b gave the exact answer.
        forward: bool,
        /// Whether asking b for a did.
        reverse: bool,
    },
    /// All items have scores.
    Finished {
        /// Items with scores.
        total: usize,
    },
}

/// Who listens to a run.
pub trait EvalSink {
    /// Called after each step.
    fn event(&mut self, event: EvalEvent);
}

impl<F: FnMut(EvalEvent)> EvalSink for F {
    fn event(&mut self, event: EvalEvent) {
        self(event);
    }
}
