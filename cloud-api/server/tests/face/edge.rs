//! What every answer carries, and what is no route of the API.

use crate::site::{Site, answer};
use serde_json::json;

#[tokio::test]
async fn every_answer_carries_an_id_and_the_security_headers() {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for path in [
        "/healthz",
        "/",
        "/api/v1/me",
        "/api/v1/nothing",
        "/assets/none.js",
    ] {
        let response = site.request("GET", path).send().await.unwrap();
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'self'",
            "script-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
        let id = headers["x-request-id"].to_str().unwrap();
        assert!(id.parse::<uuid::Uuid>().is_ok(), "{path}: {id}");
        ids.push(id.to_owned());
        if path.starts_with("/api/") {
            assert_eq!(headers["cache-control"], "no-store", "{path}");
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn what_is_no_route_is_a_page_of_the_dashboard_or_nothing() {
    let site = Site::start().await;
    for path in ["/", "/gateways/gw-001/points"] {
        let response = site.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "text/html; charset=utf-8",
            "{path}"
        );
        assert!(response.text().await.unwrap().contains("Riser"), "{path}");
    }
    for path in [
        "/api/v1/nothing",
        "/api",
        "/none.js",
        "/assets/../../Cargo.toml",
    ] {
        let (status, error) = answer(site.request("GET", path)).await;
        assert_eq!(
            (status, &error["error"]["code"]),
            (404, &"not_found".into()),
            "{path}"
        );
    }
    assert_eq!(answer(site.request("POST", "/gateways")).await.0, 405);
    assert_eq!(answer(site.request("DELETE", "/api/v1/me")).await.0, 405);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let site = Site::start().await;
    let body = json!({ "email": "a@b", "password": "x".repeat(70_000) });
    let request = site.request("POST", "/api/v1/auth/login").json(&body);
    let (status, error) = answer(request).await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (413, &"too_large".into()),
        "{error}"
    );
}

#[tokio::test]
async fn the_document_is_served_and_the_database_answers() {
    let site = Site::start().await;
    let (status, document) = answer(site.request("GET", "/openapi.json")).await;
    assert_eq!(
        (status, &document["info"]["title"]),
        (200, &"Riser cloud".into())
    );
    let (status, health) = answer(site.request("GET", "/healthz")).await;
    assert_eq!((status, &health["status"]), (200, &"ok".into()));
    site.db.close().await;
}

#[tokio::test]
async fn a_request_under_way_finishes_when_the_service_stops_and_idle_ones_do_not_hold_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut site = Site::start().await;
    let address = site.base.replace("http://", "");
    let _idle = tokio::net::TcpStream::connect(&address).await.unwrap();
    let mut slow = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 34\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once the request is under way.
    let mut octets = [0; 25];
    slow.read_exact(&mut octets).await.unwrap();
    assert_eq!(&octets, b"HTTP/1.1 100 Continue\r\n\r\n");
    site.stop.cancel();
    slow.write_all(br#"{"email":"a@b","password":"wrong"}"#)
        .await
        .unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), &mut site.server);
    ended.await.expect("the server does not end").unwrap();
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
}
