//! Fake Modbus TCP devices that answer as fast as they are asked. Owns what the registers hold:
//! slowly wandering numbers, as measured values are, and two registers that carry the time of the
//! answer and a switch for alarms.
//!
//! Holding registers 0 to 3 of every device: the moment of the answer, µs since 1970 (u64, high
//! word first). Register 4: 0, or 1 once the alarm switch is set. The rest wanders.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Registers a device has.
const REGISTERS: usize = 2_000;

/// Devices under load; they end with the value.
#[derive(Debug)]
pub(crate) struct Load {
    /// One port on 127.0.0.1 for each device.
    pub(crate) ports: Vec<u16>,
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: AtomicU64,
    registers: AtomicU64,
    alarm: AtomicBool,
    alarm_answered: AtomicI64,
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Load {
    /// Starts `devices` devices.
    pub(crate) async fn start(devices: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (mut ports, mut tasks) = (Vec::new(), Vec::new());
        for seed in 0..devices {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.push(listener.local_addr()?.port());
            let shared = Arc::clone(&shared);
            tasks.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared), seed as u64 + 1));
                }
            }));
        }
        Ok(Self { ports, shared, tasks })
    }

    /// Requests answered so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Registers given out so far.
    pub(crate) fn registers(&self) -> u64 {
        self.shared.registers.load(Ordering::Relaxed)
    }

    /// Sets the alarm register from the next answer on.
    pub(crate) fn set_alarm(&self, on: bool) {
        self.shared.alarm_answered.store(0, Ordering::SeqCst);
        self.shared.alarm.store(on, Ordering::SeqCst);
    }

    /// When the switched alarm register was first given out, µs since 1970; 0 before.
    pub(crate) fn alarm_answered(&self) -> i64 {
        self.shared.alarm_answered.load(Ordering::SeqCst)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Answers read-holding-registers requests (Modbus Application Protocol 1.1b3, 6.3).
async fn serve(mut stream: TcpStream, shared: Arc<Shared>, mut seed: u64) {
    let _ = stream.set_nodelay(true);
    let mut registers = vec![0_u16; REGISTERS];
    for (index, register) in registers.iter_mut().enumerate() {
        *register = u16::try_from(200 + index % 800).unwrap_or(0);
    }
    let mut request = [0_u8; 12];
    let mut answer = Vec::with_capacity(260);
    while stream.read_exact(&mut request).await.is_ok() {
        let start = usize::from(u16::from_be_bytes([request[8], request[9]]));
        let count = usize::from(u16::from_be_bytes([request[10], request[11]]));
        let Some(block) = registers.get_mut(start..start + count) else { return };
        wander(block, &mut seed);
        if start == 0 && count > 4 {
            stamp(block, &shared);
        }
        answer.clear();
        answer.extend_from_slice(&request[..4]);
        answer.extend_from_slice(&u16::try_from(3 + 2 * count).unwrap_or(u16::MAX).to_be_bytes());
        answer.extend_from_slice(&[request[6], request[7], u8::try_from(2 * count).unwrap_or(u8::MAX)]);
        answer.extend(block.iter().flat_map(|r| r.to_be_bytes()));
        shared.requests.fetch_add(1, Ordering::Relaxed);
        shared.registers.fetch_add(count as u64, Ordering::Relaxed);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Moves about half of the registers by -2 to +1 counts, as a measured value with noise does.
fn wander(block: &mut [u16], seed: &mut u64) {
    for chunk in block.chunks_mut(16) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        let mut bits = *seed;
        for register in chunk {
            match bits & 7 {
                0 => *register = register.wrapping_add(1),
                1 => *register = register.wrapping_sub(1),
                2 => *register = register.wrapping_add(2),
                3 => *register = register.wrapping_sub(2),
                _ => {}
            }
            bits >>= 4;
        }
    }
}

/// Puts the time of the answer and the alarm switch into the first five registers.
fn stamp(block: &mut [u16], shared: &Shared) {
    let now = now_us();
    for (register, word) in block.iter_mut().zip(now.to_be_bytes().chunks(2)) {
        *register = u16::from_be_bytes([word[0], word[1]]);
    }
    let alarm = shared.alarm.load(Ordering::SeqCst);
    block[4] = u16::from(alarm);
    let _ = shared.alarm_answered.compare_exchange(0, if alarm { now } else { 0 }, Ordering::SeqCst, Ordering::SeqCst);
}
