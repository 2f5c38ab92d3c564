//! Searches for devices nobody has configured. Owns that there is one of a protocol at a time, that its
//! finds are bounded, and that it ends: by itself, by a person, when nobody asks for it any more, or
//! when it takes too long. How devices are found is the adapter's.

pub(crate) mod networks;

use crate::refusal::Refusal;
use axum::http::StatusCode;
use riser_model::{Timestamp, chain};
use riser_runtime::{AdapterError, Clock, Discover, DiscoverRequest, ErrorClass, Found, Kind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use toml::Table;

/// Finds of one search at most; what comes after them is counted.
const FINDS: usize = 1_000;
/// A search nobody has asked for that long ends.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Longest search.
const LONGEST: Duration = Duration::from_secs(20 * 60);
/// How long a start waits for the adapter to dislike its options.
const FIRST_LOOK: Duration = Duration::from_millis(300);
/// How long a cancelled search gets to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// The protocols of this gateway and the searches for their devices.
pub(crate) struct Searches {
    kinds: Vec<Kind>,
    jobs: Mutex<BTreeMap<&'static str, Arc<Job>>>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

/// One search, running or over.
pub(crate) struct Job {
    pub(crate) options: Table,
    pub(crate) started_at: Timestamp,
    cancel: CancellationToken,
    progress: Mutex<Progress>,
    over: watch::Sender<bool>,
}

/// How far a search got.
pub(crate) struct Progress {
    pub(crate) finds: Vec<Found>,
    /// Finds beyond the bound.
    pub(crate) left_out: u64,
    pub(crate) ended: Option<(Timestamp, Ending)>,
    asked: Instant,
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has looked everywhere it was told to.
    Done,
    /// A person ended it.
    Cancelled,
    /// Nobody asked for it any more.
    Forgotten,
    /// It took too long.
    TooLong,
    /// The options cannot be used.
    Options(String),
    /// It failed.
    Failed(String),
}

impl Searches {
    pub(crate) fn new(kinds: Vec<Kind>, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        Self {
            kinds,
            jobs: Mutex::default(),
            clock,
            stop,
        }
    }

    /// Every protocol of this build.
    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// A protocol by its name.
    pub(crate) fn kind(&self, name: &str) -> Result<Kind, Refusal> {
        let kind = self.kinds.iter().find(|kind| kind.name == name);
        let kind = kind.copied();
        kind.ok_or_else(|| Refusal::not_found(&format!("protocol '{name}'")))
    }

    /// The way a protocol finds devices.
    pub(crate) fn finder(&self, name: &str) -> Result<Box<dyn Discover>, Refusal> {
        let make = self.kind(name)?.discover;
        let unable = || {
            let text = format!("devices of '{name}' cannot be searched for; add them by hand");
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "no_search", text)
        };
        make.map(|make| make()).ok_or_else(unable)
    }

    /// The last search of a protocol, if there was one. Being asked for keeps a search alive.
    pub(crate) fn job(&self, name: &str) -> Option<Arc<Job>> {
        let job = self.jobs().get(name).cloned()?;
        job.progress().asked = Instant::now();
        Some(job)
    }

    /// Whether a search of a protocol is running.
    pub(crate) fn searching(&self, name: &str) -> bool {
        let job = self.jobs().get(name).cloned();
        job.is_some_and(|job| job.progress().ended.is_none())
    }

    /// Starts a search beside the adapters that run.
    pub(crate) async fn start(
        &self,
        name: &str,
        options: Table,
        running: Vec<Table>,
    ) -> Result<Arc<Job>, Refusal> {
        let kind = self.kind(name)?;
        let mut finder = self.finder(name)?;
        finder.beside(running);
        let job = Arc::new(Job {
            options: options.clone(),
            started_at: self.clock.now(),
            cancel: self.stop.child_token(),
            progress: Mutex::new(Progress {
                finds: Vec::new(),
                left_out: 0,
                ended: None,
                asked: Instant::now(),
            }),
            over: watch::channel(false).0,
        });
        {
            let mut jobs = self.jobs();
            let busy = jobs.get(kind.name);
            if busy.is_some_and(|job| job.progress().ended.is_none()) {
                let text = format!(
                    "a search for devices of '{name}' is running; look at its finds, or cancel it first"
                );
                return Err(Refusal::new(StatusCode::CONFLICT, "searching", text));
            }
            jobs.insert(kind.name, Arc::clone(&job));
        }
        let clock = Arc::clone(&self.clock);
        tokio::spawn(Arc::clone(&job).run(finder, DiscoverRequest { options }, clock));
        job.wait(FIRST_LOOK).await;
        let ended = job.progress().ended.clone();
        if let Some((_, Ending::Options(text))) = ended {
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_options",
                text,
            ));
        }
        Ok(job)
    }

    /// Ends a search and waits for that.
    pub(crate) async fn cancel(&self, name: &str) -> Option<Arc<Job>> {
        let job = self.job(name)?;
        job.cancel.cancel();
        job.wait(GRACE + Duration::from_secs(1)).await;
        Some(job)
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, limit: Duration) {
        let mut over = self.over.subscribe();
        // Whoever waits looks at the progress itself.
        let _ = timeout(limit, over.wait_for(|over| *over)).await;
    }

    async fn run(
        self: Arc<Self>,
        finder: Box<dyn Discover>,
        request: DiscoverRequest,
        clock: Arc<dyn Clock>,
    ) {
        let (found, finds) = mpsc::channel(16);
        let cancel = self.cancel.child_token();
        let search = finder.discover(request, found, cancel.clone());
        // In a task of its own: a defect in it ends this search, nothing else.
        let search = tokio::spawn(search);
        let stop = search.abort_handle();
        let early = self.collect(finds, &cancel).await;
        cancel.cancel();
        let ending = match timeout(GRACE, search).await {
            Ok(Ok(outcome)) => early.unwrap_or_else(|| ending_of(outcome)),
            Ok(Err(_)) => Ending::Failed("the search failed inside; the log says why".to_owned()),
            Err(_) => {
                stop.abort();
                early.unwrap_or_else(|| Ending::Failed("the search did not end".to_owned()))
            }
        };
        self.progress().ended = Some((clock.now(), ending));
        self.over.send_replace(true);
    }

    /// Takes finds until there are no more, or until it has to end early.
    async fn collect(
        &self,
        mut finds: mpsc::Receiver<Found>,
        cancel: &CancellationToken,
    ) -> Option<Ending> {
        let deadline = Instant::now() + LONGEST;
        let mut look = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                // A search that ends because it was cancelled was cancelled, whoever is seen first.
                biased;
                () = self.cancel.cancelled() => return Some(Ending::Cancelled),
                now = look.tick() => {
                    if now >= deadline {
                        return Some(Ending::TooLong);
                    }
                    if self.progress().asked.elapsed() >= FORGOTTEN {
                        cancel.cancel();
                        return Some(Ending::Forgotten);
                    }
                }
                find = finds.recv() => match find {
                    Some(find) => self.take(find),
                    None => return None,
                },
            }
        }
    }

    fn take(&self, find: Found) {
        let mut progress = self.progress();
        if progress.finds.len() < FINDS {
            progress.finds.push(find);
        } else {
            progress.left_out += 1;
        }
    }
}

