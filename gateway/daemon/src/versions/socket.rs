//! The way in from the console: a socket in the data folder only its owner may open. Owns the talk on
//! it: one line of JSON each way.

use riser_api::ConfigurationDesk;
use riser_model::configuration::DOCUMENT_MAX;
use riser_model::{ConfigurationAsk, ConfigurationRefusal, ConfigurationReply};
use riser_store::Trace;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
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
    ask: ConfigurationAsk,
}

/// An answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Done(Box<ConfigurationReply>),
    Refused(ConfigurationRefusal),
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
pub(crate) fn listen(data_dir: &Path, desk: ConfigurationDesk) -> Option<JoinHandle<()>> {
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
        Ok(listener) => Some(tokio::spawn(serve(listener, desk))),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(),
                "'riserd config' cannot be used: its socket could not be opened");
            None
        }
    }
}

async fn serve(listener: UnixListener, desk: ConfigurationDesk) {
    static TALKS: Semaphore = Semaphore::const_new(AT_ONCE);
    loop {
        let Ok(permit) = TALKS.acquire().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    if let Err(error) = talk(stream, desk).await {
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

async fn talk(mut stream: UnixStream, desk: ConfigurationDesk) -> std::io::Result<()> {
    let mut line = String::new();
    let (reading, mut writing) = stream.split();
    let mut reading = tokio::io::BufReader::new(reading.take(LINE_MAX));
    timeout(PATIENCE, reading.read_line(&mut line)).await??;
    let question: Question = serde_json::from_str(&line)?;
    let by = Trace::new(question.person, "console");
    let reply = match desk.ask(question.ask, by, None).await {
        Ok(done) => Reply::Done(Box::new(done)),
        Err(refused) => Reply::Refused(refused),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    writing.write_all(text.as_bytes()).await
}

/// Asks a running daemon.
pub(super) fn ask(
    data_dir: &Path,
    ask: ConfigurationAsk,
) -> Result<ConfigurationReply, ConsoleError> {
    let path = data_dir.join(NAME);
    let away = |source| ConsoleError::Away {
        path: path.clone(),
        source,
    };
    let mut stream = std::os::unix::net::UnixStream::connect(&path).map_err(away)?;
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
    match serde_json::from_str(&line).map_err(|_| ConsoleError::Garbled)? {
        Reply::Done(reply) => Ok(*reply),
        Reply::Refused(refused) => Err(ConsoleError::Refused(refused.message)),
    }
}
