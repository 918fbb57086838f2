//! Everything that is still to be run, deepest first, a pass of many sequences at a time.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::job::Job;
use super::limits::Limits;
use super::reading::{Ask, Drawn, Reading, read};
use super::tree::{Node, Tree, common};
use super::{Error, Part, Scheduler};
use crate::eval::request::{GenerateUntil, Generated, Scored};
use crate::model::{Branch, Stretch};
use crate::text::Tokenizer;

/// A context that was run, from which the next call goes on where it differs.
pub(super) struct Kept {
    ids: Vec<u32>,
    branch: Arc<Branch>,
}

impl Kept {
    pub(super) fn new(ids: &[u32], branch: &Arc<Branch>) -> Self {
        Self { ids: ids.to_vec(), branch: Arc::clone(branch) }
    }

    /// The branch of the beginning that `ids` has in common, at multiples of `seam`; never all of it, because the last
    /// position is read.
    fn shared(&self, ids: &[u32], seam: usize) -> Result<Option<Arc<Branch>>, Error> {
        let n = common(&self.ids, ids).min(ids.len().saturating_sub(1)) / seam * seam;
        if n == 0 { Ok(None) } else { Ok(Some(self.branch.cut(n)?)) }
    }
}

/// A sequence that is run, piece by piece.
struct Work<'j> {
    branch: Branch,
    /// What of it was not run yet.
    rest: Cow<'j, [u32]>,
    what: What<'j>,
}

