//! The gateway's clock: a line of time (`timeline`) over the machine's clocks. Owns asking the
//! machine, how it is known that the time was set, and what is remembered of the time across a
//! restart (`kept`).
//!
//! That a time service has set the clock is known by a file it leaves. The kernel knows it too
//! (`adjtimex`), but there is no way to ask it without `unsafe`; the unit `riser-time.service`
//! leaves such a file for every time service that reaches `time-sync.target`.

mod kept;
mod timeline;

use kept::{KEEP_EVERY, Kept};
use riser_adapter::{Clock, ClockStep};
use riser_model::{ClockState, Timestamp};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use timeline::{Known, Reading, Timeline};

/// Where systemd-timesyncd says so (systemd-timesyncd.service(8)).
pub(crate) const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// Where `riser-time.service` says so, whatever the time service.
const SYNCHRONISED_ANY: &str = "/run/riser-time/synchronized";
/// Where a clock with a battery shows.
const HARDWARE_CLOCK: &str = "/sys/class/rtc/rtc0";
/// How long a look at the files is good for, in milliseconds.
const FILES_EVERY: i64 = 1_000;
/// When this program was built, in seconds since 1970.
const BUILT: &str = env!("RISER_BUILT");

/// Whether values are held back until the time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// Where a time service is at work and there is no clock with a battery, or the clock is
    /// certainly wrong.
    #[default]
    Auto,
    /// Until a time service has set the clock, however right it looks.
    Always,
    /// Only while the clock is certainly wrong.
    Never,
}

/// How the clock is looked at.
#[derive(Debug, Clone)]
pub(crate) struct ClockSettings {
    /// The file of the time service.
    pub(crate) marker: PathBuf,
    /// Whether to wait for it.
    pub(crate) wait: Wait,
    /// Folder to remember the time in; `None` to leave no trace.
    pub(crate) dir: Option<PathBuf>,
    /// A time that is over for another reason, such as the start of a certificate that is here.
    pub(crate) past: Option<Timestamp>,
}

/// The gateway's clock.
#[derive(Debug)]
pub(crate) struct GatewayClock {
    settings: ClockSettings,
    boot: String,
    /// When the assumed line began that was there at the start, if there was one.
    opened: Option<Timestamp>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Timeline,
    /// What the files said, and when they were asked.
    synchronised: (bool, i64),
    /// When the time was last remembered.
    kept: i64,
}

impl GatewayClock {
    /// The clock, with what is remembered of it.
    pub(crate) fn open(settings: ClockSettings) -> Self {
        let boot = boot();
        let kept = settings.dir.as_deref().map(Kept::read).unwrap_or_default();
        let synchronised = settings.is_set();
        let now = reading(synchronised);
        let line = Timeline::new(
            Known {
                built: built(),
                past: settings.past.map_or(0, |at| at.0),
                last: kept.last,
                unseen: if kept.last == 0 { 0 } else { KEEP_EVERY },
                continued: kept.assumed.filter(|_| kept.boot == boot),
                believe: settings.believes(),
            },
            now,
        );
        let assumed = line.was_assumed();
        if line.assumed().is_some() {
            let assumed = line.now(now.mono).0;
            tracing::warn!(
                system = now.wall,
                assumed,
                "the time is not known; it is assumed until a time service has set the clock"
            );
        }
        let inner = Mutex::new(Inner {
            line,
            synchronised: (synchronised, now.mono),
            kept: now.mono,
        });
        let opened = assumed.map(|line| line.since);
        let clock = Self {
            settings,
            boot,
            opened,
            inner,
        };
        clock.keep();
        clock
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name of the assumed line of time, while the time is not known.
    pub(crate) fn line(&self) -> Option<String> {
        let assumed = self.opened?;
        Some(format!("{}/{}", self.boot, assumed.0))
    }

    /// Goes on as if the assumed time were right.
    pub(crate) fn give_up(&self) {
        self.lock().line.give_up();
        self.keep();
    }

    /// Remembers the time if that was long ago.
    pub(crate) fn keep_now_and_then(&self) {
        if monotonic() - self.lock().kept >= KEEP_EVERY {
            self.keep();
        }
    }

    /// Remembers the time.
    pub(crate) fn keep(&self) {
        let Some(dir) = &self.settings.dir else {
            return;
        };
        let kept = {
            let mut inner = self.lock();
            inner.kept = monotonic();
            Kept {
                last: inner.line.now(inner.kept).0,
                boot: self.boot.clone(),
                assumed: inner.line.assumed(),
            }
        };
        if let Err(error) = kept.write(dir) {
            tracing::warn!(%error, dir = %dir.display(), "the time could not be remembered");
        }
    }
}

impl Clock for GatewayClock {
    fn now(&self) -> Timestamp {
        self.lock().line.now(monotonic())
    }

    fn state(&self) -> ClockState {
        self.lock().line.state()
    }

    fn steady(&self) -> Timestamp {
        self.lock().line.steady(monotonic())
    }

