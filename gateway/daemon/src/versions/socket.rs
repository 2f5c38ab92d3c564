//! The way in from the console: a socket in the data folder only its owner may open. Owns the talk on
//! it: one line of JSON each way. It also says which configuration runs, whole: who may open the socket
//! may open the store.

use riser_api::ConfigurationDesk;
use riser_model::configuration::DOCUMENT_MAX;
use riser_model::{
    ConfigurationAsk, ConfigurationRefusal, ConfigurationReply, ConfigurationVersion,
};
use riser_store::Trace;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const NAME: &str = "console.sock";
/// Longest line: a document in which every octet is escaped.
const LINE_MAX: u64 = 6 * DOCUMENT_MAX as u64 + 4_096;
/// Consoles served at once.
const AT_ONCE: usize = 4;
/// How long a question may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question.
#[derive(Serialize, Deserialize)]
struct Question {
    /// Who sits there, as the console says; who may open the socket is settled by the file.
    person: String,
    #[serde(flatten)]
    ask: Ask,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Ask {
    Configuration(ConfigurationAsk),
    Own(OwnAsk),
}

/// What only a console may ask.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
enum OwnAsk {
    /// Which configuration runs, secrets and all.
    Running,
}

/// The configuration that runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) version: ConfigurationVersion,
    /// TOML, as it is kept.
    pub(crate) document: String,
}

/// An answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Box<ConfigurationReply>),
    Refused(ConfigurationRefusal),
    Running(Box<Running>),
}

/// The socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsoleError {
    /// Nobody listens.
    #[error(
        "riserd does not answer on {}: start it first, or change its file while it is stopped",
        path.display()
    )]
    Away {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It did not make sense.
    #[error("riserd answered something that is not understood; are both of the same version?")]
    Garbled,
    /// It was not done.
    #[error("{0}")]
    Refused(String),
}

/// Listens until dropped. Without a socket the gateway works all the same.
pub(crate) fn listen(
    data_dir: &Path,
    desk: ConfigurationDesk,
    running: watch::Receiver<Running>,
) -> Option<JoinHandle<()>> {
    let path = data_dir.join(NAME);
    let open = || -> std::io::Result<UnixListener> {
        // Left by one that was cut off; the lock of the store says that no other one runs here.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    match open() {
        Ok(listener) => Some(tokio::spawn(serve(listener, desk, running))),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(),
                "'riserd config' cannot be used: its socket could not be opened");
            None
        }
    }
}

async fn serve(listener: UnixListener, desk: ConfigurationDesk, running: watch::Receiver<Running>) {
    static TALKS: Semaphore = Semaphore::const_new(AT_ONCE);
    loop {
        let Ok(permit) = TALKS.acquire().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (desk, running) = (desk.clone(), running.clone());
                tokio::spawn(async move {
                    if let Err(error) = talk(stream, desk, running).await {
                        tracing::debug!(%error, "a console left");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a console could not be let in");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn talk(
    mut stream: UnixStream,
    desk: ConfigurationDesk,
    running: watch::Receiver<Running>,
) -> std::io::Result<()> {
    let mut line = String::new();
    let (reading, mut writing) = stream.split();
    let mut reading = tokio::io::BufReader::new(reading.take(LINE_MAX));
    timeout(PATIENCE, reading.read_line(&mut line)).await??;
    let question: Question = serde_json::from_str(&line)?;
    let reply = match question.ask {
        Ask::Own(OwnAsk::Running) => Reply::Running(Box::new(running.borrow().clone())),
        Ask::Configuration(ask) => {
            let by = Trace::new(question.person, "console");
            match desk.ask(ask, by, None).await {
                Ok(done) => Reply::Done(Box::new(done)),
                Err(refused) => Reply::Refused(refused),
            }
        }
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    writing.write_all(text.as_bytes()).await
}

/// Asks a running daemon; it may take as long as adapters take to restart.
pub(super) fn ask(
    data_dir: &Path,
    ask: ConfigurationAsk,
) -> Result<ConfigurationReply, ConsoleError> {
    match exchange(data_dir, Ask::Configuration(ask), None)? {
        Reply::Done(reply) => Ok(*reply),
        Reply::Refused(refused) => Err(ConsoleError::Refused(refused.message)),
        Reply::Running(_) => Err(ConsoleError::Garbled),
    }
}

/// Asks a running daemon what it runs.
pub(super) fn running(data_dir: &Path) -> Result<Running, ConsoleError> {
    match exchange(data_dir, Ask::Own(OwnAsk::Running), Some(PATIENCE))? {
        Reply::Running(running) => Ok(*running),
        Reply::Done(_) | Reply::Refused(_) => Err(ConsoleError::Garbled),
    }
}

fn exchange(data_dir: &Path, ask: Ask, patience: Option<Duration>) -> Result<Reply, ConsoleError> {
    let path = data_dir.join(NAME);
    let away = |source| ConsoleError::Away {
        path: path.clone(),
        source,
    };
    let mut stream = std::os::unix::net::UnixStream::connect(&path).map_err(away)?;
    stream.set_read_timeout(patience).map_err(away)?;
    let question = Question {
        person: crate::deeds::person(),
        ask,
    };
    let mut text = serde_json::to_string(&question).map_err(|_| ConsoleError::Garbled)?;
    text.push('\n');
    stream.write_all(text.as_bytes()).map_err(away)?;
    let mut line = String::new();
    let mut reading = BufReader::new(stream);
    reading.read_line(&mut line).map_err(away)?;
    serde_json::from_str(&line).map_err(|_| ConsoleError::Garbled)
}
