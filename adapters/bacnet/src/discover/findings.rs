//! What a search says beside the devices it finds: how the BBMD stands, and why nothing was found.
//! Owns the words.

use crate::client::{Client, Diagnosis};
use riser_adapter::Found;
use std::net::SocketAddrV4;
use tokio::sync::mpsc;

/// Tells what stands against finding more.
pub(super) async fn tell(
    client: &Client,
    bbmd: Option<SocketAddrV4>,
    count: usize,
    found: &mpsc::Sender<Found>,
) {
    let finding = match bbmd {
        Some(at) if client.registered_with() != Some(at) => Some(unregistered(at)),
        Some(at) => registered(&client.diagnose(at).await, client.local()),
        None if count == 0 => Some(nobody(client.local())),
        None => None,
    };
    if let Some(finding) = finding {
        // Whoever asked may have gone.
        let _gone = found.send(finding).await;
    }
}

fn finding(address: String, identity: Vec<(String, String)>, remark: String) -> Found {
    Found {
        address,
        identity,
        profile: None,
        remark,
        config: toml::Table::new(),
    }
}

fn unregistered(at: SocketAddrV4) -> Found {
    let remark = format!(
        "missing BBMD: {at} refused the registration or does not answer, so devices of its network cannot be found; allow foreign devices there, or correct the address"
    );
    finding(format!("BBMD {at}"), Vec::new(), remark)
}

/// Nothing when all is well with it.
fn registered(diagnosis: &Diagnosis, own: Option<SocketAddrV4>) -> Option<Found> {
    let words = diagnosis.words(own);
    if words.is_empty() {
        return None;
    }
    let shown = |table: &Result<Vec<SocketAddrV4>, String>| match table {
        Ok(entries) => entries.len().to_string(),
        Err(why) => why.clone(),
    };
    let identity = vec![
        ("BBMDs in its table".to_owned(), shown(&diagnosis.peers)),
        ("foreign devices".to_owned(), shown(&diagnosis.foreign)),
    ];
    let address = format!("BBMD {}", diagnosis.bbmd);
    Some(finding(address, identity, words.join("; ")))
}

fn nobody(own: Option<SocketAddrV4>) -> Found {
    let port = own.map_or(0, |own| own.port());
    let remark = format!(
        "no device answered: broadcasts end at the router of this network, so devices elsewhere need a BBMD there to be named; devices may use another UDP port than {port}, and a firewall may drop broadcasts"
    );
    finding(format!("UDP port {port}"), Vec::new(), remark)
}
