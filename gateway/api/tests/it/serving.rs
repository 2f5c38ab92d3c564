//! Health, headers, bounds, the UI's files, TLS.

use crate::bench::{Bench, PASSWORD, eventually, request};
use axum::http::{Method, StatusCode, header};
use riser_api::TlsFiles;
use riser_runtime::AdapterState;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[tokio::test]
async fn health_is_good_while_collecting_and_says_why_not() {
    let bench = Bench::new().await;
    bench
        .read("ahu-1/temperature", riser_model::Value::Float(1.0))
        .await;
    let good = bench.get("/healthz", "").await;
    assert_eq!(good.status, StatusCode::OK, "{good:?}");

    let broken = Bench::broken().await;
    let parked = || broken.runtime.adapters()[0].state == AdapterState::Parked;
    eventually("the adapter is parked", parked).await;
    let bad = broken.get("/healthz", "").await;
    assert_eq!(bad.status, StatusCode::SERVICE_UNAVAILABLE);
    let reason = bad.json()["reasons"][0].as_str().unwrap().to_owned();
    assert_eq!(reason, "adapter field cannot work as configured");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let bench = Bench::new().await;
    for path in [
        "/",
        "/points/ahu-1",
        "/api/v1/overview",
        "/api/nothing",
        "/healthz",
    ] {
        let answer = bench.get(path, "").await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && policy.contains("script-src 'self';"));
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        if path.starts_with("/api/") {
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
    }
}

/// The built UI where there is one, the page that stands in for it where there is none.
#[tokio::test]
async fn every_page_of_the_ui_is_its_one_file_and_other_files_are_missed() {
    let bench = Bench::new().await;
    let home = bench.get("/", "").await;
    assert_eq!(home.status, StatusCode::OK);
    let kind = home.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/html"), "{kind}");
    assert_eq!(
        bench.get("/points/ahu-1/setpoint", "").await.text,
        home.text
    );
    assert_eq!(
        bench.get("/assets/none.js", "").await.status,
        StatusCode::NOT_FOUND
    );

    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist/index.html");
    let Ok(index) = std::fs::read_to_string(built) else {
        assert!(home.text.contains("make ui"), "{}", home.text);
        return;
    };
    assert_eq!(home.text, index);
    assert_eq!(home.headers["cache-control"], "no-cache");
    let mut again = request(Method::GET, "/", "", None);
    let etag = home.headers["etag"].clone();
    again.headers_mut().insert(header::IF_NONE_MATCH, etag);
    assert_eq!(bench.send(again).await.status, StatusCode::NOT_MODIFIED);
    let script = index
        .split('"')
        .find(|part| part.starts_with("/assets/"))
        .unwrap();
    let script = bench.get(script, "").await;
    assert_eq!(script.status, StatusCode::OK);
    let keep = script.headers["cache-control"].to_str().unwrap();
    assert!(keep.contains("immutable"), "{keep}");
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_json_is_refused() {
    let bench = Bench::new().await;
    let long = json!({"user": "ada", "password": "x".repeat(70_000)});
    let refused = bench.post("/api/v1/session", "", long).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut no_json = request(Method::POST, "/api/v1/session", "", None);
    *no_json.body_mut() = "user=ada".into();
    assert_eq!(bench.send(no_json).await.code(), "malformed");
}

#[tokio::test]
async fn the_face_is_served_by_tls_with_secure_cookies() {
    let bench = Bench::new().await;
    let made = rcgen::generate_simple_self_signed(vec!["gateway.local".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
    };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let tls = riser_api::load_tls(&files).unwrap();
    bench.face.served_by_tls();
    let any = "127.0.0.1:0".parse().unwrap();
    let listening = riser_api::bind(any, Some(tls)).await.unwrap();
    let address = listening.address;
    tokio::spawn(listening.serve(bench.router.clone(), bench.stop.clone()));

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(made.cert.der().to_vec()))
        .unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("gateway.local").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    let body = json!({"user": "ada", "password": PASSWORD}).to_string();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: gateway.local\r\nConnection: close\r\n\
         X-Riser: 1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The server may close without a TLS goodbye; what was read before counts.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("SameSite=Strict; Secure"), "{answer}");
}

#[tokio::test]
async fn a_certificate_of_no_use_is_refused_before_any_port_opens() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let one = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    let two = rcgen::generate_simple_self_signed(vec!["b".to_owned()]).unwrap();
    std::fs::write(&cert, one.cert.pem()).unwrap();
    let files = TlsFiles { cert, key };
    let missing = riser_api::load_tls(&files).unwrap_err().to_string();
    assert!(missing.contains("could not read the key"), "{missing}");
    std::fs::write(&files.key, two.signing_key.serialize_pem()).unwrap();
    let mismatch = riser_api::load_tls(&files).unwrap_err().to_string();
    assert!(mismatch.contains("cannot be used together"), "{mismatch}");
}

#[tokio::test]
async fn answers_are_compressed_for_whoever_takes_it() {
    let bench = Bench::new().await;
    let mut asked = request(Method::GET, "/openapi.json", "", None);
    let gzip = axum::http::HeaderValue::from_static("gzip");
    asked.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
    let answer = bench.send(asked).await;
    assert_eq!(answer.headers[header::CONTENT_ENCODING], "gzip");
}

#[tokio::test]
async fn one_machine_with_many_idle_connections_keeps_no_other_out() {
    let bench = Bench::new().await;
    let any = "127.0.0.1:0".parse().unwrap();
    let listening = riser_api::bind(any, None).await.unwrap();
    let address = listening.address;
    tokio::spawn(listening.serve(bench.router.clone(), bench.stop.clone()));
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = other.connect(address).await.unwrap();
    let head = b"GET /openapi.json HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
    other.write_all(head).await.unwrap();
    // Sooner than an idle connection gives way by itself.
    let mut answer = [0; 15];
    let patience = std::time::Duration::from_secs(8);
    let read = tokio::time::timeout(patience, other.read_exact(&mut answer));
    read.await.expect("an answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}
