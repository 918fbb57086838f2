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
    let failed =
        |failed: backend::Failed| Error::Item { task: task.name.clone(), id: item.id.clone(), source: failed.source };
    let (mut open, mut new) = (Open::of(Asked { task, item }), item.requests.clone());
    loop {
        open.responses.extend(backend::answer(backend, &new).map_err(failed)?);
        new = open.follow_up()?;
        if new.is_empty() {
            return open.graded();
        }
    }
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
}

/// How often answers may lead to further questions: a grader that never ends is a mistake, and no run may hang on it.
const ROUNDS: usize = 64;

/// An item with all that was asked of it so far.
struct Open<'t> {
    asked: Asked<'t>,
    requests: Vec<Request>,
    responses: Vec<Response>,
    rounds: usize,
}

impl<'t> Open<'t> {
    fn of(asked: Asked<'t>) -> Self {
        Self { asked, requests: asked.item.requests.clone(), responses: Vec::new(), rounds: 0 }
    }

    /// What is asked next, now that everything so far is answered.
    fn follow_up(&mut self) -> Result<Vec<Request>, Error> {
        let Asked { task, item } = self.asked;
        let new = task.grader.follow_up(item, &self.requests, &self.responses);
        self.rounds += 1;
        if !new.is_empty() && self.rounds > ROUNDS {
            return Err(Error::Endless { task: task.name.clone(), id: item.id.clone(), rounds: ROUNDS });
        }
        self.requests.extend(new.iter().cloned());
        Ok(new)
    }

    fn graded(self) -> Result<TaskItemRecord, Error> {
        let Self { asked, requests, responses, .. } = self;
        let item = asked.item;
        let graded = asked.task.grader.grade(item, &responses);
        let (task, id) = asked.name();
        let graded = graded.ok_or_else(|| Error::Responses { task: task.clone(), id: id.clone() })?;
        if let Some(wrong) = graded.observations.iter().find(|one| !one.value.is_finite()) {
            return Err(Error::NotFinite { task, id, metric: wrong.metric.clone() });
        }
        Ok(item.answered(&task, (requests, responses), graded))
    }
}

/// An item that waits for answers.
struct Waiting<'t> {
    open: Open<'t>,
    /// The place of its first new request among all.
    from: usize,
    new: Vec<Option<Response>>,
}

impl<'t> Waiting<'t> {
    /// The item with its answers, all of which are there.
    fn whole(self) -> Open<'t> {
        let mut open = self.open;
        open.responses.extend(self.new.into_iter().flatten());
        open
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
            let mut open: Vec<(Open<'_>, Vec<Request>)> =
                wave.iter().map(|asked| (Open::of(*asked), asked.item.requests.clone())).collect();
            while !open.is_empty() {
                open = self.wave(open, backend)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Asks what is new of some items together; returns those whose answers lead to further questions.
    fn wave<'t>(
        &mut self,
        wave: Vec<(Open<'t>, Vec<Request>)>,
        backend: &mut dyn Backend,
    ) -> Result<Vec<(Open<'t>, Vec<Request>)>, Error> {
        let (mut requests, mut owners, mut further) = (Vec::new(), Vec::new(), Vec::new());
        let mut waiting: Vec<Option<Waiting<'t>>> = Vec::new();
        for (open, new) in wave {
            if new.is_empty() {
                self.item(open.graded()?)?;
                continue;
            }
            owners.extend(std::iter::repeat_n(waiting.len(), new.len()));
            waiting.push(Some(Waiting { open, from: requests.len(), new: vec![None; new.len()] }));
            requests.extend(new);
        }
        let mut stopped = None;
        let mut each = |index: usize, response: &Response| {
            let Some(one) = &mut waiting[owners[index]] else { return ControlFlow::Continue(()) };
            one.new[index - one.from] = Some(response.clone());
            if one.new.iter().any(Option::is_none) {
                return ControlFlow::Continue(());
            }
            let whole = waiting[owners[index]].take().map(Waiting::whole);
            match whole.map_or(Ok(()), |open| self.answered(open, &mut further)) {
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
        match answered {
            Ok(()) => Ok(further),
            Err(failed) => {
                let of = waiting.get(owners[failed.index]).and_then(Option::as_ref);
                let (task, id) = of.map(|one| one.open.asked.name()).unwrap_or_default();
                Err(Error::Item { task, id, source: failed.source })
            }
        }
    }

    /// An item all of whose questions are answered: it is finished, or asked on.
    fn answered<'t>(&mut self, mut open: Open<'t>, further: &mut Vec<(Open<'t>, Vec<Request>)>) -> Result<(), Error> {
        let new = open.follow_up()?;
        if new.is_empty() {
            return self.item(open.graded()?);
        }
        further.push((open, new));
        Ok(())
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
        asked.is_some_and(|asked| item.requests.starts_with(&asked.requests))
    };
    match finished.iter().find(|item| !is_known(item)) {
        Some(item) => Err(Error::NotAsked { task: item.task.clone(), id: item.id.clone() }),
        None => Ok(()),
    }
}
