//! What a device is asked, as each version wants it. Keys stand in the order the vendor's own
//! application sends them in, without white space: some firmware takes nothing else.

use super::Version;
use super::command;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A request before it is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Command.
    pub command: u32,
    /// JSON, or nothing.
    pub text: String,
}

/// Whom a request is for: the device's id, and the node behind it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Version both ends speak.
    pub version: Version,
    /// Id of the device that is connected.
    pub id: &'a str,
    /// Node of the sub-device behind it.
    pub node: Option<&'a str>,
    /// Seconds since 1970.
    pub now: i64,
}

impl Target<'_> {
    /// All data points.
    #[must_use]
    pub fn query(&self) -> Request {
        let (id, now) = (self.id, self.now);
        let text = match (self.version.negotiates(), self.node) {
            (true, None) => "{}".to_owned(),
            (true, Some(node)) => format!(r#"{{"cid":"{node}"}}"#),
            (false, Some(node)) => format!(r#"{{"t":{now},"cid":"{node}"}}"#),
            (false, None) => {
                format!(r#"{{"gwId":"{id}","devId":"{id}","uid":"{id}","t":"{now}"}}"#)
            }
        };
        let command = if self.version.negotiates() {
            command::QUERY_NEW
        } else {
            command::QUERY
        };
        Request { command, text }
    }

    /// Data points by name, for devices that give none otherwise.
    #[must_use]
    pub fn query_named(&self, points: &BTreeSet<u16>) -> Request {
        let dps: Vec<String> = points.iter().map(|p| format!(r#""{p}":null"#)).collect();
        let text = self.control_text(&format!("{{{}}}", dps.join(",")));
        Request {
            command: command::CONTROL_NEW,
            text,
        }
    }

    /// Sets one data point.
    #[must_use]
    pub fn control(&self, point: u16, value: &Json) -> Request {
        let text = self.control_text(&format!(r#"{{"{point}":{value}}}"#));
        let command = if self.version.negotiates() {
            command::CONTROL_NEW
        } else {
            command::CONTROL
        };
        Request { command, text }
    }

    fn control_text(&self, dps: &str) -> String {
        let (id, now) = (self.id, self.now);
        match (self.version.negotiates(), self.node) {
            (true, None) => format!(r#"{{"protocol":5,"t":{now},"data":{{"dps":{dps}}}}}"#),
            (true, Some(node)) => {
                format!(
                    r#"{{"protocol":5,"t":{now},"data":{{"cid":"{node}","ctype":0,"dps":{dps}}},"cid":"{node}"}}"#
                )
            }
            (false, Some(node)) => format!(r#"{{"t":{now},"cid":"{node}","dps":{dps}}}"#),
            (false, None) => format!(r#"{{"devId":"{id}","uid":"{id}","t":"{now}","dps":{dps}}}"#),
        }
    }

    /// A sign of life.
    #[must_use]
    pub fn heartbeat(&self) -> Request {
        let id = self.id;
        Request {
            command: command::HEARTBEAT,
            text: format!(r#"{{"gwId":"{id}","devId":"{id}"}}"#),
        }
    }

    /// Data points to be measured anew.
    #[must_use]
    pub fn refresh(&self, points: &[u16]) -> Request {
        let list: Vec<String> = points.iter().map(u16::to_string).collect();
        Request {
            command: command::REFRESH,
            text: format!(r#"{{"dpId":[{}]}}"#, list.join(",")),
        }
    }

    /// Which sub-devices a gateway reaches.
    #[must_use]
    pub fn sub_devices(&self) -> Request {
        let text = r#"{"reqType":"subdev_online_stat_query","data":{}}"#.to_owned();
        Request {
            command: command::SUB_DEVICES,
            text,
        }
    }
}
