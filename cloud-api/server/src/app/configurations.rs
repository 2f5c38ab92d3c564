//! Configurations of gateways, from afar: what runs there by its own word, and asking for another,
//! which may wait for the gateway. Owns the reading of audit entries about it; what a document means
//! is the gateway's.

use super::audit::{AuditFilter, Audits};
use super::error::found;
use super::fleet::Fleet;
use super::{AppError, AppResult};
use crate::clock::Clock;
use crate::db::{Db, Desired, DesiredState, DesiredView};
use crate::ingest::Downlink;
use crate::tenancy::TenantContext;
use riser_model::audit::action;
use riser_model::configuration::{CONFIRM_MAX, NOTE_MAX};
use riser_model::{AuditEntry, ConfigurationAsk, ConfigurationDifference, GatewayId, Timestamp};
use riser_wire::ConfigurationRequest;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest document that is sent, in octets: a message of the link is at most 1 MiB.
pub const DOCUMENT_MAX: usize = 1_000_000;
/// Time within which a connected gateway must begin.
const TTL: Duration = Duration::from_secs(30);
/// Longest time a document may wait for a gateway, in seconds: 30 days.
pub const WAIT_MAX: u32 = 30 * 24 * 3600;
/// Steps shown at most.
const STEPS: u32 = 50;

/// One step in the life of a gateway's configuration, by its audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationStep {
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// `configuration` (applied), `configuration_confirmed`, `…_reverted`, `…_refused`, `…_unchanged`.
    pub action: String,
    /// The version meant; absent for one that was refused.
    pub version: Option<u32>,
    /// Hash of the document, where one was made.
    pub sha256: Option<String>,
    /// Who.
    pub actor: String,
    /// From where.
    pub source: String,
    /// What they wrote.
    pub note: Option<String>,
    /// Until when it waits to be confirmed.
    pub until: Option<i64>,
    /// Why it was taken back or refused.
    pub reason: Option<String>,
    /// The request of the cloud it answers.
    pub request: Option<String>,
    /// The version that runs again after this one was taken back.
    pub back_to: Option<u32>,
    /// What it changed, as far as the audit log had room; secrets hidden.
    pub changes: Vec<ConfigurationDifference>,
    /// Changes that are not in the list.
    pub more_changes: u64,
}

/// What a gateway runs, as far as its audit log has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GatewayConfiguration {
    /// The version that runs; absent before the gateway said.
    pub version: Option<u32>,
    /// Its hash.
    pub sha256: Option<String>,
    /// Whether it waits to be confirmed.
    pub waiting: bool,
    /// Until when it waits.
    pub until: Option<i64>,
    /// Steps, the newest first.
    pub steps: Vec<ConfigurationStep>,
    /// The newest document somebody asked for here, however far it has come; absent where nobody did.
    pub desired: Option<ConfigurationDesired>,
}

/// A document somebody asked for at the cloud, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationDesired {
    /// Its name: the step that answers it carries it.
    pub request: Uuid,
    /// How far it has come.
    pub state: DesiredState,
    /// What was written to it.
    pub note: String,
    /// Who asked.
    pub by: String,
    /// The network address they asked from.
    pub from: Option<String>,
    /// When they asked.
    pub asked_at: Timestamp,
    /// Until when the gateway may begin.
    pub expires_at: Timestamp,
    /// When it went out, the last time.
    pub sent_at: Option<Timestamp>,
    /// When it was answered, cancelled or over.
    pub ended_at: Option<Timestamp>,
    /// The action of the answer in the gateway's audit log, or who cancelled it.
    pub ended_by: Option<String>,
}

/// A request on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConfigurationSent {
    /// Its name: the step that answers it carries it.
    pub request: Uuid,
    /// Whether it waits for the gateway to connect.
    pub waiting: bool,
    /// Until when the gateway may begin.
    pub expires_at: Timestamp,
}

/// Configurations of gateways.
#[derive(Debug)]
pub struct Configurations {
    db: Db,
    fleet: Fleet,
    audits: Audits,
    downlink: Downlink,
    clock: Clock,
}

