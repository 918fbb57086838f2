//! What a run says while it goes on. Nothing here prints.

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run begins.
    Started {
        /// Items to score.
        total: usize,
        /// Of these, the items that the record already holds.
        resumed: usize,
    },
    /// An item was scored and, if there is a record, written.
    Item {
        /// Items with scores so far, resumed ones included.
        done: usize,
        /// Items to score.
        total: usize,
        /// The task.
        task: String,
        /// The item.
        id: String,
    },
    /// All items have scores.
    Finished {
        /// Items with scores.
        total: usize,
    },
}

/// Who listens to a run.
pub type Sink<'a> = dyn FnMut(Event) + 'a;
