//! What devices hold, as a tree: devices, their objects, the properties of an object. Owns nothing but
//! the path; everything is read when it is asked for, and what cannot be read says why.

use crate::codec::service::property::{Reference, single};
use crate::codec::{Datum, ObjectId, PropertyId};
use crate::config::{Config, DeviceConfig};
use crate::device::{Peers, point_of};
use crate::mapping;
use crate::poll::Peer;
use futures_util::future::BoxFuture;
use riser_adapter::{AdapterError, Browse, BrowseNode, ErrorClass};
use std::sync::{Arc, PoisonError};

/// Octets of a property in an answer, roughly.
const OCTETS: usize = 60;

/// What is shown of an object, if it has it.
const SHOWN: &[PropertyId] = &[
    PropertyId::OBJECT_NAME,
    PropertyId::DESCRIPTION,
    PropertyId::PRESENT_VALUE,
    PropertyId::UNITS,
    PropertyId::STATUS_FLAGS,
    PropertyId::EVENT_STATE,
    PropertyId::RELIABILITY,
    PropertyId::OUT_OF_SERVICE,
    PropertyId::PRIORITY_ARRAY,
    PropertyId::RELINQUISH_DEFAULT,
    PropertyId::COV_INCREMENT,
    PropertyId::STATE_TEXT,
    PropertyId::INACTIVE_TEXT,
    PropertyId::ACTIVE_TEXT,
    PropertyId::MIN_PRES_VALUE,
    PropertyId::MAX_PRES_VALUE,
    PropertyId::DEVICE_TYPE,
];

/// The tree of an adapter.
pub(crate) struct Tree {
    devices: Arc<[DeviceConfig]>,
    peers: Peers,
}

impl Tree {
    pub(crate) fn new(config: &Config, peers: Peers) -> Self {
        let devices = config.lanes.iter().flat_map(|l| l.devices.iter().cloned());
        Self {
            devices: devices.collect(),
            peers,
        }
    }

    fn peer(&self, device: &DeviceConfig) -> Option<Peer> {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&device.key).cloned()
    }

    fn root(&self) -> Vec<BrowseNode> {
        let node = |device: &DeviceConfig| BrowseNode {
            path: device.key.to_string(),
            name: device.name.clone(),
            point: None,
            remark: match self.peer(device) {
                Some(peer) => Some(format!("device {} at {}", peer.instance(), peer.address())),
                None => Some("it has not answered since the adapter started".to_owned()),
            },
        };
        self.devices.iter().map(node).collect()
    }
}

impl Browse for Tree {
    fn browse(&self, path: String) -> BoxFuture<'static, Result<Vec<BrowseNode>, AdapterError>> {
        if path.is_empty() {
            let root = self.root();
            return Box::pin(async move { Ok(root) });
        }
        let (key, object) = match path.split_once('/') {
            Some((key, object)) => (key, Some(object)),
            None => (path.as_str(), None),
        };
        let device = self.devices.iter().find(|d| d.key.as_str() == key).cloned();
        let peer = device.as_ref().and_then(|d| self.peer(d));
        let object = object.map(ObjectId::parse);
        Box::pin(async move {
            let failed = |advice: &str| {
                AdapterError::new(ErrorClass::Retryable, "browse", path.clone()).advise(advice)
            };
            let Some(device) = device else {
                return Err(failed("there is no such device"));
            };
            let Some(peer) = peer else {
                return Err(failed("the device has not answered yet"));
            };
            let nodes = match object {
                None => objects(&peer, &device).await,
                Some(Some(object)) => properties(&peer, &device, object).await,
                Some(None) => return Err(failed("write the object as analog-input:1")),
            };
            nodes.map_err(|error| failed("").because(error))
        })
    }
}

async fn objects(
    peer: &Peer,
    device: &DeviceConfig,
) -> Result<Vec<BrowseNode>, crate::client::RequestError> {
    let learned = peer.learn().await?;
    let nodes = learned.iter().map(|one| BrowseNode {
        path: format!("{}/{}", device.key, one.object),
        name: match one.description.is_empty() {
            true => one.name.clone(),
            false => format!("{} ({})", one.name, one.description),
        },
        point: point_of(one, device).map(|p| (*p.point).clone()),
        remark: one.remark.clone(),
    });
    Ok(nodes.collect())
}

async fn properties(
    peer: &Peer,
    device: &DeviceConfig,
    object: ObjectId,
) -> Result<Vec<BrowseNode>, crate::client::RequestError> {
    let wanted: Vec<Reference> = SHOWN.iter().map(|p| Reference::new(object, *p)).collect();
    let read = peer.read_many(&wanted, OCTETS).await?;
    let mut nodes = Vec::new();
    for (reference, value) in wanted.iter().zip(read) {
        let (shown, remark) = match value {
            Ok(octets) => (written(reference.property, &octets), None),
            // An object has the properties of its type; the others are no news.
            Err(refusal) if refusal.is_about_absence() => continue,
            Err(refusal) => (String::new(), Some(format!("it cannot be read: {refusal}"))),
        };
        nodes.push(BrowseNode {
            path: format!("{}/{object}/{}", device.key, reference.property),
            name: format!("{} = {shown}", reference.property),
            point: None,
            remark,
        });
    }
    Ok(nodes)
}

/// A property as people read it.
fn written(property: PropertyId, octets: &[u8]) -> String {
    if property == PropertyId::UNITS
        && let Ok(datum) = single(octets)
        && let Some(unit) = datum.as_unsigned().and_then(mapping::unit)
    {
        return unit.to_string();
    }
    let values = Datum::decode_all(octets).unwrap_or_default();
    if property == PropertyId::PRIORITY_ARRAY {
        let held = (1..).zip(&values).filter(|(_, v)| **v != Datum::Null);
        let held: Vec<String> = held
            .map(|(level, v)| format!("{level}: {}", mapping::text(v)))
            .collect();
        return match held.is_empty() {
            true => "no level is held".to_owned(),
            false => held.join(", "),
        };
    }
    let texts: Vec<String> = values.iter().map(mapping::text).collect();
    texts.join(", ")
}
