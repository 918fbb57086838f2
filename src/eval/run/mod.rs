//! Runs tasks: asks what the record does not hold yet, grades the answers, writes each item as it is finished.
//!
//! Requests are asked in waves of many items, so that what they have in common is run once; an item is finished as soon
//! as all its answers are there, in whatever order.

mod error;
mod select;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;

pub use self::error::Error;
use super::backend::{self, Backend};
use super::event::{Event, Sink};
use super::record::{self, Existing, Outcome, Record, Recorder, Run};
use super::request::{Request, Response};
use super::results;
use super::task::{Task, TaskItem, TaskItemRecord};

pub use self::select::{drawn, selected};

/// Requests of a wave: enough to share what there is to share, few enough to be held as tokens.
const WAVE: usize = 4096;

/// Where a run is written, and how it is timed.
pub struct Output<'a> {
    /// The record's folder; without one nothing is written.
    pub folder: Option<&'a std::path::Path>,
    /// What becomes of a record that is there.
    pub existing: Existing,
    /// How long the run has taken so far.
    pub elapsed: &'a dyn Fn() -> Duration,
}

/// Runs `tasks` as `run` says, and returns the finished record.
///
/// # Errors
/// The first item that cannot be scored or written. What was finished before is in the record.
pub fn run(
    tasks: &[Task],
    run: Run,
    backend: &mut dyn Backend,
    output: &Output<'_>,
    sink: &mut Sink<'_>,
) -> Result<Record, Error> {
    let mut recorder = output.folder.map(|folder| Recorder::open(folder, &run, output.existing)).transpose()?;
    let finished = recorder.as_mut().map(Recorder::take_finished).unwrap_or_default();
    let wanted: Vec<Asked<'_>> = tasks
        .iter()
        .flat_map(|task| selected(task, &run.settings).into_iter().map(move |item| Asked { task, item }))
        .collect();
    let mut work = Work { recorder, sink, total: wanted.len(), n_resumed: finished.len(), items: finished };
    check_finished(&wanted, &work.items)?;
    (work.sink)(Event::Started { total: work.total, resumed: work.n_resumed });
    work.ask(&wanted, backend)?;
    work.finish(run, output)
}

/// Asks one item alone, where each is to be known before the next one is asked.
///
/// # Errors
/// If it cannot be scored.
pub fn ask_one(task: &Task, item: &TaskItem, backend: &mut dyn Backend) -> Result<TaskItemRecord, Error> {
    let answered = backend::answer(backend, &item.requests);
    let failed =
        |failed: backend::Failed| Error::Item { task: task.name.clone(), id: item.id.clone(), source: failed.source };
    Asked { task, item }.graded(answered.map_err(failed)?)
}

/// An item of a task.
#[derive(Clone, Copy)]
struct Asked<'t> {
    task: &'t Task,
    item: &'t TaskItem,
}

impl Asked<'_> {
    fn name(self) -> (String, String) {
        (self.task.name.clone(), self.item.id.clone())
    }

    fn graded(self, responses: Vec<Response>) -> Result<TaskItemRecord, Error> {
        let item = self.item;
        let graded = self.task.grader.grade(item, &responses);
        let (task, id) = self.name();
        let graded = graded.ok_or_else(|| Error::Responses { task: task.clone(), id: id.clone() })?;
        let is_number = |one: &super::task::Observation| one.value.number().is_none_or(f64::is_finite);
        if let Some(wrong) = graded.observations.iter().find(|one| !is_number(one)) {
            return Err(Error::NotFinite { task, id, metric: wrong.metric.clone() });
        }
        Ok(item.answered(&task, responses, graded))
    }
}

/// A run that goes on.
struct Work<'a, 's> {
    recorder: Option<Recorder>,
    sink: &'a mut Sink<'s>,
    total: usize,
    n_resumed: usize,
    items: Vec<TaskItemRecord>,
}

