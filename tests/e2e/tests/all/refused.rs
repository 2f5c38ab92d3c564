//! What must be refused, with words that say what and why.

use riser_e2e::cloud::Cloud;
use riser_e2e::lab::{GATEWAY, OPERATOR, OPERATOR_PASSWORD, tool};
use riser_e2e::local::{Local, PASSWORD, USER};
use riser_e2e::process::{Process, built};
use riser_e2e::{Lab, alone, until};
use serde_json::json;
use std::time::Duration;

async fn check_config(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("riser.toml");
    let head = format!(
        "[gateway]\nid = \"gw\"\ntenant = \"t\"\nname = \"n\"\ndata_dir = \"{}\"\n",
        folder.path().join("data").display()
    );
    std::fs::write(&config, head + text).expect("a file of the test");
    let mut riserd = Process::new("riserd", built("riserd"), folder.path()).arguments([
        "check-config",
        "--config",
        &config.to_string_lossy(),
    ]);
    riserd.start();
    let code = riserd.wait().await;
    assert!(
        !folder.path().join("data").exists(),
        "a refused configuration must change nothing"
    );
    (code, riserd.log())
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_before_anything_opens() {
    let _turn = alone().await;
    let (code, said) = check_config("[http]\nlisten_on = \"127.0.0.1:1\"\n").await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("listen_on") && said.contains("did you mean 'listen'"),
        "{said}"
    );
    let device = "[[adapter]]\nkind = \"modbus\"\nname = \"f\"\n\
        [[adapter.lane]]\nkey = \"l\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\n\
        [[adapter.device]]\nkey = \"d\"\nlane = \"l\"\n";
    let (code, said) = check_config(&format!(
        "{device}point = [{{ key = \"a\", address = 0, type = \"f23\" }}]\n"
    ))
    .await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("f23") && said.contains("did you mean"),
        "{said}"
    );
    let (code, said) = check_config(&format!("{device}adress = 3\n")).await;
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("adress") && said.contains("did you mean"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_lock() {
    let _turn = alone().await;
    let (lab, local, _cloud) = Lab::start("").await;

    let thief = Local::new(lab.local_port);
    for _ in 0..5 {
        let (status, body) = thief.login(USER, "wrong password").await;
        assert!(status == 401 || status == 423, "{status} {body}");
    }
    let (status, body) = thief.login(USER, PASSWORD).await;
    assert_eq!(status, 423, "locked even for the right password: {body}");
    assert!(
        body["error"]["message"]
            .as_str()
            .is_some_and(|m| m.len() > 20),
        "says what to do: {body}"
    );
    assert_eq!(
        local.get("/api/v1/overview").await.0,
        200,
        "an open session goes on"
    );
    assert_eq!(thief.get("/api/v1/overview").await.0, 401);
    let again = json!({"code": "0000", "user": "x", "password": "long enough here"});
    assert!(
        matches!(thief.post("/api/v1/claim", &again).await.0, 403 | 404 | 409),
        "claimed once, never again"
    );

    let guess = Cloud::new(lab.cloud_port);
    for _ in 0..5 {
        assert!(matches!(
            guess.login(OPERATOR, "wrong password").await.0,
            401 | 423
        ));
    }
    assert_eq!(guess.login(OPERATOR, OPERATOR_PASSWORD).await.0, 423);
}

/// Adds a tenant admin of another tenant and logs her in.
async fn stranger(lab: &Lab) -> Cloud {
    let config = lab.folder.join("cloud.toml").to_string_lossy().into_owned();
    let user = [
        "user",
        "add",
        "--config",
        &config,
        "--tenant",
        "other",
        "--email",
        "eve@other.example",
    ];
    let role = [
        "--name",
        "Eve",
        "--role",
        "tenant_admin",
        "--password-stdin",
    ];
    tool(
        "riser-cloud",
        &[&user[..], &role[..]].concat(),
        "another good password",
    )
    .await;
    let eve = Cloud::new(lab.cloud_port);
    assert_eq!(
        eve.login("eve@other.example", "another good password")
            .await
            .0,
        200
    );
    eve
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_tokens_see_nothing() {
    let _turn = alone().await;
    let (lab, _local, cloud) = Lab::start("").await;
    let eve = stranger(&lab).await;
    until("the gateway is known", Duration::from_secs(20), || {
        cloud.gateway(GATEWAY)
    })
    .await;
    assert_eq!(
        eve.get(&format!("/api/v1/gateways/{GATEWAY}")).await.0,
        404,
        "another tenant's gateway does not exist"
    );
    let (_, list) = eve.get("/api/v1/gateways").await;
    assert_eq!(list["gateways"].as_array().map(Vec::len), Some(0));

    let forged = Cloud::new(lab.cloud_port);
    forged.set_token("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.");
    assert_eq!(forged.get("/api/v1/gateways").await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_gateway_is_cut_off_and_told_why() {
    let _turn = alone().await;
    let (lab, local, cloud) = Lab::start("").await;
    let live = || async {
        let overview = local.get("/api/v1/overview").await.1;
        (overview["link"]["state"] == "live").then_some(())
    };
    until("the link is live", Duration::from_secs(30), live).await;
    let pki = lab.folder.join("pki").to_string_lossy().into_owned();
    tool(
        "riser-cloud",
        &["pki", "revoke", "--dir", &pki, &format!("demo/{GATEWAY}")],
        "",
    )
    .await;
    let told = until(
        "the gateway says why it is cut off",
        Duration::from_secs(30),
        || async {
            let link = local.get("/api/v1/overview").await.1["link"].clone();
            let said = link["last_error"].as_str()?.to_lowercase();
            (link["state"] != "live" && said.contains("revoked")).then_some(said)
        },
    )
    .await;
    assert!(told.len() > 15, "{told}");
    until(
        "the cloud shows it disconnected",
        Duration::from_secs(10),
        || async { (cloud.gateway(GATEWAY).await?["connected"] == false).then_some(()) },
    )
    .await;
    assert!(
        lab.cloud.log().to_lowercase().contains("revoked"),
        "the cloud's log names the reason"
    );
}
