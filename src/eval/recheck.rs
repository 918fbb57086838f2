//! The same score in any company, measured: items of a task are asked alone, in batches, together and once more from the
//! cache, and the largest difference is told.

use super::backend::{Backend as _, Cached, Failed, answer};
use super::cache::{self, Cache, Scope};
use super::record::Run;
use super::request::{Request, Response, Scored};
use super::scheduler::{Contexts, Options, Scheduler};
use super::task::TaskItem;
use crate::model::{CancelToken, CausalLm};
use crate::text::Tokenizer;

/// Items are asked in batches of this many sequences.
pub const BATCH: usize = 8;

/// One way of asking, beside the reference: each request alone, from its beginning.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Way {
    /// How it was asked.
    pub name: &'static str,
    /// Log-probabilities that were compared.
    pub n: usize,
    /// The largest difference of one, in nats.
    pub largest: f64,
    /// The item that has it; none where nothing differs.
    pub item: Option<String>,
    /// Generated texts that differ.
    pub texts: usize,
}

/// A check that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request cannot be answered.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] cache::Error),
    /// The folder for it cannot be made.
    #[error("make a folder for a cache")]
    Folder(#[from] std::io::Error),
}

/// What is asked, and who answers.
pub struct Subject<'a> {
    /// The model.
    pub lm: &'a dyn CausalLm,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Stops it.
    pub cancel: &'a CancelToken,
    /// What the cache tells models apart by.
    pub run: &'a Run,
}

impl Subject<'_> {
    fn scheduler(&self, options: Options) -> Scheduler<'_> {
        Scheduler::new(self.lm, self.tokenizer, self.cancel).with_options(options)
    }

    fn options(&self) -> Options {
        let default = Options::default();
        Options { top_k: self.run.settings.top_k.unwrap_or(default.top_k), ..default }
    }

    /// Each request alone, from its beginning: what everything else is compared with.
    ///
    /// # Errors
    /// The first request that cannot be answered.
    pub fn alone(&self, items: &[&TaskItem]) -> Result<Vec<Vec<Response>>, Failed> {
        let one = |request: &Request| -> Result<Response, Failed> {
            let options = Options { batch: 1, contexts: Contexts::Forgotten, ..self.options() };
            let mut found = answer(&mut self.scheduler(options), std::slice::from_ref(request))?;
            Ok(found.remove(0))
        };
        items.iter().map(|item| item.requests.iter().map(one).collect()).collect()
    }

    /// Asks the items in every other way.
    ///
    /// # Errors
    /// A request that cannot be answered, or a cache that cannot be used.
    pub fn ways(&self, items: &[&TaskItem], expected: &[Vec<Response>]) -> Result<Vec<Way>, Error> {
        let requests: Vec<Request> = items.iter().flat_map(|item| item.requests.iter().cloned()).collect();
        let together = answer(&mut self.scheduler(self.options()), &requests)?;
        let batched = Options { batch: BATCH, ..self.options() };
        let batched = answer(&mut self.scheduler(batched), &requests)?;
        let mut ways =
            vec![way("together", items, expected, &together), way("in batches of 8", items, expected, &batched)];
        if let Some(scope) = Scope::of(self.run) {
            let remembered = self.remembered(&requests, scope)?;
            ways.push(way("from the cache", items, expected, &remembered));
        }
        Ok(ways)
    }

    /// The second answer of a new cache.
    fn remembered(&self, requests: &[Request], scope: Scope) -> Result<Vec<Response>, Error> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("responses.sqlite");
        let mut scheduler = self.scheduler(self.options());
        let mut first = Cached::new(&mut scheduler, Some(Cache::open(&file, scope.clone())?));
        first.answer_each(requests, &mut |_, _| std::ops::ControlFlow::Continue(()))?;
        let mut second = Cached::new(&mut scheduler, Some(Cache::open(&file, scope)?));
        Ok(answer(&mut second, requests)?)
    }
}

/// How far recorded responses are from the reference.
pub fn recorded(items: &[&TaskItem], expected: &[Vec<Response>], found: &[Response]) -> Way {
    way("in the record", items, expected, found)
}

fn way(name: &'static str, items: &[&TaskItem], expected: &[Vec<Response>], found: &[Response]) -> Way {
    let mut way = Way { name, n: 0, largest: 0.0, item: None, texts: 0 };
    let owners = items.iter().zip(expected).flat_map(|(item, of)| of.iter().map(move |response| (item, response)));
    for ((item, expected), found) in owners.zip(found) {
        if let (Response::Generated(expected), Response::Generated(found)) = (expected, found) {
            way.texts += usize::from(expected != found);
        }
        for (expected, found) in logprobs(expected).zip(logprobs(found)) {
            way.n += 1;
            let difference = (expected - found).abs();
            if difference > way.largest {
                (way.largest, way.item) = (difference, Some(item.id.clone()));
            }
        }
    }
    way
}

fn logprobs(response: &Response) -> impl Iterator<Item = f64> + '_ {
    let windows: &[Scored] = match response {
        Response::Scored(scored) => std::slice::from_ref(scored),
        Response::Rolled(rolled) => &rolled.windows,
        Response::Generated(_) | Response::Compressed(_) | Response::Told(_) => &[],
    };
    let whole = match response {
        Response::Compressed(compressed) => compressed.loglik,
        _ => None,
    };
    windows.iter().flat_map(|window| window.logprobs.iter().copied()).chain(whole)
}
