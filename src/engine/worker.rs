//! A thread around the engine, for a caller that must never block.
//!
//! One worker owns the model. Jobs wait in slots: submitting for a slot cancels the job before it, whether it waits
//! or runs, so that holding a key down runs one forward pass and not sixty. Every event carries its job's id, and the
//! caller drops the events of jobs it no longer waits for.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::{Engine, EngineError, Event, JobEvent, Request};
use crate::model::CancelToken;

/// Identifies a submitted job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Jobs of the same slot replace each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

/// An event of a job.
#[derive(Debug)]
pub struct Report {
    /// The job.
    pub job: JobId,
    /// What happened.
    pub event: JobEvent,
}

struct Job {
    id: JobId,
    slot: Slot,
    request: Request,
    cancel: CancelToken,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    running: Option<(Slot, CancelToken)>,
    closed: bool,
}

#[derive(Default)]
struct Mailbox {
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// A handle on the thread that owns the model; dropping it cancels everything.
pub struct Worker {
    mailbox: Arc<Mailbox>,
    next: u64,
    thread: Option<JoinHandle<()>>,
}

/// Events that may wait for the caller before the worker does.
const EVENT_CAPACITY: usize = 256;

impl Worker {
    /// Starts the thread; the receiver gets every job's events.
    ///
    /// # Errors
    /// The system's reason if no thread can be started.
    pub fn spawn(engine: Engine) -> std::io::Result<(Self, Receiver<Report>)> {
        let (events, receiver) = crossbeam_channel::bounded(EVENT_CAPACITY);
        let mailbox = Arc::new(Mailbox::default());
        let theirs = Arc::clone(&mailbox);
        let thread =
            std::thread::Builder::new().name("model-worker".into()).spawn(move || work(&theirs, engine, &events))?;
        Ok((Self { mailbox, next: 0, thread: Some(thread) }, receiver))
    }

    /// Submits a job; the job before it in the same slot is cancelled.
    pub fn submit(&mut self, slot: Slot, request: Request) -> JobId {
        self.next += 1;
        let id = JobId(self.next);
        let mut queue = self.mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.cancel(slot);
        queue.waiting.push_back(Job { id, slot, request, cancel: CancelToken::default() });
        self.mailbox.changed.notify_one();
        id
    }

    /// Cancels the job of a slot, if there is one.
    pub fn cancel(&self, slot: Slot) {
        self.mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner).cancel(slot);
    }

    /// Cancels everything and waits for the thread, at most `patience`.
    pub fn shut_down(mut self, patience: Duration) {
        self.close();
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    fn close(&self) {
        let mut queue = self.mailbox.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        queue.waiting.clear();
        if let Some((_, cancel)) = &queue.running {
            cancel.cancel();
        }
        self.mailbox.changed.notify_one();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
    }
}

impl Queue {
    fn cancel(&mut self, slot: Slot) {
        self.waiting.retain(|job| job.slot != slot);
        if let Some((running, cancel)) = &self.running
            && *running == slot
        {
            cancel.cancel();
        }
    }
}

impl Mailbox {
    /// The next job, or `None` once the worker is closed.
    fn take(&self) -> Option<Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.running = None;
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue.waiting.pop_front() {
                queue.running = Some((job.slot, job.cancel.clone()));
                return Some(job);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(mailbox: &Mailbox, mut engine: Engine, events: &Sender<Report>) {
    while let Some(job) = mailbox.take() {
        let event = perform(&mut engine, &job, events);
        if events.send(Report { job: job.id, event }).is_err() {
            return;
        }
    }
}

fn perform(engine: &mut Engine, job: &Job, events: &Sender<Report>) -> JobEvent {
    let mut last_progress = None;
    let mut sink = |event: Event| {
        if is_due(&event, &mut last_progress) {
            // a caller that has gone away is noticed when the answer is sent
            let _ = events.send(Report { job: job.id, event: JobEvent::Event(event) });
        }
    };
    let run = AssertUnwindSafe(|| engine.run(job.request.clone(), &job.cancel, &mut sink));
    match catch_unwind(run) {
        Ok(Ok(outcome)) => JobEvent::Finished(outcome),
        Ok(Err(error)) => JobEvent::Failed(error),
        Err(panic) => JobEvent::Panicked(panic_message(panic.as_ref())),
    }
}

/// Progress is passed on ten times a second; everything else always.
fn is_due(event: &Event, last: &mut Option<Instant>) -> bool {
    let Event::Progress(progress) = event else { return true };
    let now = Instant::now();
    let due = progress.done == progress.total || last.is_none_or(|last| now - last >= Duration::from_millis(100));
    if due {
        *last = Some(now);
    }
    due
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown panic".into())
}

impl JobEvent {
    /// Whether the job was cancelled rather than answered.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Failed(EngineError::Cancelled))
    }
}
