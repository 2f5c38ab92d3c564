//! What can be done besides reading and writing points: joining, renaming, removing, binding,
//! reporting, groups and scenes, touchlink, network map, firmware. Owns the way from outside to the
//! running adapter; `list` says what there is, `ask` what is sent for it.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod entry;
pub(crate) mod list;
pub(crate) mod parameters;

use crate::requests::Answer;
use futures_util::future::BoxFuture;
use riser_adapter::{
    AdapterError, Browse, BrowseNode, ErrorClass, Operate, Operation as Described, config::nearest,
};
use riser_model::Point;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Operations that may wait for the adapter.
const QUEUE: usize = 16;

/// One operation somebody wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) operation: &'static list::Entry,
    pub(crate) parameters: toml::Table,
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// One device as it can be browsed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    pub(crate) name: String,
    pub(crate) remark: Option<String>,
    pub(crate) points: Vec<Arc<Point>>,
}

/// Devices by key. Shared between the running adapter and whoever browses.
pub(crate) type Shelves = Arc<Mutex<BTreeMap<String, Shelf>>>;

/// The adapter as seen from outside while it runs.
#[derive(Clone)]
pub(crate) struct Remote {
    sender: mpsc::Sender<Wanted>,
    shelves: Shelves,
}

impl Remote {
    /// A remote, and what it sends.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Wanted>) {
        let (sender, wanted) = mpsc::channel(QUEUE);
        let shelves = Shelves::default();
        (Self { sender, shelves }, wanted)
    }

    /// What it shows to whoever browses.
    pub(crate) fn shelves(&self) -> Shelves {
        Arc::clone(&self.shelves)
    }
}

impl Operate for Remote {
    fn operations(&self) -> Vec<Described> {
        list::ALL.iter().map(list::Entry::described).collect()
    }

    fn operate(&self, name: &str, parameters: toml::Table) -> BoxFuture<'static, Answer> {
        let found = list::ALL.iter().find(|entry| entry.name == name);
        let sender = self.sender.clone();
        let name = name.to_owned();
        Box::pin(async move {
            let Some(operation) = found else {
                return Err(unknown(&name));
            };
            parameters::check(operation, &parameters)?;
            let (reply, answer) = oneshot::channel();
            let wanted = Wanted {
                operation,
                parameters,
                reply,
            };
            let away = || {
                AdapterError::new(ErrorClass::Retryable, &name, "zigbee2mqtt")
                    .advise("the adapter is not running, or too many operations wait")
            };
            sender.try_send(wanted).map_err(|_| away())?;
            answer.await.map_err(|_| away())?
        })
    }
}

fn unknown(name: &str) -> AdapterError {
    let known = list::ALL.iter().map(|entry| entry.name);
    let near = nearest(name, known).unwrap_or_default();
    AdapterError::new(ErrorClass::Misconfigured, "do", name).advise(format!(
        "there is no such operation; did you mean '{near}'?"
    ))
}

impl Browse for Remote {
    fn browse(&self, path: String) -> BoxFuture<'static, Result<Vec<BrowseNode>, AdapterError>> {
        let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let nodes = if path.is_empty() {
            Some(
                shelves
                    .iter()
                    .map(|(key, shelf)| folder(key, shelf))
                    .collect(),
            )
        } else {
            shelves.get(&path).map(contents)
        };
        drop(shelves);
        let answer = nodes.ok_or_else(|| {
            AdapterError::new(ErrorClass::Misconfigured, "browse", path)
                .advise("there is no such device; browse the root for those there are")
        });
        Box::pin(async move { answer })
    }
}

fn folder(key: &str, shelf: &Shelf) -> BrowseNode {
    BrowseNode {
        path: key.to_owned(),
        name: shelf.name.clone(),
        point: None,
        remark: shelf.remark.clone(),
    }
}

fn contents(shelf: &Shelf) -> Vec<BrowseNode> {
    let points = shelf.points.iter();
    points
        .map(|point| BrowseNode {
            path: point.path.to_string(),
            name: point.name.clone(),
            point: Some(Point::clone(point)),
            remark: None,
        })
        .collect()
}
