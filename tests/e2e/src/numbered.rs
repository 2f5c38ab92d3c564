//! A fake Modbus TCP device whose every answer carries a number of its own: the n-th read of it
//! returns n in every point. Whoever counts the numbers in the cloud knows exactly what was lost
//! or doubled. Owns the record of what it gave out.
//!
//! Each point is one u32, high word first, at holding registers `2 * i` and `2 * i + 1`. One read
//! must cover all points, so that one number is one scan.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running fake; ends when dropped.
#[derive(Debug)]
pub struct Numbered {
    /// Port on 127.0.0.1.
    pub port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    answered: AtomicU32,
    silent: AtomicBool,
}

impl Numbered {
    /// Serves on a free port of loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state, task }
    }

    /// The number given out last.
    #[must_use]
    pub fn answered(&self) -> u32 {
        self.state.answered.load(Ordering::SeqCst)
    }

    /// Stops or resumes answering, with connections left open.
    pub fn set_silent(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::SeqCst);
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers read-holding-registers requests (Modbus Application Protocol 1.1b3, 6.3).
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut request = [0_u8; 12];
    while stream.read_exact(&mut request).await.is_ok() {
        if state.silent.load(Ordering::SeqCst) {
            continue;
        }
        let count = usize::from(u16::from_be_bytes([request[10], request[11]]));
        let number = state.answered.fetch_add(1, Ordering::SeqCst) + 1;
        let mut answer = Vec::with_capacity(9 + 2 * count);
        answer.extend_from_slice(&request[..4]);
        answer.extend_from_slice(&u16::try_from(3 + 2 * count).unwrap_or(u16::MAX).to_be_bytes());
        answer.extend_from_slice(&[request[6], request[7], u8::try_from(2 * count).unwrap_or(u8::MAX)]);
        for _ in 0..count / 2 {
            answer.extend_from_slice(&number.to_be_bytes());
        }
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