impl Configurations {
    /// Over this database, with this way down.
    #[must_use]
    pub fn new(db: &Db, downlink: Downlink, clock: Clock) -> Self {
        Self {
            db: db.clone(),
            fleet: Fleet::new(db.clone()),
            audits: Audits::new(db.clone(), clock.clone()),
            downlink,
            clock,
        }
    }

    /// What a gateway runs.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too.
    pub async fn of(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
    ) -> AppResult<GatewayConfiguration> {
        let filter = AuditFilter {
            search: Some("configuration".to_owned()),
            limit: STEPS,
            ..AuditFilter::default()
        };
        let log = self.audits.of(who, gateway.clone(), filter).await?;
        let entries = log
            .entries
            .iter()
            .filter(|e| e.action.starts_with(action::CONFIGURATION));
        let steps = entries.map(step).collect();
        let desired = self.db.desired_configuration(who, gateway.clone()).await?;
        let desired = found(desired, || format!("gateway '{gateway}'"))?;
        Ok(GatewayConfiguration {
            desired: desired.map(shown),
            ..standing(steps)
        })
    }

    /// Asks a gateway to run a document, in place of what was asked for before. A gateway that is not
    /// connected may be waited for.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too; [`AppError::Refused`] when something is too
    /// long; [`AppError::Conflict`] when the gateway is not connected and is not to be waited for.
    pub async fn apply(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        (ask, wait_seconds): (ConfigurationAsk, u32),
    ) -> AppResult<ConfigurationSent> {
        fits(&ask)?;
        if wait_seconds > WAIT_MAX {
            return Err(refused(format!(
                "a document waits for a gateway at most {WAIT_MAX} s"
            )));
        }
        let of = self.fleet.gateway(who, gateway.clone()).await?;
        if wait_seconds == 0 && !self.downlink.connected(&of.tenant, &of.id) {
            return Err(not_connected(&gateway));
        }
        let asked_at = self.clock.now();
        let wait = Duration::from_secs(wait_seconds.into()).max(TTL);
        let desired = Desired {
            request: Uuid::new_v4(),
            ask,
            author: who.author(),
            from: who.address(),
            asked_at,
            expires_at: asked_at.plus(wait),
        };
        let (request, expires_at) = (desired.request, desired.expires_at);
        let sent = self.downlink.desire(&of.tenant, &of.id, desired).await;
        let sent = sent.map_err(|error| super::alarms::refused(&error))?;
        tracing::info!(%gateway, %request, sent, by = who.email(), "a configuration was asked for");
        Ok(ConfigurationSent {
            request,
            waiting: !sent,
            expires_at,
        })
    }

    /// Takes back what the gateway has not answered. Answers with how things stand then.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too; [`AppError::Conflict`] when nothing is on its
    /// way.
    pub async fn cancel(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
    ) -> AppResult<GatewayConfiguration> {
        let now = self.clock.now();
        let cancelled = self.db.cancel_configuration(who, gateway.clone(), now);
        if !found(cancelled.await?, || format!("gateway '{gateway}'"))? {
            return Err(AppError::Conflict {
                code: "nothing_waits",
                message: format!(
                    "no configuration is on its way to gateway '{gateway}'; what it runs is taken back \
                     by reverting it"
                ),
            });
        }
        tracing::info!(%gateway, by = who.email(), "a configuration on its way was cancelled");
        self.of(who, gateway).await
    }

    /// Asks a connected gateway to keep what it runs, or to go back.
    ///
    /// # Errors
    /// [`AppError::NotFound`], for another tenant's too; [`AppError::Refused`] when something is too
    /// long; [`AppError::Conflict`] when the gateway is not connected.
    pub async fn ask(
        &self,
        who: &TenantContext,
        gateway: GatewayId,
        ask: ConfigurationAsk,
    ) -> AppResult<ConfigurationSent> {
        fits(&ask)?;
        let of = self.fleet.gateway(who, gateway.clone()).await?;
        let request = Uuid::new_v4();
        let expires_at = self.clock.now().plus(TTL);
        let message = ConfigurationRequest {
            request,
            author: who.author(),
            expires_at,
            ask,
            from: who.address(),
        };
        if !self.downlink.configure(&of.tenant, &of.id, message) {
            return Err(not_connected(&gateway));
        }
        tracing::info!(%gateway, %request, by = who.email(), "a change of the configuration was asked for");
        Ok(ConfigurationSent {
            request,
            waiting: false,
            expires_at,
        })
    }
}

