//! The live stream: what happens, as it happens. Owns one connection's choice of what to tell, its
//! bounded queue and the count of what a slow reader misses; what happens comes from the runtime.

mod message;
mod outlet;

pub use message::{LiveMessage, LiveRequest, LiveValue};

use crate::auth::Caller;
use crate::face::Face;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::StreamExt;
use outlet::Outlet;
use riser_model::{Alarm, CommandRecord, LinkStatus, PointPath, PointView, ScanBatch, Slot};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Points one connection may follow.
const FOLLOWED_MAX: usize = 500;
/// A client that has said nothing for so many looks, not even a pong, is gone.
const SILENT_LOOKS: u32 = 3;

/// Serves one connection until the client, its session or the gateway ends.
pub(crate) async fn serve(socket: WebSocket, face: Face, caller: Caller) {
    let (sink, mut from_client) = socket.split();
    let outlet = Outlet::start(sink);
    let mut viewer = Viewer::new(face, caller, outlet);
    let reason = viewer.run(&mut from_client).await;
    viewer.outlet.close(reason).await;
}

/// Why a connection ends.
struct Ending {
    code: u16,
    text: &'static str,
}

impl Ending {
    const GONE: Self = Self::new(close_code::NORMAL, "");
    const STOPPING: Self = Self::new(close_code::AWAY, "the gateway is going down");
    const LOGGED_OUT: Self = Self::new(close_code::POLICY, "the session has ended");
    const NOT_TEXT: Self = Self::new(close_code::UNSUPPORTED, "send JSON text");
    const INTERNAL: Self = Self::new(close_code::ERROR, "the session could not be checked");

    const fn new(code: u16, text: &'static str) -> Self {
        Self { code, text }
    }

    fn frame(self) -> CloseFrame {
        CloseFrame {
            code: self.code,
            reason: self.text.into(),
        }
    }
}

/// What one connection listens to.
struct Feeds {
    scans: broadcast::Receiver<Arc<ScanBatch>>,
    alarms: broadcast::Receiver<Alarm>,
    commands: broadcast::Receiver<CommandRecord>,
    link: watch::Receiver<LinkStatus>,
}

struct Viewer {
    face: Face,
    caller: Caller,
    outlet: Outlet,
    followed: HashMap<Slot, PointPath>,
    /// Asked for, but not declared by any adapter yet.
    awaited: Vec<PointPath>,
    silent: u32,
}

impl Viewer {
    fn new(face: Face, caller: Caller, outlet: Outlet) -> Self {
        Self {
            face,
            caller,
            outlet,
            followed: HashMap::new(),
            awaited: Vec::new(),
            silent: 0,
        }
    }

