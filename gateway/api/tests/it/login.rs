//! Logging in, its limits, and how long a session lasts.

use crate::bench::{Bench, PASSWORD, request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use riser_runtime::Clock;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn five_wrong_passwords_lock_out_for_a_quarter_of_an_hour() {
    let bench = Bench::new().await;
    for _ in 0..4 {
        assert_eq!(bench.login("ada", "wrong").await.code(), "wrong_login");
    }
    assert_eq!(bench.login("ada", PASSWORD).await.status, StatusCode::OK);
    for _ in 0..5 {
        assert_eq!(
            bench.login("ada", "wrong").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let locked = bench.login("ada", PASSWORD).await;
    assert_eq!(
        (locked.status, locked.code().as_str()),
        (StatusCode::LOCKED, "locked")
    );
    assert_eq!(locked.json()["error"]["retry_after_s"], 900);
    assert_eq!(locked.headers[header::RETRY_AFTER], "900");
    bench.clock.advance(Duration::from_secs(899));
    assert_eq!(
        bench.login("ada", PASSWORD).await.status,
        StatusCode::LOCKED
    );
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.login("ada", PASSWORD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_can_tell_which_names_exist() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        let known = bench.login("ada", "wrong").await;
        let unknown = bench.login("nobody", "wrong").await;
        assert_eq!(known.status, StatusCode::UNAUTHORIZED);
        assert_eq!((unknown.status, unknown.text), (known.status, known.text));
    }
    let (known, unknown) = (
        bench.login("ada", "x").await,
        bench.login("nobody", "x").await,
    );
    assert_eq!(known.status, StatusCode::LOCKED);
    assert_eq!((unknown.status, unknown.text), (known.status, known.text));
}

#[tokio::test]
async fn one_address_may_not_try_name_after_name() {
    let bench = Bench::new().await;
    for n in 0..20 {
        let wrong = bench.login(&format!("user-{n}"), "wrong").await;
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    }
    let refused = bench.login("ada", PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["error"]["retry_after_s"], 3);
    let body = json!({"user": "ada", "password": PASSWORD});
    let mut elsewhere = request(Method::POST, "/api/v1/session", "", Some(body));
    let peer: std::net::SocketAddr = "192.0.2.99:1".parse().unwrap();
    elsewhere.extensions_mut().insert(peer);
    assert_eq!(bench.send(elsewhere).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_unused_after_hours_and_used_after_days() {
    let bench = Bench::new().await;
    let idle = bench.login("ada", PASSWORD).await.cookie();
    let used = bench.login("ada", PASSWORD).await.cookie();
    let hour = Duration::from_secs(3600);
    let mut hours = 0;
    while bench.get("/api/v1/session", &used).await.status == StatusCode::OK {
        bench.clock.advance(hour);
        hours += 1;
        if hours == 8 {
            let unused = bench.get("/api/v1/session", &idle).await;
            assert_eq!(unused.code(), "not_logged_in");
        }
        assert!(hours <= 7 * 24, "a session must end after seven days");
    }
    assert_eq!(hours, 7 * 24);
}

#[tokio::test]
async fn setting_the_clock_neither_ends_nor_prolongs_a_session() {
    let bench = Bench::new().await;
    let hour = Duration::from_secs(3600);
    let hour_ms = 3_600_000;
    for by in [30 * 24 * hour_ms, -3 * hour_ms] {
        let cookie = bench.login("ada", PASSWORD).await.cookie();
        bench.clock.advance(hour);
        bench.clock.set(by);
        let me = bench.get("/api/v1/session", &cookie).await;
        assert_eq!(me.status, StatusCode::OK, "set by {by}");
        let ends = me.json()["expires_at"].as_i64().unwrap();
        assert_eq!(ends - bench.clock.now().0, 8 * hour_ms, "set by {by}");
        bench.clock.advance(8 * hour);
        let over = bench.get("/api/v1/session", &cookie).await;
        assert_eq!(over.code(), "not_logged_in", "set by {by}");
    }
}

#[tokio::test]
async fn logging_out_ends_the_session_and_only_that() {
    let bench = Bench::new().await;
    let here = bench.login("ada", PASSWORD).await.cookie();
    let there = bench.login("ada", PASSWORD).await.cookie();
    let out = bench
        .send(request(Method::DELETE, "/api/v1/session", &here, None))
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(
        bench.get("/api/v1/overview", &here).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        bench.get("/api/v1/overview", &there).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_a_foreign_page_can_send_is_refused() {
    let bench = Bench::new().await;
    let body = json!({"user": "ada", "password": PASSWORD});
    let mut bare = request(Method::POST, "/api/v1/session", "", Some(body.clone()));
    bare.headers_mut().remove("x-riser");
    assert_eq!(bench.send(bare).await.code(), "header_missing");

    let mut foreign = request(Method::POST, "/api/v1/session", "", Some(body));
    let headers = foreign.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("gateway.local"));
    headers.insert(
        header::ORIGIN,
        HeaderValue::from_static("http://evil.example"),
    );
    assert_eq!(bench.send(foreign).await.code(), "foreign_origin");
}

#[tokio::test]
async fn secrets_are_not_kept_in_the_clear() {
    let bench = Bench::new().await;
    let cookie = bench.login("ada", PASSWORD).await.cookie();
    let token = cookie.strip_prefix("riser_session=").unwrap();
    assert_eq!(token.len(), 43, "256 bits in base64");
    bench.store.settle().await.unwrap();
    let user = bench.store.user("ada").await.unwrap().unwrap();
    assert!(user.password_hash.starts_with("$argon2id$"));
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(token.as_bytes()).into();
    assert!(
        bench
            .store
            .session(digest, bench.clock.now())
            .await
            .unwrap()
            .is_some()
    );
}
