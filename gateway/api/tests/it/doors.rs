//! Every operation of the document × every role and nobody, against this table. An operation that
//! is not in the table fails the test.

use crate::bench::{Bench, request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use riser_model::{Permission, Role};
use serde_json::{Value, json};

enum Who {
    Everybody,
    Persons,
    Needs(Permission),
}
use Permission::{Acknowledge, Administer, Configure, Metrics, Read, Write};
use Who::{Everybody, Needs, Persons};

const TABLE: &[(&str, &str, Who)] = &[
    ("get", "/healthz", Everybody),
    ("get", "/openapi.json", Everybody),
    ("get", "/metrics", Needs(Metrics)),
    ("get", "/api/v1/setup", Everybody),
    ("post", "/api/v1/claim", Everybody),
    ("post", "/api/v1/session", Everybody),
    ("get", "/api/v1/session", Persons),
    ("delete", "/api/v1/session", Persons),
    ("get", "/api/v1/overview", Needs(Read)),
    ("get", "/api/v1/devices", Needs(Read)),
    ("get", "/api/v1/lanes", Needs(Read)),
    ("get", "/api/v1/points", Needs(Read)),
    ("get", "/api/v1/points/{device}/{point}", Needs(Read)),
    ("get", "/api/v1/points/{device}/{point}/trend", Needs(Read)),
    (
        "get",
        "/api/v1/points/{device}/{point}/samples.csv",
        Needs(Read),
    ),
    (
        "post",
        "/api/v1/points/{device}/{point}/write",
        Needs(Write),
    ),
    ("get", "/api/v1/commands", Needs(Read)),
    ("get", "/api/v1/commands/{id}", Needs(Read)),
    ("get", "/api/v1/alarms", Needs(Read)),
    (
        "post",
        "/api/v1/alarms/{id}/acknowledge",
        Needs(Acknowledge),
    ),
    ("get", "/api/v1/audit", Needs(Administer)),
    ("get", "/api/v1/audit.csv", Needs(Administer)),
    ("post", "/api/v1/audit/acknowledge", Needs(Administer)),
    ("post", "/api/v1/backups", Needs(Administer)),
    ("get", "/api/v1/config", Needs(Configure)),
    ("post", "/api/v1/config", Needs(Configure)),
    ("get", "/api/v1/config/versions", Needs(Configure)),
    ("get", "/api/v1/config/versions/{version}", Needs(Configure)),
    ("get", "/api/v1/config/diff", Needs(Configure)),
    ("post", "/api/v1/config/check", Needs(Configure)),
    ("post", "/api/v1/config/confirm", Needs(Configure)),
    ("post", "/api/v1/config/revert", Needs(Configure)),
    ("get", "/api/v1/adapters", Needs(Read)),
    ("get", "/api/v1/adapters/{adapter}/browse", Needs(Configure)),
    (
        "get",
        "/api/v1/adapters/{adapter}/operations",
        Needs(Configure),
    ),
    (
        "post",
        "/api/v1/adapters/{adapter}/operations/{operation}",
        Needs(Configure),
    ),
    ("get", "/api/v1/protocols", Needs(Configure)),
    ("post", "/api/v1/discovery/{kind}", Needs(Configure)),
    ("get", "/api/v1/discovery/{kind}", Needs(Configure)),
    ("delete", "/api/v1/discovery/{kind}", Needs(Configure)),
    ("post", "/api/v1/additions", Needs(Configure)),
    ("get", "/api/v1/ledger", Needs(Read)),
    ("get", "/api/v1/quarantine", Needs(Read)),
    (
        "get",
        "/api/v1/quarantine/{epoch}/{stream}/{seq}",
        Needs(Read),
    ),
    ("get", "/api/v1/live", Needs(Read)),
];

const ID: &str = "0198c0de-0000-7000-8000-000000000000";

fn body(path: &str, role: Option<Role>) -> Option<Value> {
    match path {
        "/api/v1/claim" => Some(json!({"code": "x", "user": "x", "password": "x"})),
        "/api/v1/session" => Some(json!({"user": format!("no {role:?}"), "password": "x"})),
        "/api/v1/config" | "/api/v1/config/check" => Some(json!({"document": ""})),
        "/api/v1/config/confirm"
        | "/api/v1/config/revert"
        | "/api/v1/discovery/{kind}"
        | "/api/v1/adapters/{adapter}/operations/{operation}" => Some(json!({})),
        "/api/v1/additions" => Some(json!({"kind": "scripted", "adapter": "field", "finds": []})),
        "/api/v1/points/{device}/{point}/write" => Some(json!({"value": 21.0})),
        "/api/v1/alarms/{id}/acknowledge" | "/api/v1/audit/acknowledge" => {
            Some(json!({"comment": "seen"}))
        }
        _ => None,
    }
}

fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(riser_api::document()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            all.push((method, path.clone()));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_lets_in_whom_the_table_says_and_nobody_else() {
    let bench = Bench::new().await;
    let mut seen = 0;
    for (method, path) in operations() {
        let entry = TABLE
            .iter()
            .find(|(m, p, _)| m.eq_ignore_ascii_case(method.as_str()) && *p == path);
        let (_, _, who) = entry.unwrap_or_else(|| panic!("{method} {path} has no case"));
        seen += 1;
        let callers = Role::ALL.into_iter().map(Some).chain([None]);
        for role in callers {
            let cookie = match role {
                Some(role) => bench.session(role).await,
                None => String::new(),
            };
            let url = path
                .replace("{device}", "ahu-1")
                .replace("{point}", "setpoint")
                .replace("{id}", ID)
                .replace("{epoch}", ID)
                .replace("{stream}", "data")
                .replace("{seq}", "1")
                .replace("{version}", "1")
                .replace("{adapter}", "field")
                .replace("{operation}", "polish")
                .replace("{kind}", "scripted");
            let body = if method == Method::POST {
                body(&path, role)
            } else {
                None
            };
            let answer = bench
                .send(request(method.clone(), &url, &cookie, body))
                .await;
            let case = format!("{method} {path} as {role:?}: {answer:?}");
            let login = url == "/api/v1/session" && method == Method::POST;
            match (who, role) {
                (Everybody, _) if login => assert_eq!(answer.code(), "wrong_login", "{case}"),
                (Everybody, _) => assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{case}"),
                (_, None) => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{case}"),
                (Needs(p), Some(role)) if !role.may(*p) => {
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case}");
                    assert_eq!(answer.code(), "not_permitted", "{case}");
                }
                (Persons | Needs(_), Some(_)) => {
                    assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{case}");
                    assert_ne!(answer.status, StatusCode::FORBIDDEN, "{case}");
                    assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{case}");
                }
            }
            if matches!(who, Everybody) && login {
                bench.clock.advance(std::time::Duration::from_secs(60));
            }
        }
    }
    assert_eq!(seen, TABLE.len(), "the table has a case for no operation");
}

#[tokio::test]
async fn what_is_no_route_is_closed() {
    let bench = Bench::new().await;
    for path in ["/api/v1/users", "/api", "/api/v2/overview"] {
        let answer = bench.get(path, "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "not_found")
        );
    }
    let answer = bench.post("/anything", "", json!({})).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn figures_are_for_persons_and_for_the_token() {
    let bench = Bench::new().await;
    for (token, status) in [
        ("figures", StatusCode::OK),
        ("other", StatusCode::UNAUTHORIZED),
    ] {
        let mut asked = request(Method::GET, "/metrics", "", None);
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        asked.headers_mut().insert(header::AUTHORIZATION, value);
        let answer = bench.send(asked).await;
        assert_eq!(answer.status, status);
        if status == StatusCode::OK {
            assert!(
                answer.text.contains("\nriser_points{quality=\"bad\"} "),
                "{}",
                answer.text
            );
            assert!(
                answer.text.contains("\nriser_adapter_running{"),
                "{}",
                answer.text
            );
            assert!(
                answer.text.contains("\nriser_more_total 7\n"),
                "{}",
                answer.text
            );
        }
    }
}