enum What<'j> {
    /// Tokens that contexts have in common, or the end of one.
    Context(&'j Node),
    /// What follows a context.
    Score { job: &'j Job<'j>, scored: Scored },
    /// An answer as it is written.
    Write { job: &'j Job<'j>, request: &'j GenerateUntil, answer: Generated },
}

/// The work of one call.
pub(super) struct Queue<'j> {
    tree: &'j Tree,
    contexts: &'j [&'j [Job<'j>]],
    /// The last is run first.
    open: Vec<Work<'j>>,
    limits: Limits,
    seam: usize,
}

/// An error with the request that it is of, among the different requests.
type Failed = (usize, Error);

/// What is finished: whose it is, which window, what.
pub(super) type Done = (usize, usize, Part);

impl<'j> Queue<'j> {
    /// The jobs of contexts in the order of the tree; the jobs of no context are `alone`.
    pub(super) fn new(
        scheduler: &Scheduler<'_>,
        tree: &'j Tree,
        contexts: &'j [&'j [Job<'j>]],
        alone: &'j [Job<'j>],
        limits: Limits,
    ) -> Result<Self, Error> {
        let seam = scheduler.lm.seam();
        let mut queue = Self { tree, contexts, open: Vec::new(), limits, seam };
        for &root in tree.roots.iter().rev() {
            let node = tree.node(root);
            let ids = &contexts[node.context][0].context[..node.to];
            let branch = match scheduler.kept.as_ref().map(|kept| kept.shared(ids, seam)).transpose()?.flatten() {
                Some(shared) => Branch::after(&shared),
                None => Branch::root(scheduler.lm),
            };
            let rest = Cow::Borrowed(&ids[branch.len()..]);
            queue.open.push(Work { branch, rest, what: What::Context(node) });
        }
        for job in alone.iter().rev() {
            let what = What::Score { job, scored: job.unscored() };
            queue.open.push(Work { branch: Branch::root(scheduler.lm), rest: Cow::Borrowed(job.rest()), what });
        }
        Ok(queue)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Runs what fits into one pass, and what is finished by it.
    pub(super) fn pass(&mut self, scheduler: &mut Scheduler<'_>) -> Result<Vec<Done>, Failed> {
        let (mut works, lengths) = self.next();
        let owner = works.first().map_or(0, |work| self.owner(work));
        let asks: Vec<Vec<Ask>> = self.asks(&works, &lengths, scheduler.options.top_k);
        let mut stretches: Vec<Stretch<'_>> = works
            .iter_mut()
            .zip(&lengths)
            .map(|(work, &n)| Stretch { ids: &work.rest[..n], branch: &mut work.branch })
            .collect();
        let hidden =
            scheduler.lm.forward_all(&mut stretches, scheduler.cancel).map_err(|error| (owner, error.into()))?;
        let counts: Vec<usize> = asks.iter().map(Vec::len).collect();
        let asks: Vec<Ask> = asks.into_iter().flatten().collect();
        let readings = read(scheduler.lm, &hidden, (&asks, self.limits.logits), scheduler.cancel)
            .map_err(|error| (owner, error))?;
        let (mut readings, mut found) = (readings.into_iter(), Found::default());
        for ((mut work, n), count) in works.into_iter().zip(lengths).zip(counts) {
            work.advance(n);
            let owner = self.owner(&work);
            let readings: Vec<Reading> = readings.by_ref().take(count).collect();
            self.follow(work, &readings, scheduler, &mut found).map_err(|error| (owner, error))?;
        }
        // what a context was run for comes before the next one, so that few are held
        self.open.extend(found.contexts.into_iter().rev());
        self.open.extend(found.others.into_iter().rev());
        Ok(found.done)
    }

    /// Sequences for one pass, and how many tokens of each.
    fn next(&mut self) -> (Vec<Work<'j>>, Vec<usize>) {
        let (mut works, mut lengths, mut room) = (Vec::new(), Vec::new(), self.limits.rows);
        while works.len() < self.limits.sequences
            && let Some(work) = self.open.pop()
        {
            match self.piece(&work, room) {
                Some(n) => {
                    room -= n.min(room);
                    works.push(work);
                    lengths.push(n);
                }
                None if works.is_empty() => {
                    // a seam is further away than there is room
                    lengths.push(work.rest.len().min(self.seam - work.branch.len() % self.seam));
                    works.push(work);
                    break;
                }
                None => {
                    self.open.push(work);
                    break;
                }
            }
        }
        (works, lengths)
    }

    /// How many tokens of a sequence are run now, if there is room for any.
    fn piece(&self, work: &Work<'_>, room: usize) -> Option<usize> {
        let (start, n) = (work.branch.len(), work.rest.len());
        if n <= room {
            return Some(n);
        }
        let end = (start + room) / self.seam * self.seam;
        (end > start).then(|| end - start)
    }

    fn owner(&self, work: &Work<'_>) -> usize {
        match &work.what {
            What::Context(node) => self.contexts[node.context][0].owner,
            What::Score { job, .. } | What::Write { job, .. } => job.owner,
        }
    }

    /// What is to be read of each sequence.
    fn asks(&self, works: &[Work<'_>], lengths: &[usize], top: usize) -> Vec<Vec<Ask>> {
        let (mut asks, mut at) = (Vec::with_capacity(works.len()), 0);
        for (work, &n) in works.iter().zip(lengths) {
            asks.push(self.asks_of(work, at..at + n, top));
            at += n;
        }
        asks
    }

    fn asks_of(&self, work: &Work<'_>, rows: Range<usize>, top: usize) -> Vec<Ask> {
        let is_end = rows.len() == work.rest.len();
        match &work.what {
            What::Context(Node { ends: Some(context), .. }) if is_end => {
                let jobs = self.contexts[*context].iter();
                let ids = jobs.clone().filter_map(Job::after_context).collect();
                let draws = jobs.filter_map(|job| job.draw(0)).collect();
                vec![Ask { row: rows.end - 1, ids, top, draws }]
            }
            What::Context(_) => Vec::new(),
            What::Score { job, scored } => {
                let first = job.rest().len() - work.rest.len();
                let ask = |at: usize| {
                    let id = scored.ids.get(job.context.len() + at + 1).copied();
                    let top = if at == job.first_row() && !job.starts_after_context() { top } else { 0 };
                    let draws = Vec::new();
                    Ask { row: rows.start + at - first, ids: id.into_iter().collect(), top, draws }
                };
                (first.max(job.first_row())..first + rows.len()).map(ask).collect()
            }
            What::Write { job, answer, .. } => {
                let draws = job.draw(answer.ids.len()).into_iter().collect();
                vec![Ask { row: rows.end - 1, ids: Vec::new(), top: 0, draws }]
            }
        }
    }

    /// What comes after a piece that was run.
    fn follow(
        &self,
        work: Work<'j>,
        readings: &[Reading],
        scheduler: &mut Scheduler<'_>,
        found: &mut Found<'j>,
    ) -> Result<(), Error> {
        let Work { branch, rest, what } = work;
        match what {
            What::Context(node) if rest.is_empty() => {
                let branch = Arc::new(branch);
                self.spread(node, &branch, readings.first(), scheduler, found)
            }
            What::Context(_) => {
                found.others.push(Work { branch: grown(branch), rest, what });
                Ok(())
            }
            What::Score { job, mut scored } => {
                for reading in readings {
                    if let [seen] = reading.seen[..] {
                        scored.push(seen, &reading.top)?;
                    }
                }
                if rest.is_empty() {
                    found.done.push((job.owner, job.window, Part::Scored(scored)));
                } else {
                    let what = What::Score { job, scored };
                    found.others.push(Work { branch: grown(branch), rest, what });
                }
                Ok(())
            }
            What::Write { job, request, answer } => {
                if let Some(reading) = readings.first() {
                    let next = reading.drawn.first().copied();
                    Writing { job, request, answer, branch }.add(Next::of(reading, next), scheduler, found)?;
                }
                Ok(())
            }
        }
    }

    /// Begins what comes after a node: other nodes, and the jobs of the context that ends there.
    fn spread(
        &self,
        node: &Node,
        branch: &Arc<Branch>,
        reading: Option<&Reading>,
        scheduler: &mut Scheduler<'_>,
        found: &mut Found<'j>,
    ) -> Result<(), Error> {
        for &child in &node.children {
            let node = self.tree.node(child);
            let rest = Cow::Borrowed(&self.contexts[node.context][0].context[node.from..node.to]);
            found.contexts.push(Work { branch: Branch::after(branch), rest, what: What::Context(node) });
        }
        let (Some(context), Some(reading)) = (node.ends, reading) else { return Ok(()) };
        scheduler.keep(&self.contexts[context][0].context, branch);
        let (mut seen, mut drawn) = (reading.seen.iter(), reading.drawn.iter().copied());
        for job in self.contexts[context] {
            match job.written() {
                Some(request) => {
                    let next = if job.draw(0).is_some() { drawn.next() } else { None };
                    let writing = Writing { job, request, answer: Generated::default(), branch: Branch::after(branch) };
                    writing.add(Next::of(reading, next), scheduler, found)?;
                }
                None => {
                    let mut scored = job.unscored();
                    if job.after_context().is_some()
                        && let Some(seen) = seen.next()
                    {
                        scored.push(*seen, &reading.top)?;
                    }
                    match job.rest() {
                        [] => found.done.push((job.owner, job.window, Part::Scored(scored))),
                        rest => {
                            let (branch, rest) = (Branch::after(branch), Cow::Borrowed(rest));
                            found.others.push(Work { branch, rest, what: What::Score { job, scored } });
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The next token of an answer, and what is known of one that is drawn.
struct Next {
    id: u32,
    drawn: Option<Drawn>,
}

impl Next {
    /// What was drawn, else the likeliest.
    fn of(reading: &Reading, drawn: Option<Drawn>) -> Self {
        Self { id: drawn.map_or(reading.greedy, |drawn| drawn.id), drawn }
    }
}

/// An answer to which a token is added.
struct Writing<'j> {
    job: &'j Job<'j>,
    request: &'j GenerateUntil,
    answer: Generated,
    branch: Branch,
}

impl<'j> Writing<'j> {
    /// Adds a token, and goes on unless the answer is finished.
    fn add(self, next: Next, scheduler: &Scheduler<'_>, found: &mut Found<'j>) -> Result<(), Error> {
        let Self { job, request, mut answer, branch } = self;
        let tokenizer = scheduler.tokenizer;
        let Next { id, drawn } = next;
        if let Some(Drawn { logprob, entropy, .. }) = drawn {
            if !logprob.is_finite() {
                return Err(Error::NotFinite { text: request.context.clone(), found: logprob });
            }
            answer.logprobs.push(logprob);
            answer.entropy = answer.entropy.or(entropy);
        }
        answer.ids.push(id);
        answer.stopped = Some(id) == tokenizer.eos() || request.cut(&tokenizer.decode(&answer.ids)).1;
        let room = job.context.len() + answer.ids.len() < scheduler.lm.config().n_ctx;
        if answer.stopped || !room || answer.ids.len() >= request.max_new {
            answer.text = said(request, &answer.ids, tokenizer);
            found.done.push((job.owner, job.window, Part::Generated(answer)));
            return Ok(());
        }
        let what = What::Write { job, request, answer };
        found.others.push(Work { branch, rest: Cow::Owned(vec![id]), what });
        Ok(())
    }
}

/// What a pass leads to.
#[derive(Default)]
struct Found<'j> {
    contexts: Vec<Work<'j>>,
    others: Vec<Work<'j>>,
    done: Vec<Done>,
}

impl Work<'_> {
    /// Takes away what was run.
    fn advance(&mut self, n: usize) {
        self.rest = match std::mem::take(&mut self.rest) {
            Cow::Borrowed(rest) => Cow::Borrowed(&rest[n..]),
            Cow::Owned(rest) => Cow::Owned(rest[n..].to_vec()),
        };
    }
}

/// A branch whose next positions are a piece of their own, so that nothing is copied for them.
fn grown(branch: Branch) -> Branch {
    Branch::after(&Arc::new(branch))
}

/// The text of an answer, without markers and what comes from the stop on.
fn said(request: &GenerateUntil, ids: &[u32], tokenizer: &Tokenizer) -> String {
    let is_text = |id: &u32| Some(*id) != tokenizer.eos() && !tokenizer.is_special(*id);
    let said: Vec<u32> = ids.iter().copied().filter(is_text).collect();
    request.cut(&tokenizer.decode(&said)).0.to_owned()
}
