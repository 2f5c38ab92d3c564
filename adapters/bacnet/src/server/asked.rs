//! What comes in: which service it is, and who works on it. Owns how many requests are worked on at
//! once, and that one asked again while it is worked on is not done twice.

use super::answer::{self, Asker, Outcome, Said};
use super::cov::{FIRST, Subscriber};
use super::face::{Ended, Face};
use super::parts::Taken;
use super::read::{self, UNKNOWN_OBJECT};
use super::{device, write};
use crate::client::{Address, Inbound};
use crate::codec::service::cov::Subscribe;
use crate::codec::service::device::{Sought, decode_who_has, decode_who_is, i_have};
use crate::codec::service::error::{OUT_OF_RESOURCES, UNRECOGNISED_SERVICE, code};
use crate::codec::service::{self, Refusal};
use crate::codec::{Apdu, ObjectId, Segment};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Requests that may be worked on at once: writes under way, and answers going out in parts.
const WORKING: usize = 256;

impl Face {
    /// Takes what somebody sent.
    pub(crate) async fn inbound(&mut self, inbound: Inbound) {
        let Inbound { from, apdu } = inbound;
        match Apdu::decode(&apdu) {
            Ok(Apdu::Unconfirmed { service, body }) => self.heard(from, service, body).await,
            Ok(Apdu::Confirmed {
                segment,
                takes,
                invoke,
                service,
                body,
            }) => {
                let asker = Asker {
                    from,
                    invoke,
                    service,
                    takes,
                };
                match segment {
                    None => self.asked(asker, body).await,
                    Some(part) => self.part(asker, part, body).await,
                }
            }
            Ok(Apdu::SegmentAck {
                invoke,
                number,
                window,
                ..
            }) => self.said(from, invoke, Said::Parts { number, window }),
            Ok(Apdu::Abort { invoke, .. }) => {
                self.parts.end(&from, invoke);
                self.said(from, invoke, Said::Enough);
            }
            // The rest answers something, and is not handed over.
            Ok(_) | Err(_) => {}
        }
    }

    fn said(&self, from: Address, invoke: u8, said: Said) {
        if let Some(sender) = self.working.get(&(from, invoke)) {
            // A second one before the first was taken says the same again.
            let _full = sender.try_send(said);
        }
    }

    async fn heard(&mut self, from: Address, service: u8, body: &[u8]) {
        let own = self.config.device.instance;
        let meant = |range: Option<(u32, u32)>| range.is_none_or(|(a, b)| (a..=b).contains(&own));
        // What this gateway asks as a client comes back from the broadcast address.
        if Some(from.ip) == self.client.local() {
            return;
        }
        let (service, body) = match service {
            service::WHO_IS => match decode_who_is(body) {
                Ok(range) if meant(range) => {
                    let i_am = device::i_am(own, self.config.device.vendor);
                    (service::I_AM, i_am.encoded())
                }
                _ => return,
            },
            service::WHO_HAS => match decode_who_has(body) {
                Ok((range, sought)) if meant(range) => match self.sought(&sought) {
                    Some((id, name)) => (service::I_HAVE, i_have(ObjectId::device(own), id, &name)),
                    None => return,
                },
                _ => return,
            },
            _ => return,
        };
        self.answered += 1;
        if let Err(error) = self.client.tell(&from, service, &body).await {
            tracing::debug!(%error, to = %from, "answering");
        }
    }

    fn sought(&self, sought: &Sought) -> Option<(ObjectId, String)> {
        let device = &self.config.device;
        let own = ObjectId::device(device.instance);
        let found = match sought {
            Sought::Object(id) if *id == own => return Some((own, device.name.clone())),
            Sought::Name(name) if *name == device.name => return Some((own, name.clone())),
            Sought::Object(id) => self.objects.find(*id),
            Sought::Name(name) => self.objects.named(name),
        };
        found.map(|object| (object.id, object.name.clone()))
    }

    async fn part(&mut self, asker: Asker, part: Segment, body: &[u8]) {
        let acknowledge = |negative, number, window| Apdu::SegmentAck {
            negative,
            server: true,
            invoke: asker.invoke,
            number,
            window,
        };
        match self.parts.take(&asker, part, body, Instant::now()) {
            Taken::Nothing => {}
            Taken::Acknowledge {
                negative,
                number,
                window,
            } => {
                let apdu = acknowledge(negative, number, window);
                answer::put(&self.client, &asker.from, &apdu).await;
            }
            Taken::Whole {
                number,
                window,
                body,
            } => {
                let apdu = acknowledge(false, number, window);
                answer::put(&self.client, &asker.from, &apdu).await;
                self.asked(asker, &body).await;
            }
            Taken::GiveUp(reason) => {
                let refused = Outcome::Refused(Refusal::Abort(reason));
                answer::send(&self.client, &asker, &refused).await;
            }
        }
    }

