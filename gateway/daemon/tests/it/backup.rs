//! Backups: made beside a running daemon, refused when anything is wrong with them, restored onto
//! another machine, and those of every earlier schema restored into today's.

use crate::process::{Said, Site, write};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const KEY: &str = "a key for tests, not secret\n";
const PASSWORD: &str = "correct horse battery";

async fn post(url: String, body: Value) -> StatusCode {
    let request = Client::new().post(url).header("X-Riser", "1").json(&body);
    request.send().await.unwrap().status()
}

async fn claim(site: &Site, url: &str) {
    let code = site.run(&["claim-code"]).out.trim().to_owned();
    let claim = json!({"code": code, "user": "ada", "password": PASSWORD});
    let status = post(format!("{url}/api/v1/claim"), claim).await;
    assert_eq!(status, StatusCode::CREATED);
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn restore(site: &Site, file: &Path, more: &[&str]) -> Said {
    write(&site.path("key"), KEY);
    let (file, key) = (text(file), text(&site.path("key")));
    let data = text(&site.path("data"));
    let mut arguments = vec!["restore", &file, "--key-file", &key, "--data-dir", &data];
    arguments.extend(more);
    site.run(&arguments)
}

fn create(site: &Site, name: &str) -> (Said, PathBuf) {
    write(&site.path("key"), KEY);
    let (key, out) = (text(&site.path("key")), site.path(name));
    let said = site.run(&["backup", "create", "--key-file", &key, "--out", &text(&out)]);
    (said, out)
}

#[tokio::test]
async fn a_backup_made_while_it_runs_restores_onto_another_machine() {
    let site = Site::new("");
    let mut daemon = site.start(&[]);
    claim(&site, &daemon.url).await;
    let (made, file) = create(&site, "a.backup");
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(
        made.out.contains("1 users") && made.out.contains("read back"),
        "{made:?}"
    );
    assert_eq!(
        create(&site, "a.backup").0.code,
        Some(1),
        "never overwritten"
    );
    let busy = restore(&site, &file, &["--yes"]);
    assert_eq!(busy.code, Some(1));
    assert!(busy.err.contains("stop it first"), "{busy:?}");
    daemon.terminate();
    assert!(daemon.ended().0.success());

    let other = Site::with("");
    let asked = restore(&other, &file, &[]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.out.contains("gateway acme/gw-1") && asked.err.contains("nothing was changed"));
    assert!(!other.path("data/state.db").exists());
    assert_eq!(
        std::fs::read_to_string(other.path("riser.toml")).unwrap(),
        ""
    );
    let done = restore(&other, &file, &["--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(other.run(&["audit", "verify"]).code, Some(0));
    let listed = other.run(&["audit", "list"]);
    assert!(
        listed.out.contains("restored") && listed.out.contains("claim"),
        "{listed:?}"
    );
    let mut daemon = other.start(&[]);
    let person = json!({"user": "ada", "password": PASSWORD});
    let status = post(format!("{}/api/v1/session", daemon.url), person).await;
    assert_eq!(status, StatusCode::OK);
    daemon.terminate();
    daemon.ended();
}

#[tokio::test]
async fn a_wrong_key_a_cut_and_a_changed_file_are_refused_before_anything_changes() {
    let site = Site::new("");
    let mut daemon = site.start(&[]);
    claim(&site, &daemon.url).await;
    daemon.terminate();
    daemon.ended();
    let (made, file) = create(&site, "a.backup");
    assert_eq!(made.code, Some(0), "{made:?}");
    let whole = std::fs::read(&file).unwrap();
    let before = std::fs::read(site.path("data/state.db")).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    let bad = site.path("bad.backup");
    for (octets, why) in [
        (&whole[..whole.len() - 7], "changed"),
        (&whole[..40], ""),
        (&changed[..], ""),
        (&b"PK\x03\x04 something else"[..], "no backup of Riser"),
    ] {
        std::fs::write(&bad, octets).unwrap();
        let said = restore(&site, &bad, &["--yes"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(why == "changed" || said.err.contains(why), "{said:?}");
    }
    let key = text(&site.path("other-key"));
    write(&site.path("other-key"), "quite another key");
    let said = site.run(&["restore", &text(&file), "--key-file", &key, "--yes"]);
    assert!(said.err.contains("does not fit"), "{said:?}");
    let said = site.run(&["backup", "show", &text(&file), "--key-file", &key]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(std::fs::read(site.path("data/state.db")).unwrap(), before);
    assert_eq!(site.run(&["audit", "verify"]).code, Some(0));
}

/// One file for each version of the tables of `state.db` there ever was, made by `riserd backup
/// create`; a new version adds its own.
#[tokio::test]
async fn backups_of_every_earlier_schema_restore() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let site = Site::with("");
        let done = restore(&site, &file, &["--yes"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(site.run(&["audit", "verify"]).code, Some(0));
        let mut daemon = site.start(&[]);
        let setup = reqwest::get(format!("{}/api/v1/setup", daemon.url));
        let setup: Value = setup.await.unwrap().json().await.unwrap();
        assert_eq!(setup["claimed"], true, "its user is there");
        daemon.terminate();
        daemon.ended();
    }
}

#[tokio::test]
async fn the_scheduled_drill_restores_and_shows_its_result() {
    // The first one waits a minute after a start, so this only proves that it is announced.
    let site = Site::new("[backup]\ndir = \"backups\"\nkey_file = \"key\"\n");
    write(&site.path("key"), KEY);
    let mut daemon = site.start(&[]);
    let token = std::fs::read_to_string(site.path("data/metrics-token")).unwrap();
    let request = Client::new().get(format!("{}/metrics", daemon.url));
    let page = request.bearer_auth(token.trim()).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("riser_backup_ok 0"), "{page}");
    daemon.terminate();
    daemon.ended();
}
