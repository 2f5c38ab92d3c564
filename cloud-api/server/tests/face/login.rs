//! Logging in: lock-out, the session's tokens, and what an attacker with an old one gets.

use crate::site::{PASSWORD, Site, answer};
use riser_model::Role;
use serde_json::{Value as Json, json};

const OP: &str = "op@acme.example";

async fn login(site: &Site, email: &str, password: &str) -> (u16, Json) {
    let body = json!({ "email": email, "password": password });
    answer(site.request("POST", "/api/v1/auth/login").json(&body)).await
}

/// Status, body, and the refresh cookie's value with its attributes.
async fn session(request: reqwest::RequestBuilder) -> (u16, Json, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let cookie = response
        .headers()
        .get("set-cookie")
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or_default(),
        cookie,
    )
}

fn value(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

async fn begin(site: &Site) -> (Json, String) {
    let body = json!({ "email": OP, "password": PASSWORD });
    let (status, body, cookie) =
        session(site.request("POST", "/api/v1/auth/login").json(&body)).await;
    assert_eq!(status, 200, "{body}");
    (body, cookie)
}

async fn refresh(site: &Site, cookie: &str) -> (u16, Json, String) {
    let request = site.request("POST", "/api/v1/auth/refresh");
    session(request.header("cookie", value(cookie))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_opens_what_the_role_may_see() {
    let site = Site::with_gateways().await;
    let id = site.person(OP, Role::Operator, Some("acme")).await;
    let (status, body) = login(&site, " OP@Acme.example ", PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["expires_in"], 900);
    assert_eq!(body["user"]["id"], id.to_string());
    assert_eq!(
        (&body["user"]["role"], &body["user"]["tenant"]),
        (&"operator".into(), &"acme".into())
    );
    let token = body["access_token"].as_str().unwrap();
    let (status, me) = site.get(token, "/api/v1/me").await;
    assert_eq!((status, &me), (200, &body["user"]));
    site.advance(15 * 60_000);
    let (status, error) = site.get(token, "/api/v1/me").await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (401, &"token_expired".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_wrong_passwords_lock_the_account_and_nobody_can_tell_if_it_exists() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let mut seen = Vec::new();
    for email in [OP, "nobody@acme.example"] {
        let mut answers = Vec::new();
        for _ in 0..5 {
            let (status, body) = login(&site, email, "not the password").await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (401, &"wrong_credentials".into())
            );
            answers.push(body);
        }
        site.advance(1_000);
        let (status, body) = login(&site, email, PASSWORD).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (423, &"account_locked".into()),
            "{body}"
        );
        assert_eq!(body["error"]["retry_after_s"], 899);
        let text = body["error"]["message"].as_str().unwrap();
        assert!(
            text.contains("try again in 899 s") && text.contains("administrator"),
            "{text}"
        );
        answers.push(body);
        seen.push(answers);
        site.advance(-1_000);
    }
    assert_eq!(
        seen[0], seen[1],
        "the answers tell whether an account exists"
    );
    site.advance(15 * 60_000);
    assert_eq!(login(&site, OP, PASSWORD).await.0, 200);
    assert_eq!(login(&site, "nobody@acme.example", PASSWORD).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_made_side_by_side_are_not_more_guesses() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let guesses = (0..9).map(|i| {
        let site = &site;
        async move { login(site, OP, &format!("guess {i}")).await.0 }
    });
    let mut answers = futures_util::future::join_all(guesses).await;
    answers.sort_unstable();
    assert_eq!(answers, [401, 401, 401, 401, 401, 423, 423, 423, 423]);
    site.advance(1_000);
    assert_eq!(login(&site, OP, PASSWORD).await.0, 423);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_only_so_many_tries_a_minute() {
    let site = Site::start().await;
    let mut last = (0, Json::Null);
    for _ in 0..11 {
        last = login(&site, "x@acme.example", "wrong wrong wrong").await;
    }
    assert_eq!(
        (last.0, &last.1["error"]["code"]),
        (429, &"too_many_attempts".into())
    );
    assert_eq!(last.1["error"]["retry_after_s"], 6);
}

/// The tests' own address is a proxy's, as in front of a real service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_behind_the_same_proxy_keeps_nobody_out() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let tries = (0..31).map(|i| {
        let body = json!({ "email": format!("x{i}@acme.example"), "password": "wrong wrong" });
        // What it claims to be differs each time; what the proxy adds is the truth.
        let from = format!("198.51.100.{i}, 203.0.113.9");
        let request = site.request("POST", "/api/v1/auth/login").json(&body);
        answer(request.header("x-forwarded-for", from))
    });
    let answers = futures_util::future::join_all(tries).await;
    let refused = answers.iter().filter(|(status, _)| *status == 429);
    assert_eq!(refused.count(), 1, "{answers:?}");
    let body = json!({ "email": OP, "password": PASSWORD });
    let request = site.request("POST", "/api/v1/auth/login").json(&body);
    let (status, body) = answer(request.header("x-forwarded-for", "192.0.2.4")).await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_refresh_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let (_, cookie) = begin(&site).await;
    for part in [
        "Path=/api/v1/auth",
        "HttpOnly",
        "SameSite=Strict",
        "Max-Age=1209600",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let request = site.request("POST", "/api/v1/auth/refresh");
    let request = request.header("cookie", value(&cookie));
    let (status, ..) = session(request.header("sec-fetch-site", "cross-site")).await;
    assert_eq!(status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refresh_token_is_good_once_and_a_second_use_ends_the_family() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let (_, first) = begin(&site).await;
    let (_, other) = begin(&site).await;
    let (status, body, second) = refresh(&site, &first).await;
    assert_eq!(status, 200, "{body}");
    assert_ne!(value(&first), value(&second));
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(site.get(token, "/api/v1/me").await.0, 200);
    // A second window of the same browser, a moment later: no token, but no harm either.
    let (status, body, cookie) = refresh(&site, &first).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &"session_raced".into())
    );
    assert!(cookie.is_empty());
    let (status, _, third) = refresh(&site, &second).await;
    assert_eq!(status, 200);
    // A thief with the first token, later.
    site.advance(60_000);
    let (status, body, _) = refresh(&site, &first).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &"session_reused".into())
    );
    let (status, body, _) = refresh(&site, &third).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (401, &"session_ended".into()),
        "the family lives on"
    );
    assert_eq!(
        refresh(&site, &other).await.0,
        200,
        "another log-in must not suffer"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_out_ends_the_session_and_sessions_end_by_themselves() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let (_, cookie) = begin(&site).await;
    let request = site.request("POST", "/api/v1/auth/logout");
    let (status, _, cleared) = session(request.header("cookie", value(&cookie))).await;
    assert_eq!(status, 204);
    assert!(
        cleared.starts_with("riser_refresh=;") && cleared.contains("Max-Age=0"),
        "{cleared}"
    );
    assert_eq!(refresh(&site, &cookie).await.0, 401);
    let (_, cookie) = begin(&site).await;
    site.advance(14 * 24 * 3_600_000);
    assert_eq!(refresh(&site, &cookie).await.0, 401);
    assert_eq!(refresh(&site, "riser_refresh=nonsense").await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_role_shows_at_the_next_renewal_and_a_new_password_ends_sessions() {
    let site = Site::start().await;
    site.person(OP, Role::Operator, Some("acme")).await;
    let (_, cookie) = begin(&site).await;
    site.person(OP, Role::Viewer, Some("acme")).await;
    assert_eq!(refresh(&site, &cookie).await.0, 401);
    let (body, _) = begin(&site).await;
    assert_eq!(body["user"]["role"], "viewer");
}
