//! Threads that answer questions, so neither the writer nor an executor thread waits for the disk.
//! Owns the bounded queue in front of them; what is asked lives with the tables.

use crate::StoreError;
use crate::shared::Shared;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// One question; gets the thread's connections.
pub(crate) type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// What a reading thread keeps between questions.
pub(crate) struct Reader {
    pub(crate) shared: Arc<Shared>,
    state: Option<Connection>,
    generation: u64,
}

impl Reader {
    /// Where `state.db` lies, for error texts.
    pub(crate) fn state_file(&self) -> std::path::PathBuf {
        self.shared.config.state_file()
    }

    /// The connection to `state.db`, opened anew after the file was replaced.
    pub(crate) fn state(&mut self) -> Result<&Connection, StoreError> {
        let generation = self.shared.generation();
        if self.generation != generation {
            self.state = None;
            self.generation = generation;
        }
        if self.state.is_none() {
            let file = self.shared.config.state_file();
            self.state = Some(crate::sqlite::open_reader(&file)?);
        }
        self.state.as_ref().ok_or(StoreError::Closed)
    }
}

#[derive(Default)]
struct Queue {
    questions: VecDeque<Question>,
    closed: bool,
}

/// A set of reading threads with one queue.
#[derive(Default)]
pub(crate) struct Readers {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// Questions that may wait before callers are told to try later.
const LIMIT: usize = 256;

impl Readers {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a question.
    pub(crate) fn ask(&self, question: Question) -> Result<(), StoreError> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(StoreError::Closed);
        }
        if queue.questions.len() >= LIMIT {
            return Err(StoreError::Busy {
                what: "queries",
                limit: LIMIT,
            });
        }
        queue.questions.push_back(question);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// Ends the threads once the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn next(&self) -> Option<Question> {
        let mut queue = self.lock();
        loop {
            if let Some(question) = queue.questions.pop_front() {
                return Some(question);
            }
            if queue.closed {
                return None;
            }
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Starts one reading thread over the queue `pick` chooses.
pub(crate) fn start(
    name: &str,
    shared: Arc<Shared>,
    pick: fn(&Shared) -> &Readers,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let mut reader = Reader {
                shared: Arc::clone(&shared),
                state: None,
                generation: 0,
            };
            while let Some(question) = pick(&shared).next() {
                // Whoever asked hears that nobody answers; the next question is another one.
                let answered = AssertUnwindSafe(|| question(&mut reader));
                if std::panic::catch_unwind(answered).is_err() {
                    tracing::error!("a question to the store failed by a defect");
                    reader.state = None;
                }
            }
        })
}
