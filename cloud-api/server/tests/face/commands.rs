//! Writing points: what is refused before it goes anywhere, what is recorded, what comes back.

use crate::site::{Site, T0, origin, points};
use riser_model::{
    CommandId, CommandState, Event, HeldBy, Outcome, Priority, Role, Timestamp, Value,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

fn write(point: &str) -> String {
    format!("/api/v1/gateways/gw-001/points/ahu-1/{point}/write")
}

async fn pending(site: &Site) -> usize {
    let at = origin("acme", "gw-001");
    site.db
        .pending_commands(&at, site.now())
        .await
        .unwrap()
        .len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_the_point_does_not_take_is_refused_with_its_own_reason() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::Operator, Some("acme"));
    let all = points();
    for (slot, point, body, value) in [
        (1, "setpoint", json!(35.5), Value::Float(35.5)),
        (1, "setpoint", json!(4), Value::Float(4.0)),
        (1, "setpoint", json!("warm"), Value::text("warm")),
        (2, "fan", json!(2), Value::Int(2)),
        (0, "supply_temp", json!(20), Value::Float(20.0)),
    ] {
        let (status, error) = site
            .post(&token, &write(point), json!({ "value": body }))
            .await;
        assert_eq!(
            (status, &error["error"]["code"]),
            (422, &"value_refused".into()),
            "{error}"
        );
        let reason = all[slot].check_write(&value).unwrap_err();
        assert_eq!(error["error"]["message"], reason);
    }
    let (status, error) = site
        .post(&token, &write("supply_temp"), json!({ "value": null }))
        .await;
    assert_eq!(status, 422, "releasing a read-only point: {error}");
    for body in [
        json!({ "value": 20, "priority": 0 }),
        json!({ "value": 20, "priority": 17 }),
        json!({ "value": 20, "ttl_seconds": 0 }),
        json!({ "value": 20, "ttl_seconds": 3601 }),
        json!({ "value": 20, "hold_seconds": 0 }),
    ] {
        let (status, error) = site.post(&token, &write("setpoint"), body).await;
        assert_eq!(status, 422, "{error}");
    }
    for body in [
        json!({}),
        json!({ "value": 20, "until": 5 }),
        json!({ "value": [1] }),
    ] {
        let (status, error) = site.post(&token, &write("setpoint"), body).await;
        assert_eq!(
            (status, &error["error"]["code"]),
            (400, &"malformed".into()),
            "{error}"
        );
    }
    assert_eq!(pending(&site).await, 0, "something refused was recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_is_recorded_with_its_times_and_waits_for_the_gateway() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::Operator, Some("acme"));
    let body = json!({ "value": 21, "hold_seconds": 3600 });
    let (status, record) = site.post(&token, &write("setpoint"), body).await;
    assert_eq!(status, 202, "{record}");
    let command = &record["command"];
    assert_eq!(
        (&command["value"], &command["priority"]),
        (&json!(21.0), &json!(8))
    );
    assert_eq!(command["issued_at"], T0);
    assert_eq!(command["expires_at"], T0 + 30_000);
    assert_eq!(command["hold_until"], T0 + 3_600_000);
    assert_eq!(
        command["author"],
        json!({ "kind": "cloud", "name": "operator@acme" })
    );
    assert_eq!(record["outcome"]["state"], "requested");
    assert!(
        !record.to_string().contains("127.0.0.1"),
        "only the audit log says from where"
    );
    let at = origin("acme", "gw-001");
    let waiting = site.db.pending_commands(&at, site.now()).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].1, "127.0.0.1".parse().ok());
    let id = command["id"].as_str().unwrap();
    let (_, one) = site.get(&token, &format!("/api/v1/commands/{id}")).await;
    assert_eq!(&one["command"], command);
    let (_, list) = site
        .get(
            &token,
            "/api/v1/gateways/gw-001/commands?path=ahu-1/setpoint",
        )
        .await;
    assert_eq!(&list["commands"][0]["command"], command);
    let (_, none) = site
        .get(&token, "/api/v1/gateways/gw-001/commands?path=ahu-1/fan")
        .await;
    assert_eq!(none["commands"], json!([]));
    let (_, detail) = site
        .get(&token, "/api/v1/gateways/gw-001/points/ahu-1/setpoint")
        .await;
    assert_eq!(&detail["last_command"]["command"], command);
    let stranger = site.token(Role::TenantAdmin, Some("beta"));
    assert_eq!(
        site.get(&stranger, &format!("/api/v1/commands/{id}"))
            .await
            .0,
        404
    );
    site.advance(30_000);
    assert_eq!(
        pending(&site).await,
        0,
        "an expired command would still be sent"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_has_no_second_effect_and_an_id_is_not_taken_twice() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::Operator, Some("acme"));
    let id = Uuid::from_u128(42);
    let body = json!({ "value": true, "id": id });
    let (_, first) = site.post(&token, &write("fan"), body.clone()).await;
    site.advance(1000);
    let (status, second) = site.post(&token, &write("fan"), body).await;
    assert_eq!((status, &second["command"]), (202, &first["command"]));
    assert_eq!(pending(&site).await, 1);
    let other = json!({ "value": false, "id": id });
    let (status, error) = site.post(&token, &write("fan"), other).await;
    assert_eq!((status, &error["error"]["code"]), (409, &"id_taken".into()));
    assert_eq!(pending(&site).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outcome_is_what_the_gateway_says() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::Operator, Some("acme"));
    let (_, record) = site
        .post(&token, &write("setpoint"), json!({ "value": 21.5 }))
        .await;
    let id: Uuid = record["command"]["id"].as_str().unwrap().parse().unwrap();
    let outcome = Outcome {
        command: CommandId(id),
        state: CommandState::AcceptedNotEffective,
        at: Timestamp(T0 + 20),
        detail: "level 5 holds 19 °C".into(),
        read_back: Some(Value::Float(19.0)),
        held_by: Some(HeldBy {
            priority: Priority::new(5).unwrap(),
            author: None,
        }),
    };
    site.event(&origin("acme", "gw-001"), Event::Outcome(outcome))
        .await;
    let (_, one) = site.get(&token, &format!("/api/v1/commands/{id}")).await;
    let expected: Json = json!({
        "command": id, "state": "accepted_not_effective", "at": T0 + 20,
        "detail": "level 5 holds 19 °C", "read_back": 19.0,
        "held_by": { "priority": 5, "author": null },
    });
    assert_eq!(one["outcome"], expected);
    assert_eq!(pending(&site).await, 0);
}
