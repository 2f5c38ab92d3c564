//! The first-boot claim: with the code of the unit, once, and not by trying codes.

use crate::bench::{Bench, PASSWORD};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

fn body(code: &str, password: &str) -> Value {
    json!({"code": code, "user": "Ada", "password": password})
}

#[tokio::test]
async fn a_gateway_is_claimed_once_with_its_code() {
    let bench = Bench::unclaimed().await;
    let code = bench.code.to_string();
    assert_eq!(
        bench.get("/api/v1/setup", "").await.json()["claimed"],
        false
    );
    let early = bench.login("ada", PASSWORD).await;
    assert_eq!(
        (early.status, early.code().as_str()),
        (StatusCode::CONFLICT, "unclaimed")
    );

    let weak = bench
        .post("/api/v1/claim", "", body(&code, "password"))
        .await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong = bench
        .post("/api/v1/claim", "", body("AAAAA-AAAAA", PASSWORD))
        .await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::FORBIDDEN, "wrong_code")
    );

    let claimed = bench.post("/api/v1/claim", "", body(&code, PASSWORD)).await;
    assert_eq!(claimed.status, StatusCode::CREATED, "{claimed:?}");
    assert_eq!(claimed.json()["user"], "ada");
    assert_eq!(claimed.json()["role"], "tenant_admin");
    let cookie = claimed.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let me = bench.get("/api/v1/session", &claimed.cookie()).await;
    assert_eq!(me.json()["user"], "ada");

    assert_eq!(bench.get("/api/v1/setup", "").await.json()["claimed"], true);
    let again = bench.post("/api/v1/claim", "", body(&code, PASSWORD)).await;
    assert_eq!(
        (again.status, again.code().as_str()),
        (StatusCode::CONFLICT, "claimed")
    );
    assert_eq!(bench.login("ADA ", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn of_two_claims_at_once_one_wins() {
    let bench = Bench::unclaimed().await;
    let code = bench.code.to_string();
    let other = json!({"code": code, "user": "eve", "password": PASSWORD});
    let (one, two) = tokio::join!(
        bench.post("/api/v1/claim", "", body(&code, PASSWORD)),
        bench.post("/api/v1/claim", "", other),
    );
    let mut statuses = [one.status, two.status];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
    assert_eq!(bench.store.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn five_wrong_codes_pause_claiming() {
    let bench = Bench::unclaimed().await;
    for _ in 0..5 {
        let wrong = bench
            .post("/api/v1/claim", "", body("AAAAA-AAAAA", PASSWORD))
            .await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    }
    let right = body(&bench.code.to_string(), PASSWORD);
    let paused = bench.post("/api/v1/claim", "", right.clone()).await;
    assert_eq!(paused.status, StatusCode::LOCKED);
    assert_eq!(paused.json()["error"]["retry_after_s"], 900);
    bench.clock.advance(Duration::from_secs(900));
    assert_eq!(
        bench.post("/api/v1/claim", "", right).await.status,
        StatusCode::CREATED
    );
}
