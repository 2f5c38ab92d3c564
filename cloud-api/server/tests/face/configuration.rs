//! A configuration that waits for its gateway: one for each, replaced, cancelled, over in time, and
//! answered by the gateway's audit log.

use crate::site::{Site, T0, answer, origin};
use riser_model::audit::action;
use riser_model::{AuditEntry, AuditHash, Event, Role, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

const CONFIG: &str = "/api/v1/gateways/gw-001/config";
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

struct Desk {
    site: Site,
    token: String,
}

impl Desk {
    async fn new() -> Self {
        let site = Site::with_gateways().await;
        let token = site.token(Role::Technician, Some("acme"));
        Self { site, token }
    }

    async fn apply(&self, note: &str) -> Value {
        let body = json!({ "document": "password = 'hunter2'", "note": note });
        let (status, sent) = self.site.post(&self.token, CONFIG, body).await;
        assert_eq!((status, &sent["waiting"]), (202, &json!(true)), "{sent}");
        sent
    }

    async fn desired(&self) -> Value {
        let (status, shown) = self.site.get(&self.token, CONFIG).await;
        assert_eq!(status, 200, "{shown}");
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        shown["desired"].clone()
    }

    async fn cancel(&self) -> (u16, Value) {
        let request = self.site.request("DELETE", &format!("{CONFIG}/desired"));
        answer(request.bearer_auth(&self.token)).await
    }

    /// Whether a document would go out to the gateway.
    async fn goes_out(&self) -> bool {
        let at = origin("acme", "gw-001");
        let pending = self.site.db.pending_configuration(&at, self.site.now());
        pending.await.unwrap().is_some()
    }

    /// Whether any document is kept.
    async fn kept(&self) -> bool {
        let sql = "SELECT count(ask) > 0 FROM configuration_desired";
        let kept = self
            .site
            .db
            .read(|c| Ok(c.query_row(sql, [], |r| r.get(0))?));
        kept.await.unwrap()
    }
}

fn entry(action: &str, request: &str) -> AuditEntry {
    AuditEntry {
        chain: Uuid::from_u128(1),
        no: 1,
        at: Timestamp(T0 + 5),
        actor: "technician@acme".into(),
        source: "cloud".into(),
        action: action.into(),
        object: "configuration 2".into(),
        detail: json!({ "request": request, "sha256": "ab" }).to_string(),
        previous: AuditHash::ZERO,
        hash: AuditHash::ZERO,
    }
    .sealed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_waits_for_its_gateway_and_says_whose_it_is() {
    let desk = Desk::new().await;
    assert_eq!(desk.desired().await, Value::Null);
    let sent = desk.apply("first").await;
    assert_eq!(sent["expires_at"], T0 + WEEK_MS);
    let shown = desk.desired().await;
    assert_eq!(shown["request"], sent["request"]);
    assert_eq!(
        (&shown["state"], &shown["by"], &shown["from"]),
        (
            &json!("waiting"),
            &json!("technician@acme"),
            &json!("127.0.0.1")
        ),
        "{shown}"
    );
    assert_eq!(
        (&shown["note"], &shown["asked_at"]),
        (&json!("first"), &json!(T0))
    );
    assert!(desk.goes_out().await);
    // A newer one takes its place.
    let newer = desk.apply("second").await;
    let shown = desk.desired().await;
    assert_eq!(
        (&shown["request"], &shown["note"]),
        (&newer["request"], &json!("second"))
    );
    // It may wait as long as it is told to, and not longer than a month.
    let body = |wait: u32| json!({ "document": "", "wait_seconds": wait });
    let (status, error) = desk.site.post(&desk.token, CONFIG, body(2_592_001)).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (422, &json!("configuration_refused"))
    );
    let (status, error) = desk.site.post(&desk.token, CONFIG, body(0)).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (409, &json!("not_connected"))
    );
    assert_eq!(desk.desired().await["note"], "second", "it still waits");
    let (_, sent) = desk.site.post(&desk.token, CONFIG, body(60)).await;
    assert_eq!(sent["expires_at"], T0 + 60_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_or_over_never_goes_out_and_is_not_kept() {
    let desk = Desk::new().await;
    let (status, error) = desk.cancel().await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (409, &json!("nothing_waits"))
    );
    desk.apply("first").await;
    let (status, shown) = desk.cancel().await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(
        (&shown["desired"]["state"], &shown["desired"]["ended_by"]),
        (&json!("cancelled"), &json!("technician@acme")),
        "{shown}"
    );
    assert!(!desk.goes_out().await && !desk.kept().await);
    assert_eq!(desk.cancel().await.0, 409);
    desk.apply("second").await;
    desk.site.advance(WEEK_MS - 1);
    assert_eq!(
        desk.site
            .db
            .expire_configurations(desk.site.now())
            .await
            .unwrap(),
        0
    );
    desk.site.advance(1);
    assert!(!desk.goes_out().await);
    assert_eq!(
        desk.site
            .db
            .expire_configurations(desk.site.now())
            .await
            .unwrap(),
        1
    );
    let token = desk.site.token(Role::Technician, Some("acme"));
    let desk = Desk { token, ..desk };
    let shown = desk.desired().await;
    assert_eq!(
        (&shown["state"], &shown["ended_at"]),
        (&json!("expired"), &json!(T0 + WEEK_MS))
    );
    assert!(!desk.kept().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateways_audit_log_answers_it_and_only_it() {
    let desk = Desk::new().await;
    let sent = desk.apply("first").await;
    let request = sent["request"].as_str().unwrap();
    let id = Uuid::parse_str(request).unwrap();
    desk.site
        .db
        .configuration_sent(id, desk.site.now())
        .await
        .unwrap();
    assert_eq!(desk.desired().await["state"], "sent");
    assert!(desk.goes_out().await, "until it is answered");
    // Another gateway cannot answer it, nor an entry about something else.
    let foreign = Event::Audit(entry(action::CONFIGURATION, request));
    desk.site.event(&origin("beta", "gw-001"), foreign).await;
    let other = Event::Audit(entry(action::WRITE, request));
    desk.site.event(&origin("acme", "gw-acme"), other).await;
    assert_eq!(desk.desired().await["state"], "sent");
    desk.site.advance(2_000);
    let answer = Event::Audit(entry("configuration_refused", request));
    desk.site.event(&origin("acme", "gw-001"), answer).await;
    let shown = desk.desired().await;
    assert_eq!(
        (&shown["state"], &shown["ended_by"], &shown["ended_at"]),
        (
            &json!("answered"),
            &json!("configuration_refused"),
            &json!(T0 + 2_000)
        ),
        "{shown}"
    );
    assert!(!desk.goes_out().await && !desk.kept().await);
    // One that is never answered is not sent for ever: an old gateway does not know it again.
    let again = desk.apply("second").await;
    let id = Uuid::parse_str(again["request"].as_str().unwrap()).unwrap();
    for _ in 0..5 {
        assert!(desk.goes_out().await);
        desk.site
            .db
            .configuration_sent(id, desk.site.now())
            .await
            .unwrap();
    }
    assert!(!desk.goes_out().await);
    assert_eq!(desk.desired().await["state"], "sent");
}
