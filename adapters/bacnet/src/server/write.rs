//! Writing properties, one or many at once (clauses 15.9 and 15.10). Owns who may write what, and
//! which error each refusal becomes. A write is held at its level in the gateway's own priority array
//! until the same level is written again or released.

use super::answer::{Asker, Outcome};
use super::face::Face;
use super::properties::{has, is_array, of_property};
use super::read::UNKNOWN_OBJECT;
use super::{device, present};
use crate::codec::service::error::{MISSING_PARAMETER, code};
use crate::codec::service::property::{Reference, Write, decode_write_many, single};
use crate::codec::service::{Refusal, WRITE_PROPERTY_MULTIPLE};
use crate::codec::{Datum, PropertyId};
use riser_adapter::Building;
use riser_model::{CommandRecord, CommandState, PointPath, Priority, Value};
use std::time::Duration;
use tokio::time::Instant;

/// The level of a write that names none.
const LOWEST: u8 = 16;
/// The level the standard keeps for the minimum on and off times of an object (clause 19.2.3).
const MINIMUM_TIMES: u8 = 6;
/// How long an asker is kept waiting for what comes of its writes: it asks again after 3 s.
const WAIT: Duration = Duration::from_millis(2500);

const DENIED: Refusal = of_property(code::WRITE_ACCESS_DENIED);

/// A write that may be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Allowed {
    path: PointPath,
    value: Option<Value>,
    priority: Priority,
}

/// Writes in order, each with why it may not be done, if so.
pub(crate) type Writes = Vec<(Reference, Result<Allowed, Refusal>)>;

impl Face {
    /// Reads and checks what somebody wants written.
    pub(crate) fn writes(&mut self, asker: &Asker, body: &[u8]) -> Result<Writes, Refusal> {
        let writes = match asker.service {
            WRITE_PROPERTY_MULTIPLE => decode_write_many(body),
            _ => Write::decode(body).map(|write| vec![write]),
        };
        let writes = writes.map_err(Refusal::of_request)?;
        if writes.is_empty() {
            return Err(Refusal::Reject(MISSING_PARAMETER));
        }
        let checked = writes.into_iter().map(|write| {
            let allowed = self.allowed(asker, &write);
            (write.reference, allowed)
        });
        Ok(checked.collect())
    }

    fn allowed(&mut self, asker: &Asker, write: &Write) -> Result<Allowed, Refusal> {
        let Reference {
            object: id,
            property,
            index,
        } = write.reference;
        if self.look().is_device(id) {
            let there = device::has(property);
            return Err(denied(there, is_array(property), index));
        }
        let object = self.objects.find(id).ok_or(UNKNOWN_OBJECT)?.clone();
        let may = self.config.device.may_write(*asker.from.ip.ip());
        let priority = write.priority.unwrap_or(LOWEST);
        if property != PropertyId::PRESENT_VALUE || index.is_some() {
            return Err(denied(has(&object, property), is_array(property), index));
        }
        if !object.commandable || !may || priority == MINIMUM_TIMES {
            return Err(DENIED);
        }
        let wrong_type = of_property(code::INVALID_DATA_TYPE);
        let value = match single(&write.value) {
            Ok(Datum::Null) => None,
            Ok(datum) => Some(present::value(&object, &datum)?),
            Err(_) => return Err(wrong_type),
        };
        let view = self.building.points.point(object.slot);
        let view = view.ok_or(UNKNOWN_OBJECT)?;
        if let Some(value) = &value {
            let checked = view.point.check_write(value);
            checked.map_err(|_| of_property(code::VALUE_OUT_OF_RANGE))?;
        }
        // What it shows before the first level is held is what it goes back to.
        if let Some(now) = view.value
            && self.building.writes.levels(&object.path).is_empty()
        {
            self.resting.insert(object.id, now);
        }
        Ok(Allowed {
            path: object.path.clone(),
            value,
            priority: Priority::new(priority).ok_or(wrong_type)?,
        })
    }
}

/// Why something that is no commanded value is not written.
fn denied(there: bool, array: bool, index: Option<u32>) -> Refusal {
    match (there, index) {
        (false, _) => of_property(code::UNKNOWN_PROPERTY),
        (true, Some(_)) if !array => of_property(code::NOT_AN_ARRAY),
        (true, _) => DENIED,
    }
}

