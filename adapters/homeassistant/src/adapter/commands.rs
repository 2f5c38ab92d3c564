//! Commands: what becomes a service call, and what is refused before.

use super::Work;
use crate::client::Session;
use crate::client::socket::Lost;
use crate::mapping;
use riser_adapter::{AdapterCommand, WriteResult};
use serde_json::json;

impl Work {
    pub(super) async fn write(
        &mut self,
        session: &mut Session,
        command: AdapterCommand,
    ) -> Result<(), Lost> {
        let refuse = |command: AdapterCommand, why: String| {
            let _ = command.reply.send(WriteResult::Refused(why));
        };
        let Some(entry) = self.book.at(command.slot) else {
            let why = "there is no such point; the entity is gone from Home Assistant";
            refuse(command, why.to_owned());
            return Ok(());
        };
        let Some(value) = command.value.clone() else {
            let why = "Home Assistant has no levels to release; write the value it is to have";
            refuse(command, why.to_owned());
            return Ok(());
        };
        if self.writes.is_full() {
            let why = "too many writes are under way; try again when they are done";
            let _ = command.reply.send(WriteResult::Failed(why.to_owned()));
            return Ok(());
        }
        let call = match mapping::call(&entry.plan, &entry.entity, &value) {
            Ok(call) => call,
            Err(why) => {
                refuse(command, why);
                return Ok(());
            }
        };
        let body = json!({"domain": call.domain, "service": call.service,
            "service_data": call.data, "target": {"entity_id": entry.entity}});
        let body = body.as_object().cloned().unwrap_or_default();
        let id = session.ask("call_service", body).await?;
        self.writes.begun(id, (entry, value), command.reply);
        Ok(())
    }
}
