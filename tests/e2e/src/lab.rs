//! One building from edge to cloud in a temporary folder: a throw-away PKI, `riser-cloud`, a link
//! that can be spoilt, `riserd`. Owns ports, files and credentials of one test; everything ends
//! with it.

use crate::cloud::Cloud;
use crate::local::Local;
use crate::process::{Process, built, free_port};
use crate::proxy::Proxy;
use crate::until;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// Tenant of the lab.
pub const TENANT: &str = "demo";
/// Gateway of the lab.
pub const GATEWAY: &str = "gw-001";
/// Operator of the lab's tenant.
pub const OPERATOR: &str = "operator@demo.example";
/// Their password.
pub const OPERATOR_PASSWORD: &str = "staple battery horse";
/// How long a process may take until it serves.
const READY: Duration = Duration::from_secs(60);

/// A running building.
#[derive(Debug)]
pub struct Lab {
    /// Temporary folder of the test; kept when `RISER_KEEP` is set.
    pub folder: PathBuf,
    /// The cloud service.
    pub cloud: Process,
    /// The gateway daemon.
    pub gateway: Process,
    /// The link between them.
    pub link: Proxy,
    /// Local HTTP port.
    pub local_port: u16,
    /// Cloud HTTP port.
    pub cloud_port: u16,
    /// Cloud MQTT port, behind the link.
    pub mqtt_port: u16,
    _keep: Option<TempDir>,
}

/// Runs a program of the product to its end and fails the test when it fails.
///
/// # Panics
/// When the program does not end with success.
#[expect(clippy::panic, reason = "a test without its program has failed")]
pub async fn tool(program: &str, arguments: &[&str], input: &str) -> String {
    use tokio::io::AsyncWriteExt;
    let mut child = tokio::process::Command::new(built(program))
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("{program} cannot be started: {e}; build the workspace's programs first")
        });
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .await
            .expect("input is taken");
    }
    let output = child.wait_with_output().await.expect("the program ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Lab {
    /// Makes PKI, configuration and processes; starts nothing. `building` is the part of the
    /// gateway's configuration that names adapters and rules.
    pub async fn prepare(building: &str) -> Self {
        let keep = TempDir::with_prefix("riser-lab-").expect("a temporary folder");
        let folder = keep.path().to_path_buf();
        let (local_port, cloud_port, mqtt_port) = (free_port(), free_port(), free_port());
        let link = Proxy::start(mqtt_port).await;
        let write = |name: &str, content: String| {
            let path = folder.join(name);
            std::fs::write(&path, content).expect("a file in the temporary folder");
            text(&path)
        };
        let cloud_config = write("cloud.toml", cloud_toml(&folder, cloud_port, mqtt_port));
        let head = gateway_toml(&folder, local_port, link.port);
        let config = write("riser.toml", format!("{head}\n{building}"));
        issue(&folder, &cloud_config).await;
        let cloud = Process::new("riser-cloud", built("riser-cloud"), &folder).arguments([
            "run",
            "--config",
            &cloud_config,
        ]);
        let gateway = Process::new("riserd", built("riserd"), &folder)
            .arguments(["run", "--config", &config]);
        let keep = if std::env::var_os("RISER_KEEP").is_some() {
            eprintln!("kept: {}", keep.keep().display());
            None
        } else {
            Some(keep)
        };
        Self {
            folder,
            cloud,
            gateway,
            link,
            local_port,
            cloud_port,
            mqtt_port,
            _keep: keep,
        }
    }

    /// Prepares and starts both processes; answers logged-in clients of both faces.
    pub async fn start(building: &str) -> (Self, Local, Cloud) {
        let mut lab = Self::prepare(building).await;
        lab.cloud.start();
        lab.gateway.start();
        let local = lab.technician().await;
        let cloud = lab.operator().await;
        (lab, local, cloud)
    }

    /// Waits for the gateway and claims it.
    pub async fn technician(&mut self) -> Local {
        let local = Local::new(self.local_port);
        self.serving_local(&local).await;
        let config = self.folder.join("riser.toml");
        let code = tool(
            "riserd",
            &["claim-code", "--config", &config.to_string_lossy()],
            "",
        )
        .await;
        local.claim(code.trim()).await;
        local
    }

    /// Waits for the cloud and logs its operator in.
    pub async fn operator(&mut self) -> Cloud {
        let cloud = Cloud::new(self.cloud_port);
        self.serving_cloud(&cloud).await;
        let (status, body) = cloud.login(OPERATOR, OPERATOR_PASSWORD).await;
        assert_eq!(status, 200, "log in at the cloud: {body}");
        cloud
    }

    /// Waits until the gateway's local face answers; answers how long it took.
    pub async fn serving_local(&mut self, local: &Local) -> Duration {
        let start = std::time::Instant::now();
        until("riserd serves", READY, || async {
            (local.get("/api/v1/setup").await.0 == 200).then_some(())
        })
        .await;
        assert!(
            self.gateway.running(),
            "riserd ended\n{}",
            self.gateway.tail()
        );
        start.elapsed()
    }

    /// Waits until the cloud answers; answers how long it took.
    pub async fn serving_cloud(&mut self, cloud: &Cloud) -> Duration {
        let start = std::time::Instant::now();
        until("riser-cloud serves", READY, || async {
            (cloud.get("/healthz").await.0 == 200).then_some(())
        })
        .await;
        assert!(
            self.cloud.running(),
            "riser-cloud ended\n{}",
            self.cloud.tail()
        );
        start.elapsed()
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A CA, the gateway's identity and one operator.
async fn issue(folder: &Path, cloud_config: &str) {
    let (pki, out) = (text(&folder.join("pki")), text(&folder.join("identity")));
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
        cloud_config,
        "--tenant",
        TENANT,
        "--email",
        OPERATOR,
        "--name",
        "Olga Operator",
        "--role",
        "operator",
        "--password-stdin",
    ];
    tool("riser-cloud", &user, OPERATOR_PASSWORD).await;
}

fn cloud_toml(folder: &Path, http: u16, mqtt: u16) -> String {
    let folder = folder.display();
    format!(
        "data_dir = \"{folder}/cloud\"\n\
         [http]\nlisten = \"127.0.0.1:{http}\"\n\
         [mqtt]\nlisten = \"127.0.0.1:{mqtt}\"\n\
         [pki]\ndir = \"{folder}/pki\"\n"
    )
}

fn gateway_toml(folder: &Path, http: u16, mqtt: u16) -> String {
    let folder = folder.display();
    format!(
        "[gateway]\nid = \"{GATEWAY}\"\ntenant = \"{TENANT}\"\nname = \"Lab gateway\"\ndata_dir = \"{folder}/gateway\"\n\
         [http]\nlisten = \"127.0.0.1:{http}\"\n\
         [cloud]\nurl = \"mqtts://localhost:{mqtt}\"\nca = \"{folder}/identity/ca.pem\"\n\
         cert = \"{folder}/identity/gateway.pem\"\nkey = \"{folder}/identity/gateway.key\"\n"
    )
}
