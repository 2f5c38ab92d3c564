//! The threads that read. Owns a fixed pool: each has a connection that cannot write, and takes
//! the next job when it is free. A long trend keeps one of them, never the writer.

use super::DbError;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Reads waiting for a thread; whoever has more waits.
pub(super) const QUEUE: usize = 256;

/// A unit of reading.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Starts the threads. They end when the sender is gone.
pub(super) fn start(connections: Vec<Connection>) -> Result<mpsc::Sender<Read>, DbError> {
    let (sender, receiver) = mpsc::channel::<Read>(QUEUE);
    let queue = Arc::new(Mutex::new(receiver));
    for (number, connection) in connections.into_iter().enumerate() {
        let queue = Arc::clone(&queue);
        std::thread::Builder::new()
            .name(format!("db-read-{number}"))
            .spawn(move || work(&connection, &queue))
            .map_err(|error| DbError::File {
                path: "db-read thread".to_owned(),
                message: error.to_string(),
            })?;
    }
    Ok(sender)
}

fn work(connection: &Connection, queue: &Mutex<mpsc::Receiver<Read>>) {
    loop {
        // The one that waits for a job holds the lock; the others wait for the lock.
        let job = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv();
        let Some(job) = job else { return };
        // The job's reply channel is dropped by the panic, which its caller sees as an error.
        if catch_unwind(AssertUnwindSafe(|| job(connection))).is_err() {
            tracing::error!("a database read panicked; its caller got an error");
        }
    }
}
