//! Somebody writes into the audit log while the gateway is stopped, and a backup that cannot be
//! made: what the command line, both faces and the alarms say of it, and how it is over.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use riser_e2e::cloud::Cloud;
use riser_e2e::lab::{GATEWAY, TENANT, tool};
use riser_e2e::local::Local;
use riser_e2e::process::built;
use riser_e2e::{Lab, alone, until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const ADMIN: &str = "admin@demo.example";
const PASSWORD: &str = "admin battery horse";

/// A tenant administrator at the cloud.
async fn admin(lab: &mut Lab) -> Cloud {
    let config = lab.folder.join("cloud.toml");
    let add = [
        "user",
        "add",
        "--config",
        &config.to_string_lossy(),
        "--tenant",
        TENANT,
        "--email",
        ADMIN,
        "--name",
        "Ada Admin",
        "--role",
        "tenant_admin",
        "--password-stdin",
    ];
    tool("riser-cloud", &add, PASSWORD).await;
    let cloud = Cloud::new(lab.cloud_port);
    let (status, body) = cloud.login(ADMIN, PASSWORD).await;
    assert_eq!(status, 200, "{body}");
    cloud
}

/// Runs `riserd` beside the daemon or without it: exit code and all it said.
async fn riserd(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new(built("riserd"))
        .args(arguments)
        .arg("--config")
        .arg(folder.join("riser.toml"))
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

async fn upstairs(cloud: &Cloud) -> Value {
    let path = format!("/api/v1/gateways/{GATEWAY}/audit");
    cloud.get(&path).await.1
}

/// The alarm about a subject that stands on a face, if any.
fn standing(body: &Value, path: &str) -> Option<Value> {
    let alarms = body["alarms"].as_array().cloned().unwrap_or_default();
    let mut about = alarms.into_iter().filter(|a| a["path"] == path);
    about.find(|a| a["cleared_at"].is_null())
}

async fn local_alarm(local: &Local, path: &str) -> Option<Value> {
    standing(&local.get("/api/v1/alarms?state=open").await.1, path)
}

async fn cloud_alarm(cloud: &Cloud, path: &str) -> Option<Value> {
    standing(&cloud.get("/api/v1/alarms?state=open").await.1, path)
}

/// Waits until the cloud has the entry of an action.
async fn has(cloud: &Cloud, action: &str) -> u64 {
    until("the cloud has the entry", SOON, || async {
        let log = upstairs(cloud).await;
        let entries = log["entries"].as_array()?.clone();
        let entry = entries.iter().find(|e| e["action"] == action)?;
        entry["no"].as_u64()
    })
    .await
}

/// Somebody with root's rights and `sqlite3`.
fn write_into(folder: &Path, no: u64) {
    let conn = rusqlite::Connection::open(folder.join("gateway/state.db")).unwrap();
    conn.execute_batch("DROP TRIGGER audit_not_changed")
        .unwrap();
    let sql = "UPDATE audit SET actor = 'somebody else' WHERE no = ?1";
    assert_eq!(conn.execute(sql, [no]).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_somebody_changed_is_named_everywhere_until_it_is_acknowledged() {
    let _turn = alone().await;
    let (mut lab, local, _) = Lab::start("").await;
    let cloud = admin(&mut lab).await;
    let claim = has(&cloud, "claim").await;
    assert_eq!(upstairs(&cloud).await["chain"]["state"], "ok");
    assert_eq!(riserd(&lab.folder, &["audit", "verify"]).await.0, Some(0));

    lab.gateway.stop().await;
    write_into(&lab.folder, claim);
    let (code, said) = riserd(&lab.folder, &["audit", "verify"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&format!("entry {claim} was changed")),
        "{said}"
    );

    lab.gateway.start();
    lab.serving_local(&local).await;
    until("the gateway alarms", SOON, || {
        local_alarm(&local, "riserd/audit")
    })
    .await;
    let (_, here) = local.get("/api/v1/audit").await;
    assert_eq!(here["chain"]["broken_at"], claim, "{}", here["chain"]);
    let alarm = until("the cloud alarms", SOON, || {
        cloud_alarm(&cloud, "riser-cloud/audit")
    })
    .await;
    assert_eq!(alarm["priority"], "critical", "{alarm}");
    let there = upstairs(&cloud).await;
    assert_eq!(there["chain"]["broken_at"], claim, "{}", there["chain"]);
    let original = there["entries"].as_array().unwrap().iter();
    let original = original.filter(|e| e["no"] == claim && e["actor"] == "tech");
    assert_eq!(
        original.count(),
        1,
        "the cloud still has what was written first"
    );

    acknowledged(&mut lab, &local, &cloud, claim).await;
}

/// On the gateway, then in the cloud; after a restart it is still known and still shown.
async fn acknowledged(lab: &mut Lab, local: &Local, cloud: &Cloud, claim: u64) {
    let comment = json!({"comment": "a test of ours"});
    let (status, chain) = local.post("/api/v1/audit/acknowledge", &comment).await;
    assert_eq!((status, &chain["ok"]), (200, &json!(true)), "{chain}");
    assert_eq!(local_alarm(local, "riserd/audit").await, None);
    has(cloud, "break_acknowledged").await;
    // Whoever sits at the gateway does not end the alarm of the cloud.
    assert!(cloud_alarm(cloud, "riser-cloud/audit").await.is_some());
    let path = format!("/api/v1/gateways/{GATEWAY}/audit/acknowledge");
    let (status, log) = cloud.post(&path, &comment).await;
    assert_eq!(
        (status, &log["chain"]["state"]),
        (200, &json!("ok")),
        "{log}"
    );
    assert_eq!(cloud_alarm(cloud, "riser-cloud/audit").await, None);
    assert_eq!(log["chain"]["chains"], 2, "{}", log["chain"]);
    let known = &log["chain"]["breaks"][0];
    assert_eq!(
        (&known["no"], &known["acknowledged"]["by"]),
        (&json!(claim), &json!(ADMIN))
    );

    lab.gateway.stop().await;
    let (code, said) = riserd(&lab.folder, &["audit", "verify"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("acknowledged by tech"), "{said}");
    lab.gateway.start();
    lab.serving_local(local).await;
    let (_, here) = local.get("/api/v1/audit?check=true").await;
    assert_eq!(here["chain"]["ok"], true, "{}", here["chain"]);
    assert_eq!(
        here["chain"]["breaks"][0]["acknowledged"]["comment"],
        "a test of ours"
    );
    assert_eq!(local_alarm(local, "riserd/audit").await, None);
}

/// Asks for a backup and waits for what becomes of it.
async fn back_up(local: &Local) -> Value {
    let before = local.get("/api/v1/overview").await.1["backup"]["at"].clone();
    let (status, body) = local.post("/api/v1/backups", &json!({})).await;
    assert_eq!(status, 202, "{body}");
    until("the backup is made and restored", SOON, || async {
        let backup = local.get("/api/v1/overview").await.1["backup"].clone();
        let done = backup["at"] != before && backup["running"] == false;
        done.then_some(backup)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_fails_is_an_alarm_and_one_made_at_the_console_is_recorded() {
    let _turn = alone().await;
    let backup = "[backup]\ndir = \"backups\"\nkey_file = \"backup.key\"\n";
    let (lab, local, cloud) = Lab::start(backup).await;
    let key = lab.folder.join("backup.key");
    std::fs::write(&key, "too short").unwrap();
    let failed = back_up(&local).await;
    assert_eq!(
        (&failed["ok"], &failed["last_ok"]),
        (&json!(false), &Value::Null),
        "{failed}"
    );
    let alarm = local_alarm(&local, "riserd/backup").await.unwrap();
    assert_eq!(alarm["priority"], "high", "{alarm}");
    let message = alarm["message"].as_str().unwrap();
    assert!(message.contains("passphrase is too short"), "{alarm}");
    until("the cloud shows it", SOON, || {
        cloud_alarm(&cloud, "riserd/backup")
    })
    .await;

    std::fs::write(&key, "a key for tests, not secret").unwrap();
    let good = back_up(&local).await;
    assert_eq!(
        (&good["ok"], &good["error"]),
        (&json!(true), &Value::Null),
        "{good}"
    );
    assert_eq!(good["last_ok"], good["at"], "{good}");
    assert_eq!(local_alarm(&local, "riserd/backup").await, None);

    let (out, key) = (lab.folder.join("by-hand.backup"), key.to_string_lossy());
    let out = out.to_string_lossy();
    let (code, said) = riserd(
        &lab.folder,
        &["backup", "create", "--out", &out, "--key-file", &key],
    )
    .await;
    assert_eq!(code, Some(0), "{said}");
    until("the daemon has taken it up", SOON, || async {
        let (_, log) = local.get("/api/v1/audit?action=backup").await;
        let entries = log["entries"].as_array()?.clone();
        let by_hand = |e: &&Value| e["source"] == "console" && e["object"] == *out;
        entries.iter().find(by_hand).map(drop)
    })
    .await;
}
