//! A day in the life of the daemon.

use crate::process::{Daemon, Site};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

fn browser() -> Client {
    Client::builder().cookie_store(true).build().unwrap()
}

async fn post(client: &Client, url: String, body: Value) -> (StatusCode, Value) {
    let request = client.post(url).header("X-Riser", "1").json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

async fn get(client: &Client, url: String) -> (StatusCode, Value) {
    let answer = client.get(url).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

async fn healthy(daemon: &Daemon) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, body) = get(&browser(), format!("{}/healthz", daemon.url)).await;
        if status == StatusCode::OK {
            return body;
        }
        assert!(Instant::now() < end, "not healthy: {body}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn it_starts_is_claimed_survives_a_restart_and_stops_in_time() {
    let site = Site::new("");
    let mut daemon = site.start(&[]);
    assert_eq!(healthy(&daemon).await["collecting"], true);
    let told = daemon
        .said
        .iter()
        .find(|line| line.contains("nobody owns this gateway"))
        .unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    let code = site.run(&["claim-code"]).out.trim().to_owned();
    assert_eq!(told["code"], code.as_str());

    let client = browser();
    let person = json!({"user": "ada", "password": "correct horse battery"});
    let claim = json!({"code": code, "user": "ada", "password": "correct horse battery"});
    let (status, _) = post(&client, format!("{}/api/v1/claim", daemon.url), claim).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, overview) = get(&client, format!("{}/api/v1/overview", daemon.url)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(overview["gateway"]["tenant"], "acme");
    assert_eq!(overview["link"]["state"], "disabled");
    assert_eq!(
        site.run(&["claim-code"]).code,
        Some(1),
        "the code has done its work"
    );

    let second = site.run(&["run"]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.err.contains("is in use by another riserd"),
        "{}",
        second.err
    );

    daemon.terminate();
    let (status, took) = daemon.ended();
    assert!(status.success(), "{:#?}", daemon.said);
    assert!(took < Duration::from_secs(5), "{took:?}");

    let daemon = site.start(&[]);
    let (status, _) = post(&client, format!("{}/api/v1/session", daemon.url), person).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        !daemon.said.iter().any(|line| line.contains("nobody owns")),
        "{:#?}",
        daemon.said
    );
}

#[tokio::test]
async fn a_code_from_the_label_claims_and_the_metrics_token_reads() {
    let site = Site::new("");
    let daemon = site.start(&[("RISER_CLAIM_CODE", "LABEL-12345")]);
    assert!(
        !daemon.said.iter().any(|line| line.contains("LABEL")),
        "a given code is not logged"
    );
    let body = json!({"code": "label 12345", "user": "ada", "password": "correct horse battery"});
    let (status, _) = post(&browser(), format!("{}/api/v1/claim", daemon.url), body).await;
    assert_eq!(status, StatusCode::CREATED);
    let token = std::fs::read_to_string(site.path("data/metrics-token")).unwrap();
    let figures = browser()
        .get(format!("{}/metrics", daemon.url))
        .bearer_auth(token.trim());
    let text = figures.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("riser_build_info{"), "{text}");
}

#[tokio::test]
async fn devices_that_do_not_answer_make_no_sick_gateway() {
    let field = "[[adapter]]\nkind = \"modbus\"\n[[adapter.lane]]\nkey = \"plant\"\n\
        transport = \"tcp\"\nhost = \"127.0.0.1\"\nport = 1\n[[adapter.device]]\nkey = \"ahu-1\"\n\
        lane = \"plant\"\n[[adapter.device.point]]\nkey = \"t\"\nname = \"T\"\naddress = 0\n\
        type = \"i16\"\n";
    let site = Site::new(field);
    let mut daemon = site.start(&[]);
    healthy(&daemon).await;
    let token = std::fs::read_to_string(site.path("data/metrics-token")).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let figures = browser()
            .get(format!("{}/metrics", daemon.url))
            .bearer_auth(token.trim());
        let text = figures.send().await.unwrap().text().await.unwrap();
        if text.contains("riser_device_up{device=\"ahu-1\",lane=\"plant\"} 0")
            || text
                .lines()
                .any(|l| l.starts_with("riser_lane_up{") && l.ends_with(" 0"))
        {
            break;
        }
        assert!(Instant::now() < end, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(daemon.resident() < 60 * 1024, "{} KiB", daemon.resident());
    daemon.terminate();
    let (status, took) = daemon.ended();
    assert!(
        status.success() && took < Duration::from_secs(5),
        "{took:?} {:#?}",
        daemon.said
    );
}

#[test]
fn the_service_manager_is_told() {
    let site = Site::new("");
    let path = site.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let told = |wanted: &str| {
        let mut octets = [0; 1024];
        loop {
            let length = socket
                .recv(&mut octets)
                .unwrap_or_else(|e| panic!("no {wanted}: {e}"));
            if String::from_utf8_lossy(&octets[..length])
                .lines()
                .any(|line| line == wanted)
            {
                return;
            }
        }
    };
    let address = path.to_str().unwrap();
    let mut daemon = site.start(&[("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "300000")]);
    told("READY=1");
    told("WATCHDOG=1");
    told("WATCHDOG=1");
    daemon.terminate();
    told("STOPPING=1");
    assert!(daemon.ended().0.success());
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let site = Site::with(&format!(
        "[gateway]\nid = \"gw-1\"\ndata_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:{port}\"\n"
    ));
    let said = site.run(&["run"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err
            .contains(&format!("could not listen on 127.0.0.1:{port}")),
        "{}",
        said.err
    );
}
