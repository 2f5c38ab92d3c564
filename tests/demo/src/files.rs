//! Folder, PKI, configuration and credentials of one demo run.

use rand::RngExt;
use riser_e2e::lab::tool;
use riser_e2e::process::free_port;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Tenant and gateway of the demo.
const TENANT: &str = "demo";
const GATEWAY: &str = "gw-001";
const OPERATOR: &str = "operator@demo.example";

/// What the demo has laid out.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) local_port: u16,
    pub(crate) cloud_port: u16,
    /// First of nine ports: eight of the simulator, and the gateway's own for BACnet/IP.
    pub(crate) field_port: u16,
    password: String,
}

impl Files {
    /// Wipes the folder and makes everything in it anew.
    pub(crate) async fn prepare(
        folder: &Path,
        local_port: u16,
        cloud_port: u16,
    ) -> std::io::Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let files = Self {
            folder,
            local_port,
            cloud_port,
            field_port: field_ports(),
            password: password(),
        };
        let mqtt_port = free_port();
        files.write_cloud(mqtt_port)?;
        files.write_gateway(mqtt_port)?;
        files.issue().await;
        Ok(files)
    }

    pub(crate) fn cloud_config(&self) -> String {
        self.path("cloud.toml")
    }

    pub(crate) fn gateway_config(&self) -> String {
        self.path("riser.toml")
    }

    /// The code that claims the gateway, once it runs.
    pub(crate) async fn claim_code(&self) -> String {
        tool(
            "riserd",
            &["claim-code", "--config", &self.gateway_config()],
            "",
        )
        .await
    }

    /// Addresses and credentials, for people and for tests.
    pub(crate) fn credentials(&self, code: &str) -> Value {
        json!({
            "local": {"url": format!("http://127.0.0.1:{}/", self.local_port), "code": code},
            "cloud": {
                "url": format!("http://127.0.0.1:{}/", self.cloud_port),
                "email": OPERATOR,
                "password": self.password,
            },
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn write_cloud(&self, mqtt_port: u16) -> std::io::Result<()> {
        let (folder, http) = (self.folder.display(), self.cloud_port);
        let text = format!(
            "data_dir = \"{folder}/cloud\"\n\n[http]\nlisten = \"127.0.0.1:{http}\"\n\n\
             [mqtt]\nlisten = \"127.0.0.1:{mqtt_port}\"\n\n[pki]\ndir = \"{folder}/pki\"\n"
        );
        std::fs::write(self.cloud_config(), text)
    }

    fn write_gateway(&self, mqtt_port: u16) -> std::io::Result<()> {
        let (folder, http) = (self.folder.display(), self.local_port);
        let mut text = format!(
            "[gateway]\nid = \"{GATEWAY}\"\ntenant = \"{TENANT}\"\nname = \"Demo building\"\n\
             data_dir = \"{folder}/gateway\"\n\n[http]\nlisten = \"127.0.0.1:{http}\"\n\n\
             [cloud]\nurl = \"mqtts://localhost:{mqtt_port}\"\nca = \"{folder}/identity/ca.pem\"\n\
             cert = \"{folder}/identity/gateway.pem\"\nkey = \"{folder}/identity/gateway.key\"\n\n"
        );
        let _ = write!(text, "{}", building(self.field_port));
        std::fs::write(self.gateway_config(), text)
    }

    async fn issue(&self) {
        let (pki, out, config) = (self.path("pki"), self.path("identity"), self.cloud_config());
        tool("riser-cloud", &["pki", "init", "--dir", &pki], "").await;
        let issue = [
            "pki",
            "issue-gateway",
            "--dir",
            &pki,
            "--tenant",
            TENANT,
            "--gateway",
            GATEWAY,
            "--out",
            &out,
        ];
        tool("riser-cloud", &issue, "").await;
        let user = [
            "user",
            "add",
            "--config",
            &config,
            "--tenant",
            TENANT,
            "--email",
            OPERATOR,
            "--name",
            "Demo operator",
            "--role",
            "operator",
            "--password-stdin",
        ];
        tool("riser-cloud", &user, &self.password).await;
    }
}

/// The adapters and rules of the demo building, for a simulator at `port`.
fn building(port: u16) -> String {
    let zones: String = (1..=4)
        .map(|n| include_str!("../zone.toml").replace("@N@", &n.to_string()))
        .collect();
    (0..9_u16).fold(
        include_str!("../building.toml").replace("@ZONES@", &zones),
        |text, offset| text.replace(&format!("@PORT{offset}@"), &(port + offset).to_string()),
    )
}

/// First of nine consecutive free ports: seven of TCP, then two of UDP.
fn field_ports() -> u16 {
    let tcp = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let udp = |port: u16| std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok();
    (15_020..32_000)
        .step_by(10)
        .find(|first| (0..7).all(|o| tcp(first + o)) && udp(first + 7) && udp(first + 8))
        .unwrap_or(15_020)
}

/// Sixteen letters and digits that are hard to mistake for each other.
fn password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..16)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}