    async fn asked(&mut self, asker: Asker, body: &[u8]) {
        // Asked again while it is worked on.
        if self
            .working
            .contains_key(&(asker.from.clone(), asker.invoke))
        {
            return;
        }
        self.answered += 1;
        let outcome = match asker.service {
            service::READ_PROPERTY => read::one(&mut self.look(), body).into(),
            service::READ_PROPERTY_MULTIPLE => {
                read::many(&mut self.look(), body, asker.room()).into()
            }
            service::SUBSCRIBE_COV => return self.subscribe(asker, body).await,
            service::WRITE_PROPERTY | service::WRITE_PROPERTY_MULTIPLE => {
                match self.writes(&asker, body) {
                    Ok(writes) => return self.write(asker, writes).await,
                    Err(refusal) => Outcome::Refused(refusal),
                }
            }
            _ => Outcome::Refused(Refusal::Reject(UNRECOGNISED_SERVICE)),
        };
        self.answer(asker, outcome).await;
    }

    async fn answer(&mut self, asker: Asker, outcome: Outcome) {
        let room = asker.room();
        let outcome = match outcome {
            Outcome::Octets(body) if body.len() > room.octets => Outcome::Refused(room.beyond),
            Outcome::Octets(body) if !asker.fits(body.len()) => {
                let Some(said) = self.begin_work(&asker).await else {
                    return;
                };
                let client = self.client.clone();
                self.tasks.spawn(async move {
                    answer::in_parts(&client, &asker, &body, said).await;
                    Ended::Answered(asker.from, asker.invoke)
                });
                return;
            }
            outcome => outcome,
        };
        answer::send(&self.client, &asker, &outcome).await;
    }

    async fn write(&mut self, asker: Asker, writes: write::Writes) {
        if self.begin_work(&asker).await.is_none() {
            return;
        }
        let (client, building) = (self.client.clone(), self.building.clone());
        self.tasks.spawn(async move {
            let outcome = write::carry_out(building, &asker, writes).await;
            answer::send(&client, &asker, &outcome).await;
            Ended::Answered(asker.from, asker.invoke)
        });
    }

    /// Notes that a request is worked on; tells the asker where too many are.
    async fn begin_work(&mut self, asker: &Asker) -> Option<mpsc::Receiver<Said>> {
        if self.working.len() >= WORKING {
            let refused = Outcome::Refused(Refusal::Abort(OUT_OF_RESOURCES));
            answer::send(&self.client, asker, &refused).await;
            return None;
        }
        let (say, said) = mpsc::channel(4);
        self.working.insert((asker.from.clone(), asker.invoke), say);
        Some(said)
    }

    async fn subscribe(&mut self, asker: Asker, body: &[u8]) {
        let outcome = match self.subscribed(&asker, body) {
            Ok(id) => {
                // The first notification says how things are now.
                self.tasks.spawn(async move {
                    tokio::time::sleep(FIRST).await;
                    Ended::Subscribed(id)
                });
                Outcome::Done
            }
            Err(refusal) => Outcome::Refused(refusal),
        };
        answer::send(&self.client, &asker, &outcome).await;
    }

    fn subscribed(&mut self, asker: &Asker, body: &[u8]) -> Result<ObjectId, Refusal> {
        let wanted = Subscribe::decode(body).map_err(Refusal::of_request)?;
        let id = wanted.object;
        let who = Subscriber {
            from: asker.from.clone(),
            process: wanted.process,
            object: id,
        };
        let Some((confirmed, seconds)) = wanted.terms else {
            self.subscriptions.cancel(&who);
            return Ok(id);
        };
        if self.look().is_device(id) {
            return Err(Refusal::Error {
                class: code::OBJECT,
                code: code::NOT_SUPPORTED,
            });
        }
        self.objects.find(id).ok_or(UNKNOWN_OBJECT)?;
        let now = Instant::now();
        self.subscriptions.subscribe(who, confirmed, seconds, now)?;
        Ok(id)
    }
}
