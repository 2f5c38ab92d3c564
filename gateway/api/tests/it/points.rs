//! Points, trends, exports, writes and alarms through the face.

use crate::bench::{Bench, START, eventually};
use axum::http::StatusCode;
use riser_model::{Role, Value};
use serde_json::{Value as Json, json};
use std::time::Duration;

const WRITE: &str = "/api/v1/points/ahu-1/setpoint/write";

#[tokio::test]
async fn points_are_listed_filtered_and_shown() {
    let bench = Bench::new().await;
    bench.read("ahu-1/temperature", Value::Float(21.5)).await;
    let cookie = bench.session(Role::Viewer).await;
    let all = bench.get("/api/v1/points", &cookie).await.json();
    assert_eq!(all["total"], 3);
    let good = bench
        .get(
            "/api/v1/points?quality=good&search=TEMP&device=ahu-1",
            &cookie,
        )
        .await;
    assert_eq!(good.json()["points"][0]["value"], 21.5);
    assert_eq!(good.json()["total"], 1);
    let page = bench
        .get("/api/v1/points?limit=1&offset=2", &cookie)
        .await
        .json();
    assert_eq!(page["points"].as_array().unwrap().len(), 1);
    let typo = bench.get("/api/v1/points?serch=x", &cookie).await;
    assert_eq!(
        (typo.status, typo.code().as_str()),
        (StatusCode::BAD_REQUEST, "malformed")
    );

    let detail = bench
        .get("/api/v1/points/ahu-1/temperature", &cookie)
        .await
        .json();
    assert_eq!(detail["view"]["path"], "ahu-1/temperature");
    assert_eq!(detail["priority_array"], json!([]));
    for missing in ["/api/v1/points/ahu-1/none", "/api/v1/points/AHU/x%20y"] {
        assert_eq!(
            bench.get(missing, &cookie).await.status,
            StatusCode::NOT_FOUND
        );
    }
    let overview = bench.get("/api/v1/overview", &cookie).await.json();
    assert_eq!(overview["gateway"]["id"], "gw-1");
    assert_eq!(overview["gateway"]["clock"], "synchronised");
    assert_eq!(overview["points"]["good"], 1);
    assert_eq!(overview["adapters"][0]["state"], "running");
    assert_eq!(overview["link"]["state"], "disabled");
}

