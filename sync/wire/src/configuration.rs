//! Requests for another configuration on the wire, both ways.

use crate::from_proto::uuid;
use crate::message::ConfigurationRequest;
use crate::{WireError, proto};
use proto::configuration_request::Ask;
use riser_model::{ConfigurationAsk, Timestamp};

impl From<ConfigurationRequest> for proto::ConfigurationRequest {
    fn from(request: ConfigurationRequest) -> Self {
        let ask = match request.ask {
            ConfigurationAsk::Apply {
                document,
                confirm_seconds,
                note,
            } => Some(Ask::Apply(proto::ConfigurationApply {
                document,
                confirm_seconds,
                note,
            })),
            ConfigurationAsk::Confirm { version } => {
                Some(Ask::Confirm(proto::ConfigurationConfirm { version }))
            }
            ConfigurationAsk::Revert {
                version,
                reason,
                confirm_seconds,
            } => Some(Ask::Revert(proto::ConfigurationRevert {
                version,
                reason,
                confirm_seconds,
            })),
            // Only changes are asked for from afar; the other side does not understand the rest.
            ConfigurationAsk::Check { .. }
            | ConfigurationAsk::Preview { .. }
            | ConfigurationAsk::Show { .. }
            | ConfigurationAsk::Compare { .. } => None,
        };
        Self {
            request: request.request.as_bytes().to_vec(),
            author: Some((&request.author).into()),
            expires_at: request.expires_at.0,
            ask,
        }
    }
}

impl TryFrom<proto::ConfigurationRequest> for ConfigurationRequest {
    type Error = WireError;
    fn try_from(wire: proto::ConfigurationRequest) -> Result<Self, WireError> {
        let ask = match wire.ask.ok_or(WireError::Unknown {
            what: "request for a configuration",
            code: 0,
        })? {
            Ask::Apply(apply) => ConfigurationAsk::Apply {
                document: apply.document,
                confirm_seconds: apply.confirm_seconds,
                note: apply.note,
            },
            Ask::Confirm(confirm) => ConfigurationAsk::Confirm {
                version: confirm.version,
            },
            Ask::Revert(revert) => ConfigurationAsk::Revert {
                version: revert.version,
                reason: revert.reason,
                confirm_seconds: revert.confirm_seconds,
            },
        };
        Ok(Self {
            request: uuid(&wire.request)?,
            author: wire
                .author
                .ok_or(WireError::Truncated("request for a configuration"))?
                .try_into()?,
            expires_at: Timestamp(wire.expires_at),
            ask,
            // Beside the request, in the message around it.
            from: None,
        })
    }
}