    fn is_assumed(&self) -> bool {
        self.lock().line.assumed().is_some()
    }

    fn look(&self) -> Option<ClockStep> {
        let step = {
            let mut inner = self.lock();
            let mut now = reading(inner.synchronised.0);
            if now.mono - inner.synchronised.1 >= FILES_EVERY {
                now.synchronised = self.settings.is_set();
                if now.synchronised != inner.synchronised.0 {
                    tracing::info!(synchronised = now.synchronised, "the clock");
                }
                inner.synchronised = (now.synchronised, now.mono);
            }
            inner.line.look(now)
        };
        if let Some(step) = step {
            tracing::warn!(
                from = step.from.0,
                to = step.to.0,
                by_ms = step.by_ms(),
                was_assumed = step.assumed_since.is_some(),
                "the clock was set"
            );
            self.keep();
        }
        step
    }

    fn settled(&self, at: Timestamp) -> Timestamp {
        self.lock().line.settled(at, monotonic())
    }
}

impl ClockSettings {
    /// Whether a time service says that it has set the clock.
    fn is_set(&self) -> bool {
        let usual = self.marker == std::path::Path::new(SYNCHRONISED);
        self.marker.exists() || (usual && std::path::Path::new(SYNCHRONISED_ANY).exists())
    }

    /// Whether a clock that looks right is believed before a time service has set it.
    fn believes(&self) -> bool {
        match self.wait {
            Wait::Always => false,
            Wait::Never => true,
            Wait::Auto => {
                let service = std::path::Path::new(SYNCHRONISED).parent();
                let at_work = service.is_some_and(std::path::Path::exists);
                !at_work || std::path::Path::new(HARDWARE_CLOCK).exists()
            }
        }
    }
}

/// Milliseconds since the machine started, sleep included; the same for every process.
fn monotonic() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec
        .saturating_mul(1_000)
        .saturating_add(now.tv_nsec / 1_000_000)
}

fn reading(synchronised: bool) -> Reading {
    let mono = monotonic();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let wall = since.map_or(0, |s| i64::try_from(s.as_millis()).unwrap_or(i64::MAX));
    Reading {
        mono,
        wall,
        synchronised,
    }
}

fn built() -> i64 {
    BUILT.parse::<i64>().unwrap_or(0).saturating_mul(1_000)
}

/// The kernel's name for this start of the machine (`random(4)`); empty where it has none.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &std::path::Path, wait: Wait) -> ClockSettings {
        ClockSettings {
            marker: dir.join("synchronized"),
            wait,
            dir: Some(dir.to_owned()),
            past: None,
        }
    }

    #[test]
    fn trust_follows_the_file_of_the_time_service() {
        let dir = tempfile::tempdir().unwrap();
        let set = || std::fs::write(dir.path().join("synchronized"), "").unwrap();
        let clock = GatewayClock::open(settings(dir.path(), Wait::Never));
        assert_eq!(clock.state(), ClockState::Unsynchronised);
        assert!(!clock.is_assumed(), "a clock that looks right is believed");
        set();
        let clock = GatewayClock::open(settings(dir.path(), Wait::Never));
        assert_eq!(clock.state(), ClockState::Synchronised);
    }

    #[test]
    fn waiting_for_the_time_goes_on_after_a_restart_and_ends_with_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let clock = GatewayClock::open(settings(dir.path(), Wait::Always));
        assert!(clock.is_assumed());
        let began = clock.now();
        drop(clock);
        let clock = GatewayClock::open(settings(dir.path(), Wait::Always));
        assert!(clock.is_assumed());
        assert_eq!(clock.look(), None);
        std::fs::write(dir.path().join("synchronized"), "").unwrap();
        // Known at once to a process that starts after it was set, too.
        let clock = GatewayClock::open(settings(dir.path(), Wait::Always));
        let step = clock.look().expect("the time is known");
        assert!(step.assumed_since.is_some_and(|since| since <= began));
        assert_eq!(step.state, ClockState::Synchronised);
        assert!(!clock.is_assumed());
        assert_eq!(clock.look(), None, "told once");
    }

    #[test]
    fn no_stamp_is_before_the_start_of_a_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let ahead = reading(false).wall + 7_200_000;
        let settings = ClockSettings {
            past: Some(Timestamp(ahead)),
            ..settings(dir.path(), Wait::Never)
        };
        let clock = GatewayClock::open(settings);
        assert!(clock.is_assumed());
        assert!((ahead..ahead + 60_000).contains(&clock.now().0));
    }

    #[test]
    fn no_stamp_is_before_the_time_that_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let ahead = reading(false).wall + 7_200_000;
        let kept = Kept {
            last: ahead,
            boot: "another".to_owned(),
            assumed: None,
        };
        kept.write(dir.path()).unwrap();
        let clock = GatewayClock::open(settings(dir.path(), Wait::Never));
        assert!(clock.is_assumed());
        assert!(clock.now().0 >= ahead);
    }
}