impl Work<'_, '_> {
    /// Asks the items that are not finished.
    fn ask(&mut self, wanted: &[Asked<'_>], backend: &mut dyn Backend) -> Result<(), Error> {
        let done: std::collections::HashSet<(String, String)> =
            self.items.iter().map(|item| (item.task.clone(), item.id.clone())).collect();
        let rest: Vec<Asked<'_>> = wanted.iter().copied().filter(|asked| !done.contains(&asked.name())).collect();
        let mut rest = rest.as_slice();
        while !rest.is_empty() {
            let (wave, later) = rest.split_at(wave_length(rest));
            self.wave(wave, backend)?;
            rest = later;
        }
        Ok(())
    }

    /// Asks all requests of some items together.
    fn wave(&mut self, wave: &[Asked<'_>], backend: &mut dyn Backend) -> Result<(), Error> {
        let requests: Vec<Request> = wave.iter().flat_map(|asked| asked.item.requests.iter().cloned()).collect();
        let owners: Vec<usize> =
            wave.iter().enumerate().flat_map(|(at, asked)| vec![at; asked.item.requests.len()]).collect();
        let mut firsts = HashMap::new();
        for (index, owner) in owners.iter().enumerate() {
            firsts.entry(*owner).or_insert(index);
        }
        let mut waiting: Vec<Vec<Option<Response>>> =
            wave.iter().map(|asked| vec![None; asked.item.requests.len()]).collect();
        for asked in wave.iter().filter(|asked| asked.item.requests.is_empty()) {
            self.item(asked.graded(Vec::new())?)?;
        }
        let mut stopped = None;
        let mut each = |index: usize, response: &Response| {
            let owner = owners[index];
            let slots = &mut waiting[owner];
            slots[index - firsts[&owner]] = Some(response.clone());
            if slots.iter().any(Option::is_none) {
                return ControlFlow::Continue(());
            }
            let responses = std::mem::take(slots).into_iter().flatten().collect();
            match wave[owner].graded(responses).and_then(|item| self.item(item)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stopped = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let answered = backend.answer_each(&requests, &mut each);
        if let Some(error) = stopped {
            return Err(error);
        }
        answered.map_err(|failed| {
            let (task, id) = wave[owners[failed.index]].name();
            Error::Item { task, id, source: failed.source }
        })
    }

    /// Writes a finished item, and tells of it.
    fn item(&mut self, item: TaskItemRecord) -> Result<(), Error> {
        if let Some(recorder) = &mut self.recorder {
            recorder.item(&item)?;
        }
        let (task, id) = (item.task.clone(), item.id.clone());
        self.items.push(item);
        (self.sink)(Event::Item { done: self.items.len(), total: self.total, task, id });
        Ok(())
    }

    /// Counts all items, and says in the record that it is complete.
    fn finish(mut self, run: Run, output: &Output<'_>) -> Result<Record, Error> {
        record::sort(&mut self.items, &run);
        let outcome = Outcome {
            n_items: self.items.len(),
            n_resumed: self.n_resumed,
            seconds: Some((output.elapsed)().as_secs_f64()),
            lints: results::lints(&self.items),
            results: results::of(&run.tasks, &self.items),
        };
        let run = match self.recorder.take() {
            Some(recorder) => recorder.finish(outcome)?,
            None => Run { status: record::Status::Complete, outcome: Some(outcome), ..run },
        };
        (self.sink)(Event::Finished { total: self.total });
        Ok(Record { run, items: self.items })
    }
}

/// How many items make a wave: at least one.
fn wave_length(items: &[Asked<'_>]) -> usize {
    let mut requests = 0;
    let fits = |asked: &&Asked<'_>| {
        requests += asked.item.requests.len();
        requests <= WAVE
    };
    items.iter().take_while(fits).count().max(1)
}

/// Refuses a record with items that this run does not ask.
fn check_finished(wanted: &[Asked<'_>], finished: &[TaskItemRecord]) -> Result<(), Error> {
    let known: HashMap<(&str, &str), &TaskItem> =
        wanted.iter().map(|asked| ((asked.task.name.as_str(), asked.item.id.as_str()), asked.item)).collect();
    let is_known = |item: &&TaskItemRecord| {
        let asked = known.get(&(item.task.as_str(), item.id.as_str()));
        asked.is_some_and(|asked| asked.requests == item.requests)
    };
    match finished.iter().find(|item| !is_known(item)) {
        Some(item) => Err(Error::NotAsked { task: item.task.clone(), id: item.id.clone() }),
        None => Ok(()),
    }
}
