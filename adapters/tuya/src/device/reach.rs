//! Reaching a device: where it is, which version to speak, how long to wait between tries. Owns the
//! order of knowledge: what it announces now, what is configured, what worked before, and only then
//! guesses, spaced, because a device falls silent when it is guessed at too often.

use super::{Link, Trial};
use crate::client::trouble::Known;
use crate::client::{Address, Session, Trouble, connect};
use crate::codec::Version;
use crate::lan::Heard;
use std::time::Duration;
use tokio::time::Instant;

impl Link {
    /// One try.
    pub(super) async fn reach(&mut self) -> Result<Session, Trouble> {
        let heard = self.heard().await;
        let Some(host) = self.host(heard.as_ref()) else {
            return Err(Trouble::NotSeen);
        };
        let versions = self.versions(heard.as_ref());
        let known = Known {
            announced: heard.and_then(|h| h.version),
            proven: self.learned.version,
            key_worked: self.learned.knows(&self.config.local_key),
            silences: self.silences + 1,
        };
        let address = Address {
            host: &host,
            port: self.config.port,
            id: &self.config.id,
            key: &self.config.local_key,
            connect: self.config.timing.connect,
            timeout: self.config.timing.timeout,
            now: self.shared.clock.now().0 / 1000,
        };
        self.stats.tried(&versions);
        connect(&address, &versions, &known).await
    }

    /// What the device announces; waited for where it is needed and may be coming.
    async fn heard(&mut self) -> Option<Heard> {
        let lan = self.shared.lan.clone();
        if self.config.sleepy {
            let after = self.stats.parted;
            return Some(
                self.wait_answering(lan.wait(&self.config.id.clone(), after))
                    .await,
            );
        }
        let settled =
            self.config.host.is_some() && (self.config.version.or(self.learned.version)).is_some();
        let heard = lan.of(&self.config.id);
        if heard.is_some() || settled || self.failures > 0 && self.config.host.is_some() {
            return heard;
        }
        let id = self.config.id.clone();
        let wait = tokio::time::timeout(self.config.timing.beacon_wait, lan.wait(&id, None));
        self.wait_answering(wait).await.ok()
    }

    /// Where it is. Where it announces itself from another address than it is configured at, and
    /// does not answer there, the announcement is believed.
    fn host(&self, heard: Option<&Heard>) -> Option<String> {
        let announced = heard.map(|h| h.address.to_string());
        match &self.config.host {
            Some(host) if self.failures.is_multiple_of(2) => Some(host.clone()),
            Some(host) => announced.or_else(|| Some(host.clone())),
            None => announced,
        }
    }

    fn versions(&self, heard: Option<&Heard>) -> Vec<Version> {
        let announced = heard.and_then(|h| h.version);
        let guess = if self.failures.is_multiple_of(2) {
            vec![Version::V33, Version::V34, Version::V31]
        } else {
            vec![Version::V35]
        };
        match (announced, self.config.version) {
            // Written and refuted once: what the device says about itself is tried.
            (Some(announced), Some(written)) if announced != written && self.failures > 0 => {
                vec![announced]
            }
            (_, Some(written)) => vec![written],
            (Some(announced), None) => vec![announced],
            (None, None) => match self.learned.version.filter(|_| self.failures < 3) {
                Some(version) => vec![version],
                None => guess,
            },
        }
    }

    /// A session is there: what made it possible is worth keeping.
    pub(super) async fn reached(&mut self, session: &Session) {
        self.failures = 0;
        self.silences = 0;
        self.trouble = None;
        let before = self.learned.clone();
        self.learned.version = Some(session.version());
        self.learned.key = Some(self.config.local_key.fingerprint());
        if self.learned != before {
            self.keep_learned().await;
        }
        let version = session.version();
        self.stats.connected(
            self.config
                .version
                .filter(|v| *v != version)
                .map(|written| {
                    Trouble::WrongVersion {
                        tried: written,
                        spoken: Some(version),
                    }
                    .to_string()
                }),
        );
        tracing::info!(device = %self.config.key, %version, "connected");
        if let Some(Trial {
            asked: Some(asked), ..
        }) = self.trial.take()
        {
            let _gone = asked.send(Ok(format!(
                "the device answers under this key (version {version})"
            )));
        }
    }

    pub(super) async fn keep_learned(&self) {
        self.learned
            .keep(self.shared.memory.as_ref(), &self.config.id)
            .await;
    }

    pub(super) async fn not_reached(&mut self, trouble: &Trouble) {
        self.failures = self.failures.saturating_add(1);
        let silent = matches!(trouble, Trouble::Silent(_)) || trouble.is_key();
        self.silences = if silent {
            self.silences.saturating_add(1)
        } else {
            0
        };
        self.stats.failed(trouble);
        tracing::info!(device = %self.config.key, "{trouble}");
        if !self.config.sleepy {
            self.all_down().await;
        }
        if let Some(Trial { before, asked }) = self.trial.take() {
            let answer = if trouble.is_key() {
                self.config.local_key = before;
                Err(format!("{trouble}; the key before stays in use"))
            } else {
                Ok(format!(
                    "the key is used from now on; whether it is right is not known yet: {trouble}"
                ))
            };
            if let Some(asked) = asked {
                let _gone = asked.send(answer);
            }
        } else if trouble.is_key() {
            self.look_for_key().await;
        }
    }

    /// A key tool may have written the new key by now.
    async fn look_for_key(&mut self) {
        let Some(file) = &self.shared.keys else {
            return;
        };
        let found = file.key_of(&self.config.id).await;
        if let Some(key) = found.filter(|k| *k != self.config.local_key) {
            tracing::info!(device = %self.config.key, "the key file has another key; it is tried");
            self.rekey(key, None);
        }
    }

    pub(super) fn pause_length(&self) -> Duration {
        let timing = &self.config.timing;
        if self.trial.is_some() {
            return Duration::ZERO;
        }
        // Devices drop connections for no reason, so the first new try comes at once; but one that
        // drops every connection is not asked in circles.
        if self.failures == 0 {
            return timing.retry.saturating_sub(self.stats.session_length());
        }
        let doubled = timing
            .retry
            .saturating_mul(1 << self.failures.saturating_sub(1).min(8));
        doubled.min(timing.retry_max)
    }

    pub(super) fn parted(&mut self, trouble: &Trouble) {
        self.outstanding = None;
        self.stats.idle(Instant::now());
        self.stats.parted = Some(Instant::now());
        if *trouble != Trouble::Rekeyed {
            self.stats.failed(trouble);
            tracing::info!(device = %self.config.key, "{trouble}");
        }
        self.fail_writes(&trouble.to_string());
    }
}