#[tokio::test]
async fn stored_samples_come_back_as_trend_and_as_csv() {
    let bench = Bench::new().await;
    for value in [20.0, 21.0, 22.0] {
        bench.read("ahu-1/temperature", Value::Float(value)).await;
        bench.clock.advance(Duration::from_secs(1));
    }
    let appended = || bench.runtime.stats().samples_appended >= 3;
    eventually("the samples are with the store", appended).await;
    bench.store.settle().await.unwrap();
    let cookie = bench.session(Role::Viewer).await;
    let (from, to) = (START, START + 10_000);
    let base = "/api/v1/points/ahu-1/temperature";
    let trend = bench
        .get(
            &format!("{base}/trend?from={from}&to={to}&buckets=1"),
            &cookie,
        )
        .await;
    assert_eq!(trend.json()["buckets"][0]["mean"], 21.0);
    assert_eq!(trend.json()["buckets"][0]["count"], 3);
    let csv = bench
        .get(&format!("{base}/samples.csv?from={from}&to={to}"), &cookie)
        .await;
    assert!(
        csv.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines[0], "at,time,value,quality,reason");
    assert_eq!(
        lines[1],
        format!("{START},2025-10-09T08:53:20.000Z,20,good,")
    );
    assert_eq!(lines.len(), 4, "{}", csv.text);
    let backwards = bench
        .get(&format!("{base}/trend?from={to}&to={from}"), &cookie)
        .await;
    assert_eq!(backwards.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_write_that_cannot_be_is_refused_with_its_reason() {
    let bench = Bench::new().await;
    bench.read("ahu-1/setpoint", Value::Float(20.0)).await;
    let cookie = bench.session(Role::Operator).await;
    let over = bench.post(WRITE, &cookie, json!({"value": 35.0})).await;
    assert_eq!(
        (over.status, over.code().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "not_allowed")
    );
    assert!(
        over.text.contains("above the highest allowed value"),
        "{}",
        over.text
    );
    let read_only = bench
        .post(
            "/api/v1/points/ahu-1/temperature/write",
            &cookie,
            json!({"value": 1}),
        )
        .await;
    assert_eq!(read_only.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = bench
        .post(
            "/api/v1/points/ahu-1/none/write",
            &cookie,
            json!({"value": 1}),
        )
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for bad in [
        json!({}),
        json!({"value": 21.0, "priority": 17}),
        json!({"value": 21.0, "ttl_seconds": 0}),
        json!({"value": 21.0, "hold_secnds": 5}),
    ] {
        let refused = bench.post(WRITE, &cookie, bad.clone()).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{bad}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_write_is_carried_out_and_followed_to_its_end() {
    let bench = Bench::new().await;
    bench.read("ahu-1/setpoint", Value::Float(20.0)).await;
    let cookie = bench.session(Role::Operator).await;
    let accepted = bench
        .post(WRITE, &cookie, json!({"value": 21.5, "hold_seconds": 60}))
        .await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
    let record = accepted.json();
    assert_eq!(
        record["command"]["author"],
        json!({"kind": "local", "name": "operator"})
    );
    assert_eq!(record["command"]["priority"], 8);
    let id = record["command"]["id"].as_str().unwrap();
    let mut state = Json::Null;
    for _ in 0..2000 {
        let now = bench
            .get(&format!("/api/v1/commands/{id}"), &cookie)
            .await
            .json();
        state = now["outcome"]["state"].clone();
        if state == "applied" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(state, "applied");
    let detail = bench
        .get("/api/v1/points/ahu-1/setpoint", &cookie)
        .await
        .json();
    assert_eq!(detail["priority_array"][0]["value"], 21.5);
    assert_eq!(detail["priority_array"][0]["level"], 8);
    assert_eq!(detail["last_command"]["command"]["id"], id);
    let listed = bench
        .get("/api/v1/commands?path=ahu-1/setpoint&limit=1", &cookie)
        .await
        .json();
    assert_eq!(listed["commands"][0]["command"]["id"], id);

    let released = bench.post(WRITE, &cookie, json!({"value": null})).await;
    assert_eq!(released.status, StatusCode::ACCEPTED, "{released:?}");
    let path = "ahu-1/setpoint".parse().unwrap();
    eventually("the level is free", || {
        bench.runtime.priority_array(&path).is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_repeated_id_has_no_second_effect() {
    let bench = Bench::new().await;
    bench.read("ahu-1/setpoint", Value::Float(20.0)).await;
    let cookie = bench.session(Role::Operator).await;
    let id = "0198c0de-0000-7000-8000-000000000001";
    for _ in 0..2 {
        let answer = bench
            .post(WRITE, &cookie, json!({"value": 22.0, "id": id}))
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    assert_eq!(bench.runtime.stats().commands_accepted, 1);
    assert_eq!(bench.runtime.stats().commands_repeated, 1);
}

#[tokio::test]
async fn an_alarm_is_seen_and_taken() {
    let bench = Bench::new().await;
    bench.read("ahu-1/temperature", Value::Float(31.0)).await;
    eventually("the alarm is raised", || !bench.runtime.alarms().is_empty()).await;
    let cookie = bench.session(Role::Operator).await;
    let open = bench.get("/api/v1/alarms", &cookie).await.json();
    assert_eq!(open["alarms"][0]["state"], "active_unacknowledged");
    let overview = bench.get("/api/v1/overview", &cookie).await.json();
    assert_eq!(overview["alarms"]["high"], 1);
    assert_eq!(overview["alarms"]["unacknowledged"], 1);
    let id = open["alarms"][0]["id"].as_str().unwrap();
    let url = format!("/api/v1/alarms/{id}/acknowledge");
    let long = bench
        .post(&url, &cookie, json!({"comment": "x".repeat(1001)}))
        .await;
    assert_eq!(long.status, StatusCode::BAD_REQUEST);
    let taken = bench
        .post(&url, &cookie, json!({"comment": "on my way"}))
        .await
        .json();
    assert_eq!(taken["state"], "active_acknowledged");
    assert_eq!(taken["acknowledged"]["by"]["name"], "operator");

    bench.read("ahu-1/temperature", Value::Float(20.0)).await;
    eventually("the alarm is over", || bench.runtime.alarms().is_empty()).await;
    bench.store.settle().await.unwrap();
    assert_eq!(
        bench.get("/api/v1/alarms", &cookie).await.json()["alarms"],
        json!([])
    );
    let all = bench.get("/api/v1/alarms?state=all", &cookie).await.json();
    assert_eq!(all["alarms"][0]["id"], id);
    assert_eq!(all["alarms"].as_array().unwrap().len(), 1);
    let late = bench.post(&url, &cookie, json!({})).await;
    assert_eq!(late.status, StatusCode::NOT_FOUND);
}
