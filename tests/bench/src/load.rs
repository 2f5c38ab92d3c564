//! Fake Modbus TCP devices that answer as fast as they are asked. Owns what the registers hold,
//! and what the devices saw of whoever reads them.
//!
//! Holding registers 0 to 3 of every device: the moment of the answer, µs since 1970 (u64, high
//! word first). Register 4: 0; while alarms are wanted, every other answer holds the number of the
//! alarm instead, counted up by each device from 1. The rest wanders slowly, as measured values do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Registers a device has.
pub(crate) const REGISTERS: usize = 2_000;
/// How often each register is to be read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Devices under load; they end with the value.
#[derive(Debug)]
pub(crate) struct Load {
    /// One port on 127.0.0.1 for each device.
    pub(crate) ports: Vec<u16>,
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    requests: AtomicU64,
    registers: AtomicU64,
    alarming: AtomicBool,
    seen: Vec<Mutex<Seen>>,
}

/// What one device saw.
#[derive(Debug, Default)]
struct Seen {
    /// When its first registers were read last.
    scanned: Option<Instant>,
    /// Scans that should have come since and did not.
    missed: u64,
    /// When each of its alarms was first given out, µs since 1970; alarm 1 comes first.
    alarms: Vec<i64>,
    /// True while register 4 holds an alarm.
    alarm: bool,
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Load {
    /// Starts `devices` devices.
    pub(crate) async fn start(devices: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            requests: AtomicU64::new(0),
            registers: AtomicU64::new(0),
            alarming: AtomicBool::new(false),
            seen: (0..devices).map(|_| Mutex::default()).collect(),
        });
        let (mut ports, mut tasks) = (Vec::new(), Vec::new());
        for device in 0..devices {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.push(listener.local_addr()?.port());
            let shared = Arc::clone(&shared);
            tasks.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared), device));
                }
            }));
        }
        Ok(Self {
            ports,
            shared,
            tasks,
        })
    }

    /// Requests answered so far.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Registers given out so far.
    pub(crate) fn registers(&self) -> u64 {
        self.shared.registers.load(Ordering::Relaxed)
    }

    /// Scans of any device that should have come so far and did not.
    pub(crate) fn missed(&self) -> u64 {
        let missed = |seen: &Mutex<Seen>| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.missed + seen.scanned.map_or(0, |at| left_out(at.elapsed()))
        };
        self.shared.seen.iter().map(missed).sum()
    }

    /// From now on every device has an alarm in every other answer, or none any more.
    pub(crate) fn set_alarming(&self, on: bool) {
        self.shared.alarming.store(on, Ordering::SeqCst);
    }

    /// When alarm `number` of a device was first given out, µs since 1970.
    pub(crate) fn alarm_given(&self, device: usize, number: usize) -> Option<i64> {
        let seen = self.shared.seen.get(device)?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.alarms.get(number.checked_sub(1)?).copied()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Whole scans that did not come between two that lie so far apart.
fn left_out(gap: Duration) -> u64 {
    let halves = gap.as_millis() / (INTERVAL.as_millis() / 2);
    u64::try_from(halves.saturating_sub(1) / 2).unwrap_or(u64::MAX)
}

/// Answers read-holding-registers requests (Modbus Application Protocol 1.1b3, 6.3).
async fn serve(mut stream: TcpStream, shared: Arc<Shared>, device: usize) {
    let _ = stream.set_nodelay(true);
    let mut registers: Vec<u16> = (0..800).map(|r| 200 + r).cycle().take(REGISTERS).collect();
    let mut seed = device as u64 + 1;
    let mut request = [0_u8; 12];
    let mut answer = Vec::with_capacity(260);
    while stream.read_exact(&mut request).await.is_ok() {
        let start = usize::from(u16::from_be_bytes([request[8], request[9]]));
        let count = usize::from(u16::from_be_bytes([request[10], request[11]]));
        let Some(block) = registers.get_mut(start..start + count) else {
            return;
        };
        wander(block, &mut seed);
        if start == 0 && count > 4 {
            stamp(block, &shared, device);
        }
        answer.clear();
        answer.extend_from_slice(&request[..4]);
        answer.extend_from_slice(
            &u16::try_from(3 + 2 * count)
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        let octets = u8::try_from(2 * count).unwrap_or(u8::MAX);
        answer.extend_from_slice(&[request[6], request[7], octets]);
        answer.extend(block.iter().flat_map(|r| r.to_be_bytes()));
        shared.requests.fetch_add(1, Ordering::Relaxed);
        shared.registers.fetch_add(count as u64, Ordering::Relaxed);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Moves about half of the registers by -2 to +2 counts, as a measured value with noise does.
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

/// Notes the scan and puts the time of the answer and the alarm into the first five registers.
fn stamp(block: &mut [u16], shared: &Shared, device: usize) {
    let now = now_us();
    for (register, word) in block.iter_mut().zip(now.to_be_bytes().chunks(2)) {
        *register = u16::from_be_bytes([word[0], word[1]]);
    }
    let mut seen = shared.seen[device]
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let before = seen.scanned.replace(Instant::now());
    seen.missed += before.map_or(0, |at| left_out(at.elapsed()));
    seen.alarm = shared.alarming.load(Ordering::SeqCst) && !seen.alarm;
    if seen.alarm {
        seen.alarms.push(now);
    }
    block[4] = if seen.alarm {
        u16::try_from(seen.alarms.len()).unwrap_or(u16::MAX)
    } else {
        0
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_one_interval_and_a_half_is_one_missed_scan() {
        for (gap, missed) in [
            (0, 0),
            (990, 0),
            (1_490, 0),
            (1_510, 1),
            (2_490, 1),
            (2_510, 2),
        ] {
            assert_eq!(left_out(Duration::from_millis(gap)), missed, "{gap} ms");
        }
    }
}
