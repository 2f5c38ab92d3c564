//! Every operation of the OpenAPI document × every role × {nobody, own tenant, other tenant,
//! expired token}, against a table. An operation without a line in the table fails.

use crate::site::{METRICS, Site, T0, answer, origin};
use riser_cloud::db::Poison;
use riser_model::{
    Alarm, AlarmId, AlarmPriority, AlarmState, Author, AuthorKind, Command, CommandId, Event,
    Permission, Priority, Reading, Role, ScanBatch, Slot, Timestamp, Value,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// Who may, and how the answers look.
enum Gate {
    /// Everybody; anonymously it answers this.
    Open(u16),
    /// Whoever has the permission. The path names an object: another tenant's answers 404.
    Object(Permission, u16),
    /// Whoever has the permission. A list: another tenant's is simply not in it.
    List(Permission),
}

/// The configuration of a gateway; those of this test are not connected, nor waited for.
fn configuring() -> [(&'static str, Gate); 5] {
    use Gate::Object;
    use Permission::Configure;
    [
        (
            "get /api/v1/gateways/{gateway}/config",
            Object(Configure, 200),
        ),
        (
            "post /api/v1/gateways/{gateway}/config",
            Object(Configure, 409),
        ),
        (
            "delete /api/v1/gateways/{gateway}/config/desired",
            Object(Configure, 409),
        ),
        (
            "post /api/v1/gateways/{gateway}/config/confirm",
            Object(Configure, 409),
        ),
        (
            "post /api/v1/gateways/{gateway}/config/revert",
            Object(Configure, 409),
        ),
    ]
}

#[expect(
    clippy::too_many_lines,
    reason = "a table is as long as there are routes"
)]
fn table() -> BTreeMap<&'static str, Gate> {
    use Gate::{List, Object, Open};
    use Permission::{Acknowledge, Administer, Read, Write};
    let mut all = BTreeMap::from([
        ("get /healthz", Open(200)),
        ("get /metrics", Open(401)),
        ("get /openapi.json", Open(200)),
        ("post /api/v1/auth/login", Open(400)),
        ("post /api/v1/auth/refresh", Open(401)),
        ("post /api/v1/auth/logout", Open(204)),
        ("get /api/v1/live", Open(400)),
        ("get /api/v1/me", List(Read)),
        ("get /api/v1/tenants", List(Read)),
        ("get /api/v1/tenants/{id}", Object(Read, 200)),
        ("get /api/v1/gateways", List(Read)),
        ("get /api/v1/gateways/{gateway}", Object(Read, 200)),
        (
            "get /api/v1/gateways/{gateway}/audit",
            Object(Administer, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/audit.csv",
            Object(Administer, 200),
        ),
        (
            "post /api/v1/gateways/{gateway}/audit/acknowledge",
            Object(Administer, 200),
        ),
        ("get /api/v1/gateways/{gateway}/ledger", Object(Read, 200)),
        (
            "get /api/v1/gateways/{gateway}/completeness",
            Object(Read, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/quarantine",
            Object(Read, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/quarantine/{frame}",
            Object(Read, 200),
        ),
        ("get /api/v1/gateways/{gateway}/points", Object(Read, 200)),
        (
            "get /api/v1/gateways/{gateway}/points/{device}/{point}",
            Object(Read, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/points/{device}/{point}/trend",
            Object(Read, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/points/{device}/{point}/samples",
            Object(Read, 200),
        ),
        (
            "get /api/v1/gateways/{gateway}/points/{device}/{point}/samples.csv",
            Object(Read, 200),
        ),
        (
            "post /api/v1/gateways/{gateway}/points/{device}/{point}/write",
            Object(Write, 202),
        ),
        ("get /api/v1/gateways/{gateway}/commands", Object(Read, 200)),
        ("get /api/v1/commands/{id}", Object(Read, 200)),
        ("get /api/v1/alarms", List(Read)),
        (
            "post /api/v1/gateways/{gateway}/alarms/{id}/acknowledge",
            Object(Acknowledge, 200),
        ),
    ]);
    all.extend(configuring());
    all
}

const ALARM: u128 = 0xa1;
const COMMAND: u128 = 0xc1;

fn alarm(id: u128) -> Alarm {
    Alarm {
        id: AlarmId(Uuid::from_u128(id)),
        rule: "too_hot".parse().unwrap(),
        path: "ahu-1/supply_temp".parse().unwrap(),
        priority: AlarmPriority::High,
        message: "supply air too hot".into(),
        state: AlarmState::ActiveUnacknowledged,
        raised_at: Timestamp(T0),
        value: Some(Value::Float(40.0)),
        limit: Some(35.0),
        cleared_at: None,
        acknowledged: None,
    }
}

fn command(id: u128) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        path: "ahu-1/setpoint".parse().unwrap(),
        value: Some(Value::Float(20.0)),
        priority: Priority::MANUAL_OPERATOR,
        issued_at: Timestamp(T0),
        expires_at: Timestamp(T0 + 30_000),
        hold_until: None,
        author: Author {
            kind: AuthorKind::Local,
            name: "tech".into(),
        },
    }
}

/// Objects of both tenants; ids differ by tenant where they are global.
async fn site() -> Site {
    let site = Site::with_gateways().await;
    for (tenant, gateway, n) in [("acme", "gw-acme", 0), ("beta", "gw-beta", 1)] {
        let origin = origin(tenant, gateway);
        site.event(&origin, Event::Alarm(alarm(ALARM + n))).await;
        site.event(&origin, Event::Command(command(COMMAND + n)))
            .await;
        let readings = vec![Reading {
            slot: Slot(0),
            value: Some(Value::Float(21.0)),
            quality: riser_model::Quality::GOOD,
        }];
        let at = Timestamp(T0 - 1000);
        site.data(&origin, vec![ScanBatch { at, readings }]).await;
        let poison = Poison {
            header: None,
            frame: b"RF"[..].into(),
            reason: "cut short".to_owned(),
        };
        let put = site.db.quarantine(&origin, poison, Timestamp(T0)).await;
        put.unwrap();
    }
    site
}

/// The operation's path with the names of one tenant's objects in it.
fn filled(operation: &str, tenant: &str) -> String {
    let n = u128::from(tenant == "beta");
    let id = if operation.contains("/tenants/") {
        tenant.to_owned()
    } else if operation.contains("/commands/") {
        Uuid::from_u128(COMMAND + n).to_string()
    } else {
        Uuid::from_u128(ALARM + n).to_string()
    };
    operation
        .replace("{gateway}", &format!("gw-{tenant}"))
        .replace("{device}", "ahu-1")
        .replace("{point}", "setpoint")
        .replace("{frame}", &(n + 1).to_string())
        .replace("{id}", &id)
}

fn operations() -> Vec<(String, String, Json)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    all
}

async fn ask(site: &Site, (method, path): (&str, &str), token: Option<&str>) -> u16 {
    let mut request = site.request(&method.to_uppercase(), path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if path.ends_with("/write") || path.contains("/write?") {
        request = request.json(&json!({ "value": 21.0 }));
    } else if path.contains("/config/") {
        request = request.json(&json!({}));
    } else if method == "post" && path.contains("/config") {
        request = request.json(&json!({ "document": "", "wait_seconds": 0 }));
    } else if path.contains("/acknowledge") {
        request = request.json(&json!({ "comment": "seen" }));
    }
    answer(request).await.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_everybody_as_the_table_says() {
    let site = site().await;
    let mut table = table();
    let (mut missing, mut wrong, mut asked) = (Vec::new(), Vec::new(), 0);
    for (method, path, operation) in operations() {
        let name = format!("{method} {path}");
        let Some(gate) = table.remove(name.as_str()) else {
            missing.push(name);
            continue;
        };
        for (who, expected, got) in walk(&site, (&method, &path), &gate).await {
            asked += 1;
            if expected != got {
                wrong.push(format!("{name} as {who}: expected {expected}, got {got}"));
            }
        }
        let declared = operation["x-permission"].as_str().map(str::to_owned);
        let expected = match gate {
            Gate::Open(_) => None,
            Gate::Object(permission, _) | Gate::List(permission) => Some(format!("{permission:?}")),
        };
        assert_eq!(declared, expected, "{name} declares another permission");
    }
    assert!(missing.is_empty(), "operations without a case: {missing:?}");
    assert!(
        table.is_empty(),
        "cases without an operation: {:?}",
        table.keys()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 500, "only {asked} requests were made");
}

async fn walk(site: &Site, (method, path): (&str, &str), gate: &Gate) -> Vec<(String, u16, u16)> {
    let own = filled(path, "acme");
    let mut seen = Vec::new();
    let (permission, success) = match *gate {
        Gate::Open(status) => {
            let got = ask(site, (method, &own), None).await;
            return vec![("nobody".into(), status, got)];
        }
        Gate::Object(permission, success) => (permission, success),
        Gate::List(permission) => (permission, 200),
    };
    seen.push(("nobody".into(), 401, ask(site, (method, &own), None).await));
    let forged = site.token(Role::SystemAdmin, None).replace('.', ".x");
    seen.push((
        "a forger".into(),
        401,
        ask(site, (method, &own), Some(&forged)).await,
    ));
    for role in Role::ALL {
        let home = (role != Role::SystemAdmin).then_some("acme");
        let token = site.token(role, home);
        let allowed = if role.may(permission) { success } else { 403 };
        let got = ask(site, (method, &own), Some(&token)).await;
        seen.push((format!("{role:?} of the tenant"), allowed, got));

        let old = site.token_at(role, home, Timestamp(T0 - 15 * 60_000));
        let got = ask(site, (method, &own), Some(&old)).await;
        seen.push((format!("{role:?} with an expired token"), 401, got));

        let crosses = role.may(Permission::AllTenants);
        let foreign = filled(path, "beta");
        let expected = match gate {
            Gate::Object(..) if !role.may(permission) => 403,
            Gate::Object(..) if !crosses => 404,
            _ => allowed,
        };
        let got = ask(site, (method, &foreign), Some(&token)).await;
        seen.push((format!("{role:?} at another tenant's"), expected, got));

        let named = format!("{foreign}?tenant=beta");
        let expected = if crosses { success } else { 404 };
        let got = ask(site, (method, &named), Some(&token)).await;
        seen.push((format!("{role:?} naming another tenant"), expected, got));
    }
    seen
}

#[tokio::test]
async fn the_figures_open_with_the_metrics_token_only() {
    let site = Site::start().await;
    let admin = site.token(Role::SystemAdmin, None);
    assert_eq!(site.get(&admin, "/metrics").await.0, 401);
    assert_eq!(
        site.get("metrics-token-of-the-tesT", "/metrics").await.0,
        401
    );
    let answer = site.request("GET", "/metrics").bearer_auth(METRICS);
    let text = answer.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("# TYPE riser_logins_total counter\nriser_logins_total 0\n"),
        "{text}"
    );
    assert!(text.contains("riser_live_viewers 0\n"), "{text}");
}