/// Does the writes one after another, and says what came of them. The first that is not done ends it.
pub(crate) async fn carry_out(building: Building, asker: &Asker, writes: Writes) -> Outcome {
    let until = Instant::now() + WAIT;
    let by = format!("bacnet {}", asker.from);
    for (reference, allowed) in writes {
        let done = match allowed {
            Ok(write) => one(&building, write, by.clone(), until).await,
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = done {
            return match asker.service {
                WRITE_PROPERTY_MULTIPLE => Outcome::NotWritten(refusal, reference),
                _ => Outcome::Refused(refusal),
            };
        }
    }
    Outcome::Done
}

async fn one(
    building: &Building,
    write: Allowed,
    by: String,
    until: Instant,
) -> Result<(), Refusal> {
    let Allowed {
        path,
        value,
        priority,
    } = write;
    let written = building.writes.write(path, value, priority, by);
    // Of its own, so that it goes on when it takes longer than the asker waits.
    let written = tokio::spawn(written);
    match tokio::time::timeout_at(until, written).await {
        Ok(Ok(record)) => came_of(&record),
        Ok(Err(_)) => Err(TROUBLE),
        // Held at its level, and the device has not answered yet.
        Err(_) => Ok(()),
    }
}

const TROUBLE: Refusal = Refusal::Error {
    class: code::DEVICE,
    code: code::OPERATIONAL_PROBLEM,
};

/// What a command that ended so is answered with. One that is held under a higher level is done, as
/// it is in any device.
fn came_of(record: &CommandRecord) -> Result<(), Refusal> {
    let outcome = &record.outcome;
    match outcome.state {
        CommandState::Requested
        | CommandState::Sent
        | CommandState::Applied
        | CommandState::AcceptedNotEffective => Ok(()),
        CommandState::Refused => {
            let why = &outcome.detail;
            tracing::info!(point = %record.command.path, why, "a write by BACnet was refused");
            Err(DENIED)
        }
        CommandState::Expired | CommandState::Failed => Err(TROUBLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Address, parse_ip};
    use crate::codec::service::WRITE_PROPERTY;
    use crate::codec::{ObjectId, ObjectType, Takes};
    use futures_util::future::BoxFuture;
    use riser_adapter::{HeldLevel, PointWriter};
    use riser_adapter_testkit::BuildingInMemory;
    use riser_model::{Author, AuthorKind, Command, CommandId, Outcome as Came, Timestamp};
    use std::sync::Arc;

    /// Ends every write so, or never.
    struct Ends(Option<CommandState>);

    impl PointWriter for Ends {
        fn write(
            &self,
            path: PointPath,
            value: Option<Value>,
            priority: Priority,
            by: String,
        ) -> BoxFuture<'static, CommandRecord> {
            let Some(state) = self.0 else {
                return Box::pin(std::future::pending());
            };
            let id: CommandId =
                serde_json::from_str("\"00000000-0000-0000-0000-000000000000\"").unwrap();
            let command = Command {
                id,
                path,
                value,
                priority,
                issued_at: Timestamp(0),
                expires_at: Timestamp(0),
                hold_until: None,
                author: Author {
                    kind: AuthorKind::System,
                    name: by,
                },
            };
            let outcome = Came {
                command: id,
                state,
                at: Timestamp(0),
                detail: "as the test says".to_owned(),
                read_back: None,
                held_by: None,
            };
            Box::pin(async move { CommandRecord { command, outcome } })
        }

        fn levels(&self, _path: &PointPath) -> Vec<HeldLevel> {
            Vec::new()
        }
    }

    async fn written(ends: Option<CommandState>) -> Outcome {
        let building = Building {
            points: Arc::new(BuildingInMemory::default()),
            writes: Arc::new(Ends(ends)),
        };
        let asker = Asker {
            from: Address::local(parse_ip("192.0.2.1").unwrap()),
            invoke: 1,
            service: WRITE_PROPERTY,
            takes: Takes::EVERYTHING,
        };
        let id = ObjectId::new(ObjectType::ANALOG_VALUE, 1);
        let reference = Reference::new(id, PropertyId::PRESENT_VALUE);
        let allowed = Allowed {
            path: "a/b".parse().unwrap(),
            value: Some(Value::Float(1.0)),
            priority: Priority::MANUAL_OPERATOR,
        };
        carry_out(building, &asker, vec![(reference, Ok(allowed))]).await
    }

    #[tokio::test]
    async fn every_end_of_a_command_has_its_answer() {
        for (state, answer) in [
            (CommandState::Applied, Outcome::Done),
            (CommandState::Sent, Outcome::Done),
            (CommandState::AcceptedNotEffective, Outcome::Done),
            (CommandState::Refused, Outcome::Refused(DENIED)),
            (CommandState::Expired, Outcome::Refused(TROUBLE)),
            (CommandState::Failed, Outcome::Refused(TROUBLE)),
        ] {
            assert_eq!(written(Some(state)).await, answer, "{state:?}");
        }
    }

    #[tokio::test]
    async fn an_asker_does_not_wait_for_a_device_that_takes_long() {
        let began = Instant::now();
        assert_eq!(written(None).await, Outcome::Done);
        assert!(began.elapsed() >= WAIT);
    }
}
