//! A fake Modbus TCP device whose every answer carries a number of its own: the n-th read of it
//! returns n in every point. Whoever counts the numbers in the cloud knows exactly what was lost
//! or doubled. Owns the record of what it gave out.
//!
//! Each point is one u32, high word first, at holding registers `2 * i` and `2 * i + 1`. One read
//! must cover all points, so that one number is one scan. From register 1000 on there are eight
//! plain registers that can be written and carry no number.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
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
    plain: [AtomicU16; 8],
    /// When each number was given out, in milliseconds since 1970; number 1 comes first.
    given: Mutex<Vec<i64>>,
}

impl State {
    /// The next number, written down before it is given out.
    fn next(&self) -> u32 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX));
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.push(now);
        self.answered.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// First of the plain registers.
pub const PLAIN: u16 = 1000;

impl Numbered {
    /// Serves on a free port of loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on loopback");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
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

    /// When each number was given out, in milliseconds since 1970; number 1 comes first.
    #[must_use]
    pub fn given(&self) -> Vec<i64> {
        let given = self.state.given.lock();
        given.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a word into a plain register, as something in the building would.
    pub fn set_plain(&self, index: usize, word: u16) {
        self.state.plain[index].store(word, Ordering::SeqCst);
    }

    /// What stands in a plain register, counted from [`PLAIN`].
    #[must_use]
    pub fn plain(&self, index: usize) -> u16 {
        self.state.plain[index].load(Ordering::SeqCst)
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

/// Answers functions 3 and 6 (Modbus Application Protocol 1.1b3, 6.3 and 6.6).
async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut request = [0_u8; 12];
    while stream.read_exact(&mut request).await.is_ok() {
        if state.silent.load(Ordering::SeqCst) {
            continue;
        }
        let address = u16::from_be_bytes([request[8], request[9]]);
        let word = u16::from_be_bytes([request[10], request[11]]);
        let answer = match (request[7], address.checked_sub(PLAIN)) {
            (6, Some(index @ 0..8)) => {
                state.plain[usize::from(index)].store(word, Ordering::SeqCst);
                request.to_vec()
            }
            (3, Some(index @ 0..8)) => {
                let registers = state.plain.iter().skip(index.into()).take(word.into());
                read_answer(
                    &request,
                    &registers
                        .map(|r| r.load(Ordering::SeqCst))
                        .collect::<Vec<_>>(),
                )
            }
            (3, None) => {
                let number = state.next();
                let words = [u16::try_from(number >> 16), u16::try_from(number & 0xffff)];
                let both = words.map(|w| w.unwrap_or(u16::MAX));
                read_answer(&request, &both.repeat(usize::from(word / 2)))
            }
            // Anything else: illegal function.
            _ => [&request[..4], &[0, 3, request[6], request[7] | 0x80, 1]].concat(),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

fn read_answer(request: &[u8; 12], registers: &[u16]) -> Vec<u8> {
    let octets = u8::try_from(2 * registers.len()).unwrap_or(u8::MAX);
    let mut answer = request[..4].to_vec();
    answer.extend_from_slice(&(u16::from(octets) + 3).to_be_bytes());
    answer.extend_from_slice(&[request[6], request[7], octets]);
    answer.extend(registers.iter().flat_map(|r| r.to_be_bytes()));
    answer
}