fn not_connected(gateway: &GatewayId) -> AppError {
    AppError::Conflict {
        code: "not_connected",
        message: format!(
            "gateway '{gateway}' is not connected; nothing was sent, and nothing waits for it"
        ),
    }
}

fn refused(message: String) -> AppError {
    AppError::Refused {
        code: "configuration_refused",
        message,
    }
}

fn shown(desired: DesiredView) -> ConfigurationDesired {
    ConfigurationDesired {
        request: desired.request,
        state: desired.state,
        note: desired.note,
        by: desired.author.name,
        from: desired.from.map(|from| from.to_string()),
        asked_at: desired.asked_at,
        expires_at: desired.expires_at,
        sent_at: desired.sent_at,
        ended_at: desired.ended_at,
        ended_by: desired.ended_by,
    }
}

fn fits(ask: &ConfigurationAsk) -> AppResult<()> {
    let (seconds, note) = match ask {
        ConfigurationAsk::Apply { document, .. } if document.len() > DOCUMENT_MAX => {
            return Err(refused(format!(
                "a document has at most {DOCUMENT_MAX} octets"
            )));
        }
        ConfigurationAsk::Apply {
            confirm_seconds,
            note,
            ..
        } => (*confirm_seconds, note.as_str()),
        ConfigurationAsk::Revert {
            confirm_seconds,
            reason,
            ..
        } => (*confirm_seconds, reason.as_str()),
        _ => (None, ""),
    };
    if seconds.is_some_and(|s| !(1..=CONFIRM_MAX).contains(&s)) {
        return Err(refused(format!(
            "the time to confirm is between 1 and {CONFIRM_MAX} s"
        )));
    }
    if note.chars().count() > NOTE_MAX {
        return Err(refused(format!("a note has at most {NOTE_MAX} characters")));
    }
    Ok(())
}

fn step(entry: &AuditEntry) -> ConfigurationStep {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap_or_default();
    let text = |key: &str| {
        detail[key]
            .as_str()
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    let named = entry.object.strip_prefix("configuration ");
    ConfigurationStep {
        at: entry.at,
        action: entry.action.clone(),
        version: named.and_then(|n| n.parse().ok()),
        sha256: text("sha256"),
        actor: entry.actor.clone(),
        source: entry.source.clone(),
        note: text("note"),
        until: detail["until"].as_i64(),
        reason: text("reason"),
        request: text("request"),
        back_to: number(&detail["back_to"]),
        changes: serde_json::from_value(detail["changes"].clone()).unwrap_or_default(),
        more_changes: detail["more_changes"].as_u64().unwrap_or_default(),
    }
}

/// What runs after these steps, the newest first.
fn standing(steps: Vec<ConfigurationStep>) -> GatewayConfiguration {
    let reverted: Vec<u32> = steps
        .iter()
        .filter(|s| s.action == action::CONFIGURATION_REVERTED)
        .filter_map(|s| s.version)
        .collect();
    let runs = steps.iter().find(|s| {
        s.action == action::CONFIGURATION && s.version.is_some_and(|v| !reverted.contains(&v))
    });
    let confirmed = |version| {
        let mut all = steps.iter();
        all.any(|s| s.action == action::CONFIGURATION_CONFIRMED && s.version == version)
    };
    let waiting = runs.is_some_and(|s| s.until.is_some() && !confirmed(s.version));
    GatewayConfiguration {
        version: runs.and_then(|s| s.version),
        sha256: runs.and_then(|s| s.sha256.clone()),
        waiting,
        until: runs.and_then(|s| s.until).filter(|_| waiting),
        steps,
        desired: None,
    }
}
