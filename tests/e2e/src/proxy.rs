//! A TCP proxy that can spoil the connections through it, at run time and without touching either
//! side. Owns the ways a link goes bad in the field: cut, black hole, refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Open connections are reset, new ones refused.
    Cut,
    /// Connections stay open and nothing passes.
    BlackHole,
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Port to connect to, on 127.0.0.1.
    pub port: u16,
    mode: watch::Sender<Mode>,
    octets: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port and passes on to `127.0.0.1:target`.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port on loopback");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let (mode, seen) = watch::channel(Mode::Pass);
        let octets = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&octets);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, target, seen.clone(), Arc::clone(&counter)));
            }
        });
        Self {
            port,
            mode,
            octets,
            task,
        }
    }

    /// Changes what the link does, for open connections too.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Octets passed from the near to the far side so far.
    #[must_use]
    pub fn octets_up(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(
    near: TcpStream,
    target: u16,
    mut mode: watch::Receiver<Mode>,
    octets: Arc<AtomicU64>,
) {
    // A closed socket with unread input is reset, which is what a cut looks like.
    if *mode.borrow() == Mode::Cut {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let watcher = mode.clone();
    let cut = async { mode.wait_for(|m| *m == Mode::Cut).await.map(drop) };
    tokio::select! {
        _ = cut => {}
        () = pump(near_read, far_write, watcher.clone(), Some(octets)) => {}
        () = pump(far_read, near_write, watcher, None) => {}
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
    octets: Option<Arc<AtomicU64>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if mode.wait_for(|m| *m != Mode::BlackHole).await.is_err() {
            return;
        }
        if let Some(octets) = &octets {
            octets.fetch_add(read as u64, Ordering::Relaxed);
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
