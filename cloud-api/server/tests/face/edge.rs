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
