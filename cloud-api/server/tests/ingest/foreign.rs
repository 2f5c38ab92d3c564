//! A client of another make: mosquitto_pub, versions 5 and 3.1.1.

use crate::frames::data;
use crate::lab::Lab;
use riser_cloud::pki::Issued;
use riser_wire::Up;
use std::path::Path;
use std::process::Output;

/// Whether a program is there. Missing is fine on a desk, never in CI.
pub(crate) fn present(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
            || Path::new("/usr/sbin").join(program).is_file()
    });
    assert!(
        found || std::env::var_os("CI").is_none(),
        "CI needs {program}: see tests/peers"
    );
    if !found {
        eprintln!("SKIPPED: {program} is not installed; this test has shown nothing");
    }
    found
}

struct Foreign {
    lab: Lab,
    dir: tempfile::TempDir,
}

impl Foreign {
    async fn start() -> Self {
        let lab = Lab::start().await;
        let dir = tempfile::tempdir().unwrap();
        lab.pki
            .gateway("gw-001")
            .save(dir.path(), "gateway", &lab.pki.authority)
            .unwrap();
        let Up::Batch(frame) = data(1) else {
            unreachable!("data makes a batch")
        };
        std::fs::write(dir.path().join("frame"), frame).unwrap();
        Self { lab, dir }
    }

    async fn publish(&self, version: &str, id: &str, topic: &str) -> Output {
        let file = |name: &str| self.dir.path().join(name);
        tokio::process::Command::new("mosquitto_pub")
            .args([
                "-h",
                "localhost",
                "-p",
                &self.lab.port.to_string(),
                "-V",
                version,
                "-q",
                "1",
                "-i",
                id,
            ])
            .args(["-t", topic, "-d"])
            .arg("--cafile")
            .arg(file("ca.pem"))
            .arg("--cert")
            .arg(file("gateway.pem"))
            .arg("--key")
            .arg(file("gateway.key"))
            .arg("-f")
            .arg(file("frame"))
            .output()
            .await
            .unwrap()
    }

    async fn stored(&self) -> i64 {
        self.lab
            .db
            .read(|c| Ok(c.query_row("SELECT count(*) FROM batch", [], |r| r.get(0))?))
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn mosquitto_pub_is_served_in_both_versions() {
    if !present("mosquitto_pub") {
        return;
    }
    let foreign = Foreign::start().await;
    let (own, other) = (
        "riser/v1/acme/gw-001/up/data",
        "riser/v1/acme/gw-002/up/data",
    );
    for version in ["5", "311"] {
        let output = foreign.publish(version, "gw-001", own).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("PUBACK"),
            "{version}: {output:?}"
        );
        assert_eq!(foreign.stored().await, 1, "the second one is a double");
    }
    // Version 5 hears the reason; 3.1.1 has no word for no, so its connection ends unanswered.
    let output = foreign.publish("5", "gw-001", other).await;
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("RC:135"),
        "{output:?}"
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("belongs to another gateway"),
        "{output:?}"
    );
    let output = foreign.publish("311", "gw-001", other).await;
    assert!(!output.status.success(), "{output:?}");
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("PUBACK"),
        "{output:?}"
    );
    for version in ["5", "311"] {
        let output = foreign.publish(version, "gw-002", own).await;
        assert!(
            !output.status.success(),
            "a foreign client id must not get in: {output:?}"
        );
    }
    assert_eq!(foreign.stored().await, 1);
    foreign.lab.stop().await;
}

#[tokio::test]
async fn openssl_agrees_with_what_the_certificates_say() {
    if !present("openssl") {
        return;
    }
    let foreign = Foreign::start().await;
    let dir = foreign.dir.path();
    let verify = |purpose: &'static str, cert: std::path::PathBuf| async move {
        let output = tokio::process::Command::new("openssl")
            .args(["verify", "-purpose", purpose, "-x509_strict", "-CAfile"])
            .arg(dir.join("ca.pem"))
            .arg(cert)
            .output()
            .await
            .unwrap();
        output.status.success()
    };
    assert!(verify("sslclient", dir.join("gateway.pem")).await);
    assert!(!verify("sslserver", dir.join("gateway.pem")).await);
    assert!(verify("sslserver", foreign.lab.pki.path().join("server.pem")).await);
    assert!(!verify("sslclient", foreign.lab.pki.path().join("server.pem")).await);
    foreign.lab.stop().await;
}

/// Keys are for their owner alone.
#[test]
fn private_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let pki = crate::lab::Pki::new();
    let out = tempfile::tempdir().unwrap();
    let issued: Issued = pki.gateway("gw-001");
    issued.save(out.path(), "gateway", &pki.authority).unwrap();
    for path in [
        pki.path().join("ca.key"),
        pki.path().join("server.key"),
        out.path().join("gateway.key"),
    ] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    assert!(
        issued.save(out.path(), "gateway", &pki.authority).is_err(),
        "nothing is written over"
    );
}
