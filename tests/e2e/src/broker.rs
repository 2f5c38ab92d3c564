//! A third-party broker between gateway and cloud: mosquitto with mutual TLS, a rule per gateway and
//! no memory of its own. Owns its files.

use crate::lab::{Lab, tool};
use crate::process::Process;
use std::path::PathBuf;

impl Lab {
    /// Makes mosquitto listen where the gateway connects, and the cloud its client. Nothing may run
    /// yet, and nothing is started.
    ///
    /// # Panics
    /// When its files cannot be written.
    pub async fn behind_broker(&self, program: PathBuf) -> Process {
        let lab = self;
        let at = lab.folder.display();
        let (pki, identity) = (format!("{at}/pki"), format!("{at}/cloud-identity"));
        let client = [
            "pki",
            "issue-client",
            "--dir",
            &pki,
            "--name",
            "cloud",
            "--out",
            &identity,
        ];
        tool("riser-cloud", &client, "").await;
        let write = |name: &str, text: String| {
            std::fs::write(lab.folder.join(name), text).expect("a file of the test");
        };
        write(
            "cloud.toml",
            format!(
                "data_dir = \"{at}/cloud\"\n[http]\nlisten = \"127.0.0.1:{}\"\n\
             [broker]\nurl = \"mqtts://localhost:{}\"\nca = \"{pki}/ca.pem\"\ncert = \"{identity}/cloud.pem\"\n\
             key = \"{identity}/cloud.key\"\n",
                lab.cloud_port, lab.mqtt_port
            ),
        );
        write(
            "acl",
            "pattern write riser/v1/%u/up/+\npattern read riser/v1/%u/down/+\n\
         user cloud\ntopic read riser/v1/+/+/up/+\ntopic write riser/v1/+/+/down/+\n"
                .to_owned(),
        );
        // As root it would drop its rights and could not read this folder.
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        write(
            "mosquitto.conf",
            format!(
                "user {user}\nper_listener_settings true\nlistener {} 127.0.0.1\ncafile {pki}/ca.pem\n\
             certfile {pki}/server.pem\nkeyfile {pki}/server.key\nrequire_certificate true\n\
             use_identity_as_username true\nallow_anonymous false\nacl_file {at}/acl\npersistence false\n",
                lab.mqtt_port
            ),
        );
        Process::new("mosquitto", program, &lab.folder)
            .arguments(["-c", &format!("{at}/mosquitto.conf")])
    }
}