fn ending_of(outcome: Result<(), AdapterError>) -> Ending {
    match outcome {
        Ok(()) => Ending::Done,
        Err(error) if error.class == ErrorClass::Misconfigured => Ending::Options(chain(&error)),
        Err(error) => Ending::Failed(chain(&error)),
    }
}

impl Progress {
    /// How it stands, in words.
    pub(crate) fn words(&self) -> String {
        let devices = self.finds.iter().filter(|find| !find.config.is_empty());
        let devices = devices.count();
        let mut found = match devices {
            0 => "nothing found".to_owned(),
            1 => "1 device found".to_owned(),
            more => format!("{more} devices found"),
        };
        match self.finds.len() - devices {
            0 => {}
            1 => found.push_str(", 1 place pointed out"),
            more => found.push_str(&format!(", {more} places pointed out")),
        }
        let more = match self.left_out {
            0 => String::new(),
            more => format!(" and {more} more left out: search in smaller parts"),
        };
        let how = match &self.ended {
            None => return format!("Searching: {found} so far{more}."),
            Some((_, ending)) => ending,
        };
        match how {
            Ending::Done => format!("Finished: {found}{more}."),
            Ending::Cancelled => format!("Stopped by a person: {found} until then{more}."),
            Ending::Forgotten => {
                format!("Stopped, as nobody looked at it for a minute: {found} until then{more}.")
            }
            Ending::TooLong => {
                format!(
                    "Stopped after 20 minutes: {found} until then{more}; search in smaller parts."
                )
            }
            Ending::Options(why) | Ending::Failed(why) => format!("Failed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;
    use riser_runtime::SystemClock;

    /// Looks until it is told not to.
    struct Endless;

    impl Discover for Endless {
        fn discover(
            &self,
            _: DiscoverRequest,
            found: mpsc::Sender<Found>,
            cancel: CancellationToken,
        ) -> BoxFuture<'static, Result<(), AdapterError>> {
            Box::pin(async move {
                cancel.cancelled().await;
                drop(found);
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn a_search_nobody_asks_for_ends() {
        let kind = Kind {
            name: "endless",
            sample: "",
            build: |_, _| unreachable!("nothing is built here"),
            discover: Some(|| Box::new(Endless)),
        };
        let searches = Searches::new(vec![kind], Arc::new(SystemClock), CancellationToken::new());
        let job = searches.start("endless", Table::new(), Vec::new()).await;
        let job = job.unwrap();
        assert!(searches.searching("endless"));
        job.progress().asked = Instant::now() - FORGOTTEN;
        job.wait(Duration::from_secs(10)).await;
        let ended = job.progress().ended.clone().map(|(_, how)| how);
        assert_eq!(ended, Some(Ending::Forgotten));
        assert!(!searches.searching("endless"));
    }
}
