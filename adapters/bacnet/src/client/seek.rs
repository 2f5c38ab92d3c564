//! Finding an object, and its device, by name or identifier (clause 16.9).

use super::{Address, Client, Heard};
use crate::codec::ObjectId;
use crate::codec::service::WHO_HAS;
use crate::codec::service::device::{Sought, who_has};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::Instant;

/// Answers kept of one question, at most: every device may hold an analog input 1.
const MOST: usize = 10_000;

/// Who holds what was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where.
    pub from: Address,
    /// Instance of the device.
    pub device: u32,
    /// The object.
    pub object: ObjectId,
    /// Its name.
    pub name: String,
}

impl Client {
    /// Asks everybody who holds an object, and collects the answers of a time.
    ///
    /// # Errors
    /// The question could not be sent.
    pub async fn who_has(&self, sought: &Sought, time: Duration) -> std::io::Result<Vec<Holder>> {
        let mut heard = self.listen();
        self.tell_all(WHO_HAS, &who_has(None, sought)).await?;
        let until = Instant::now() + time;
        let mut holders: Vec<Holder> = Vec::new();
        while holders.len() < MOST {
            match tokio::time::timeout_at(until, heard.recv()).await {
                Ok(Ok(Heard::Object(from, device, object, name))) => {
                    let fits = match sought {
                        Sought::Object(wanted) => *wanted == object,
                        Sought::Name(wanted) => *wanted == name,
                    };
                    let holder = Holder {
                        from,
                        device,
                        object,
                        name,
                    };
                    // Who hears two forms of broadcast answers twice.
                    if fits && !holders.contains(&holder) {
                        holders.push(holder);
                    }
                }
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => break,
            }
        }
        Ok(holders)
    }
}
