//! Search: hosts that are named are asked, and what answers is told apart.

use crate::support::Fake;
use crate::tls::secured;
use riser_adapter::{DiscoverRequest, Found};
use riser_homeassistant::KIND;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

async fn search(options: &str) -> Vec<Found> {
    let discover = KIND.discover.expect("it can be searched for")();
    let (found, mut finds) = mpsc::channel(16);
    let options = options.parse().expect("TOML");
    let request = DiscoverRequest { options };
    let search = discover.discover(request, found, CancellationToken::new());
    search.await.expect("it ends by itself");
    let mut all = Vec::new();
    while let Some(find) = finds.recv().await {
        all.push(find);
    }
    all
}

#[tokio::test]
async fn a_home_assistant_is_found_with_its_version_and_what_it_needs() {
    let fake = Fake::start().await;
    let port = fake.address.port();
    let finds = search(&format!("hosts = '127.0.0.1, 127.0.0.2'\nport = {port}")).await;
    let [find] = &finds[..] else {
        panic!("{finds:?}");
    };
    assert_eq!(
        find.identity,
        [("Home Assistant".to_owned(), "2024.3.3".to_owned())]
    );
    assert!(find.remark.contains("access token"), "{}", find.remark);
    assert_eq!(
        find.config["url"].as_str(),
        Some(&*format!("http://127.0.0.1:{port}"))
    );
    assert_eq!(find.config["token"].as_str(), Some(""));
}

#[tokio::test]
async fn one_behind_https_is_found_and_its_certificate_asked_for() {
    let fake = Fake::start().await;
    let (address, _) = secured(&fake, &["127.0.0.1"]).await;
    let port = address.port();
    let finds = search(&format!("hosts = '127.0.0.1'\nport = {port}")).await;
    let [find] = &finds[..] else {
        panic!("{finds:?}");
    };
    let url = format!("https://127.0.0.1:{port}");
    assert_eq!(find.config["url"].as_str(), Some(&*url));
    assert_eq!(find.config["ca"].as_str(), Some(""));
    assert!(find.remark.contains("not trusted"), "{}", find.remark);
}

#[tokio::test]
async fn one_that_is_too_old_is_found_and_not_offered() {
    let fake = Fake::start().await;
    fake.edit(|house| house["version"] = "2023.3.6".into());
    let port = fake.address.port();
    let finds = search(&format!("hosts = '127.0.0.1'\nport = {port}")).await;
    assert_eq!(finds.len(), 1);
    assert!(finds[0].remark.contains("too old"), "{finds:?}");
    assert!(finds[0].config.is_empty());
}

#[tokio::test]
async fn something_else_on_the_port_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.try_write(b"SSH-2.0-OpenSSH_9.2\r\n");
        }
    });
    let finds = search(&format!("hosts = '127.0.0.1'\nport = {port}")).await;
    assert_eq!(finds.len(), 1);
    assert!(
        finds[0].remark.contains("not like Home Assistant"),
        "{finds:?}"
    );
    assert!(finds[0].config.is_empty());
}

#[tokio::test]
async fn an_unknown_option_is_refused() {
    let discover = KIND.discover.expect("it can be searched for")();
    let (found, _finds) = mpsc::channel(1);
    let options = "host = 'x'".parse().expect("TOML");
    let request = DiscoverRequest { options };
    let refused = discover
        .discover(request, found, CancellationToken::new())
        .await;
    assert!(refused.is_err());
}
