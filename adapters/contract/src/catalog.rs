//! What an adapter crate offers to the daemon: how to build it from configuration, and which
//! further powers it has. Owns the capability traits, one method each.

use crate::{Adapter, AdapterError, BuildContext, ConfigError, Discover, Operate};
use futures_util::future::BoxFuture;
use riser_model::{Point, PointPath};
use std::sync::Arc;

/// One protocol as the daemon knows it; each adapter crate exports one as `KIND`.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Value of `kind` in the configuration.
    pub name: &'static str,
    /// The commented sample, printed by `riserd sample-config`.
    pub sample: &'static str,
    /// Checks a table and builds the adapter, without opening anything.
    pub build: fn(&toml::Table, &BuildContext) -> Result<Built, ConfigError>,
    /// Makes the discovery capability, where the protocol has one.
    pub discover: Option<fn() -> Box<dyn Discover>>,
}

/// A checked adapter, ready to run.
pub struct Built {
    /// The adapter.
    pub adapter: Box<dyn Adapter>,
    /// The points its configuration names, for `check-config` and for rules to refer to. Shared,
    /// as a gateway may have a hundred thousand.
    pub points: Vec<Arc<Point>>,
    /// Lists what its devices hold, once it runs.
    pub browse: Option<Arc<dyn Browse>>,
    /// Does what is neither a read nor a write, once it runs.
    pub operate: Option<Arc<dyn Operate>>,
}

impl Built {
    /// An adapter with no further powers.
    #[must_use]
    pub fn new(adapter: Box<dyn Adapter>, points: Vec<Arc<Point>>) -> Self {
        Self {
            adapter,
            points,
            browse: None,
            operate: None,
        }
    }

    /// The same, and its devices can be browsed.
    #[must_use]
    pub fn browse(self, browse: Arc<dyn Browse>) -> Self {
        Self {
            browse: Some(browse),
            ..self
        }
    }

    /// The same, with operations.
    #[must_use]
    pub fn operate(self, operate: Arc<dyn Operate>) -> Self {
        Self {
            operate: Some(operate),
            ..self
        }
    }
}

/// Lists what a device holds.
pub trait Browse: Send + Sync {
    /// The children of a node; the empty path is the root.
    fn browse(&self, path: String) -> BoxFuture<'static, Result<Vec<BrowseNode>, AdapterError>>;
}

/// Takes a still picture.
pub trait Snapshot: Send + Sync {
    /// The picture of a camera point, now.
    fn snapshot(
        &self,
        camera: PointPath,
    ) -> BoxFuture<'static, Result<SnapshotImage, AdapterError>>;
}

/// One entry of a browsable device.
#[derive(Debug, Clone, PartialEq)]
pub struct BrowseNode {
    /// Path to browse further.
    pub path: String,
    /// Name people read.
    pub name: String,
    /// The point it would become; `None` for a folder.
    pub point: Option<Point>,
    /// Why something is missing or odd, in words.
    pub remark: Option<String>,
}

/// One still picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotImage {
    /// Media type, such as `image/jpeg`.
    pub media_type: String,
    /// The octets.
    pub data: Vec<u8>,
}