    async fn run<S>(&mut self, from_client: &mut S) -> Ending
    where
        S: StreamExt<Item = Result<Message, axum::Error>> + Unpin,
    {
        let runtime = self.face.runtime();
        let mut feeds = Feeds {
            scans: runtime.live(),
            alarms: runtime.alarm_feed(),
            commands: runtime.command_feed(),
            link: self.face.link(),
        };
        let stop = self.face.stop();
        let recheck = self.face.accounts().recheck();
        let mut look = interval_at(Instant::now() + recheck, recheck);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.link(&feeds.link.borrow_and_update().clone());
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => Some(Ending::STOPPING),
                () = self.outlet.broken() => Some(Ending::GONE),
                () = self.outlet.room() => {
                    self.outlet.tell_of_loss();
                    None
                }
                message = from_client.next() => self.hear(message),
                _ = look.tick() => self.look().await,
                scan = feeds.scans.recv() => self.scan(scan, &mut feeds.scans),
                alarm = feeds.alarms.recv() => {
                    self.event(alarm.map(|alarm| LiveMessage::Alarm { alarm }))
                }
                command = feeds.commands.recv() => {
                    self.event(command.map(|command| LiveMessage::Command { command }))
                }
                changed = feeds.link.changed() => match changed {
                    Ok(()) => {
                        let link = feeds.link.borrow_and_update().clone();
                        self.link(&link);
                        None
                    }
                    Err(_) => Some(Ending::STOPPING),
                },
            };
            if let Some(ending) = ended {
                return ending;
            }
            if self.outlet.told_of_loss() {
                self.present_values();
            }
        }
    }

    fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Option<Ending> {
        self.silent = 0;
        match message {
            Some(Ok(Message::Text(text))) => self.request(&text),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Some(Ending::NOT_TEXT),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Some(Ending::GONE),
        }
        None
    }

    fn request(&mut self, text: &str) {
        let refused = match serde_json::from_str::<LiveRequest>(text) {
            Err(error) => format!("the message was not understood: {error}"),
            Ok(request) if request.subscribe.len() > FOLLOWED_MAX => format!(
                "{} points are too many for one connection; follow at most {FOLLOWED_MAX}",
                request.subscribe.len()
            ),
            Ok(request) => {
                self.followed.clear();
                self.awaited = request.subscribe;
                self.resolve();
                return;
            }
        };
        self.outlet
            .tell(&LiveMessage::Error { message: refused }, 1);
    }

    /// Follows what was asked for and exists, and tells the present values of what is new.
    fn resolve(&mut self) {
        let runtime = self.face.runtime();
        let mut found = Vec::new();
        self.awaited.retain(|path| match runtime.point(path) {
            Some(view) => {
                found.push(view);
                false
            }
            None => true,
        });
        for view in &found {
            self.followed.insert(view.slot, view.point.path.clone());
        }
        self.values(found.into_iter().filter_map(present).collect());
    }

    /// Everything followed, as it is now: after a loss the client must not keep an old value.
    fn present_values(&mut self) {
        let runtime = self.face.runtime();
        let views = self
            .followed
            .values()
            .filter_map(|path| runtime.point(path));
        let values = views.filter_map(present).collect();
        self.values(values);
    }

    fn scan(
        &mut self,
        scan: Result<Arc<ScanBatch>, broadcast::error::RecvError>,
        more: &mut broadcast::Receiver<Arc<ScanBatch>>,
    ) -> Option<Ending> {
        let mut values = Vec::new();
        let mut next = scan;
        loop {
            match next {
                Ok(scan) => self.pick(&scan, &mut values),
                Err(broadcast::error::RecvError::Lagged(scans)) => self.outlet.lost(scans),
                Err(broadcast::error::RecvError::Closed) => return Some(Ending::STOPPING),
            }
            if values.len() >= FOLLOWED_MAX {
                break;
            }
            next = match more.try_recv() {
                Ok(scan) => Ok(scan),
                Err(broadcast::error::TryRecvError::Lagged(n)) => {
                    Err(broadcast::error::RecvError::Lagged(n))
                }
                Err(_) => break,
            };
        }
        self.values(values);
        None
    }

    fn pick(&self, scan: &ScanBatch, values: &mut Vec<LiveValue>) {
        if self.followed.is_empty() {
            return;
        }
        for reading in &scan.readings {
            if let Some(path) = self.followed.get(&reading.slot) {
                values.push(LiveValue {
                    path: path.clone(),
                    value: reading.value.clone(),
                    quality: reading.quality,
                    at: scan.at,
                });
            }
        }
    }

    fn event(
        &mut self,
        message: Result<LiveMessage, broadcast::error::RecvError>,
    ) -> Option<Ending> {
        match message {
            Ok(message) => self.outlet.tell(&message, 1),
            Err(broadcast::error::RecvError::Lagged(n)) => self.outlet.lost(n),
            Err(broadcast::error::RecvError::Closed) => return Some(Ending::STOPPING),
        }
        None
    }

    fn link(&mut self, link: &LinkStatus) {
        let link = link.clone();
        self.outlet.tell(&LiveMessage::Link { link }, 1);
    }

    fn values(&mut self, values: Vec<LiveValue>) {
        if !values.is_empty() {
            let count = values.len() as u64;
            self.outlet.tell(&LiveMessage::Values { values }, count);
        }
    }

    /// Now and then: is the client there, is its session still good, has a point appeared?
    async fn look(&mut self) -> Option<Ending> {
        self.silent += 1;
        if self.silent > SILENT_LOOKS {
            return Some(Ending::GONE);
        }
        self.outlet.ping();
        if !self.awaited.is_empty() {
            self.resolve();
        }
        match self.face.accounts().still(&self.caller).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(Ending::LOGGED_OUT),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "could not check the session of a live view");
                Some(Ending::INTERNAL)
            }
        }
    }
}

/// The present value of a point; nothing where nothing was ever read.
fn present(view: PointView) -> Option<LiveValue> {
    Some(LiveValue {
        at: view.at?,
        path: view.point.path,
        value: view.value,
        quality: view.quality,
    })
}
