//! Taking alarms: the first wins, and the gateway hears of it whenever it is back.

use crate::site::{Site, T0, origin};
use riser_model::{Alarm, AlarmId, AlarmPriority, AlarmState, Event, Role, Timestamp, Value};
use serde_json::json;
use uuid::Uuid;

fn alarm(state: AlarmState) -> Alarm {
    Alarm {
        id: AlarmId(Uuid::from_u128(0xa1a)),
        rule: "too_hot".parse().unwrap(),
        path: "ahu-1/supply_temp".parse().unwrap(),
        priority: AlarmPriority::Critical,
        message: "supply air too hot".into(),
        state,
        raised_at: Timestamp(T0),
        value: Some(Value::Float(40.0)),
        limit: Some(35.0),
        cleared_at: None,
        acknowledged: None,
    }
}

const TAKE: &str =
    "/api/v1/gateways/gw-001/alarms/00000000-0000-0000-0000-000000000a1a/acknowledge";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_to_take_an_alarm_has_taken_it() {
    let site = Site::with_gateways().await;
    let at = origin("acme", "gw-001");
    site.event(&at, Event::Alarm(alarm(AlarmState::ActiveUnacknowledged)))
        .await;
    let operator = site.token(Role::Operator, Some("acme"));
    let (status, taken) = site
        .post(&operator, TAKE, json!({ "comment": "on my way" }))
        .await;
    assert_eq!(
        (status, &taken["state"]),
        (200, &"active_acknowledged".into()),
        "{taken}"
    );
    assert_eq!(taken["acknowledged"]["by"]["name"], "operator@acme");
    assert_eq!(taken["acknowledged"]["by"]["kind"], "cloud");
    assert_eq!(taken["gateway"], "gw-001");

    site.advance(60_000);
    let manager = site.token(Role::Manager, Some("acme"));
    let (status, again) = site
        .post(&manager, TAKE, json!({ "comment": "me too" }))
        .await;
    assert_eq!(
        (status, &again),
        (200, &taken),
        "the second changed what the first had done"
    );

    let waiting = site.db.pending_acknowledgements(&at).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].1.comment, "on my way");
    assert_eq!(waiting[0].1.at, Timestamp(T0));
    assert_eq!(waiting[0].2, "127.0.0.1".parse().ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_has_not_heard_yet_does_not_undo_it() {
    let site = Site::with_gateways().await;
    let at = origin("acme", "gw-001");
    site.event(&at, Event::Alarm(alarm(AlarmState::ActiveUnacknowledged)))
        .await;
    let operator = site.token(Role::Operator, Some("acme"));
    site.post(&operator, TAKE, json!({})).await;
    let cleared = Alarm {
        cleared_at: Some(Timestamp(T0 + 5)),
        ..alarm(AlarmState::ClearedUnacknowledged)
    };
    site.event(&at, Event::Alarm(cleared.clone())).await;
    let (_, list) = site.get(&operator, "/api/v1/alarms?state=all").await;
    let shown = &list["alarms"][0];
    assert_eq!(shown["state"], "normal", "{shown}");
    assert_eq!(shown["acknowledged"]["by"]["name"], "operator@acme");

    // The gateway has an earlier one of its own: that is the one which counts.
    let own = riser_model::Acknowledgement {
        by: riser_model::Author {
            kind: riser_model::AuthorKind::Local,
            name: "tech".into(),
        },
        at: Timestamp(T0 - 1),
        comment: String::new(),
    };
    let settled = Alarm {
        state: AlarmState::Normal,
        acknowledged: Some(own),
        ..cleared
    };
    site.event(&at, Event::Alarm(settled)).await;
    let (_, list) = site
        .get(&operator, "/api/v1/alarms?state=all&gateway=gw-001")
        .await;
    assert_eq!(list["alarms"][0]["acknowledged"]["by"]["name"], "tech");
    let (_, open) = site.get(&operator, "/api/v1/alarms").await;
    assert_eq!(open["alarms"], json!([]));
    assert!(
        site.db
            .pending_acknowledgements(&at)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_says_why() {
    let site = Site::with_gateways().await;
    let at = origin("acme", "gw-001");
    site.event(&at, Event::Alarm(alarm(AlarmState::ActiveUnacknowledged)))
        .await;
    let operator = site.token(Role::Operator, Some("acme"));
    let long = json!({ "comment": "x".repeat(1001) });
    let (status, error) = site.post(&operator, TAKE, long).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (422, &"comment_too_long".into())
    );
    let elsewhere = TAKE.replace("gw-001", "gw-acme");
    assert_eq!(site.post(&operator, &elsewhere, json!({})).await.0, 404);
    let stranger = site.token(Role::Operator, Some("beta"));
    assert_eq!(site.post(&stranger, TAKE, json!({})).await.0, 404);
    assert!(
        site.db
            .pending_acknowledgements(&at)
            .await
            .unwrap()
            .is_empty()
    );
}
