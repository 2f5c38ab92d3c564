//! A TCP proxy whose cable can be pulled or whose octets can vanish.

use std::net::SocketAddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Net {
    /// Everything passes.
    Up,
    /// Connections are reset and new ones closed at once.
    Down,
    /// Connections stay, nothing passes: a half-open link.
    Hole,
}

/// A running proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    net: watch::Sender<Net>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (net, state) = watch::channel(Net::Up);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, state.clone()));
            }
        });
        Self { port, net, task }
    }

    pub(crate) fn set(&self, net: Net) {
        self.net.send_replace(net);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<Net>) {
    if *state.borrow_and_update() == Net::Down {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    loop {
        let hole = *state.borrow_and_update() == Net::Hole;
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server), if !hole => return,
            changed = state.changed() => {
                if changed.is_err() || *state.borrow() == Net::Down {
                    return;
                }
            }
        }
    }
}
