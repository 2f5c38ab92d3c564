//! Names of objects and properties: the numbers of the standard with their written names
//! (clause 21). Owns both directions; a number without a name is written as the number.

use super::tag::DecodeError;
use std::fmt;

/// Instance that stands for "whichever device this is" in a device's own name.
pub const ANY_INSTANCE: u32 = 4_194_303;

/// Type and instance of an object, 10 and 22 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(u32);

impl ObjectId {
    /// Cuts both to what fits.
    #[must_use]
    pub const fn new(kind: ObjectType, instance: u32) -> Self {
        Self(((kind.0 as u32 & 0x3FF) << 22) | (instance & ANY_INSTANCE))
    }

    /// A device by its instance.
    #[must_use]
    pub const fn device(instance: u32) -> Self {
        Self::new(ObjectType::DEVICE, instance)
    }

    /// Its type.
    #[must_use]
    pub fn kind(self) -> ObjectType {
        ObjectType(u16::try_from(self.0 >> 22).unwrap_or(u16::MAX))
    }

    /// Its number among its type.
    #[must_use]
    pub fn instance(self) -> u32 {
        self.0 & ANY_INSTANCE
    }

    /// Four octets.
    pub fn decode(content: &[u8]) -> Result<Self, DecodeError> {
        let octets = content
            .try_into()
            .map_err(|_| DecodeError::Invalid("an object identifier"))?;
        Ok(Self(u32::from_be_bytes(octets)))
    }

    /// Four octets.
    #[must_use]
    pub fn octets(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Reads `analog-input:1`, `ai:1`, `ai,1` or `0:1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, instance) = text.split_once([':', ','])?;
        let instance: u32 = instance.trim().parse().ok()?;
        (instance <= ANY_INSTANCE).then_some(Self::new(ObjectType::parse(kind.trim())?, instance))
    }

    /// Short name, fit for a key: `ai-1`.
    #[must_use]
    pub fn key(self) -> String {
        match ABBREVIATIONS
            .iter()
            .find(|(kind, _)| *kind == self.kind().0)
        {
            Some((_, short)) => format!("{short}-{}", self.instance()),
            None => format!("{}-{}", self.kind(), self.instance()),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.instance())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Type of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectType(pub u16);

/// A property.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PropertyId(pub u32);

macro_rules! named {
    ($type:ident, $number:ty, $table:ident: $(($constant:ident, $value:literal, $name:literal)),* $(,)?) => {
        impl $type {
            $(#[doc = $name] pub const $constant: Self = Self($value);)*

            /// Reads the written name, or the number.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let named = $table.iter().find(|(_, name)| *name == text);
                named
                    .map(|(value, _)| Self(*value))
                    .or_else(|| text.parse().ok().map(Self))
                    .or_else(|| Self::short(text))
            }

            /// Every written name.
            pub fn names() -> impl Iterator<Item = &'static str> {
                $table.iter().map(|(_, name)| *name)
            }
        }

        const $table: &[($number, &str)] = &[$(($value, $name)),*];

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match $table.iter().find(|(value, _)| *value == self.0) {
                    Some((_, name)) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

named! { ObjectType, u16, TYPES:
    (ANALOG_INPUT, 0, "analog-input"), (ANALOG_OUTPUT, 1, "analog-output"),
    (ANALOG_VALUE, 2, "analog-value"), (BINARY_INPUT, 3, "binary-input"),
    (BINARY_OUTPUT, 4, "binary-output"), (BINARY_VALUE, 5, "binary-value"),
    (CALENDAR, 6, "calendar"), (COMMAND, 7, "command"), (DEVICE, 8, "device"),
    (EVENT_ENROLLMENT, 9, "event-enrollment"), (FILE, 10, "file"), (GROUP, 11, "group"),
    (LOOP, 12, "loop"), (MULTI_STATE_INPUT, 13, "multi-state-input"),
    (MULTI_STATE_OUTPUT, 14, "multi-state-output"),
    (NOTIFICATION_CLASS, 15, "notification-class"), (PROGRAM, 16, "program"),
    (SCHEDULE, 17, "schedule"), (AVERAGING, 18, "averaging"),
    (MULTI_STATE_VALUE, 19, "multi-state-value"), (TREND_LOG, 20, "trend-log"),
    (LIFE_SAFETY_POINT, 21, "life-safety-point"), (LIFE_SAFETY_ZONE, 22, "life-safety-zone"),
    (ACCUMULATOR, 23, "accumulator"), (PULSE_CONVERTER, 24, "pulse-converter"),
    (EVENT_LOG, 25, "event-log"), (GLOBAL_GROUP, 26, "global-group"),
    (TREND_LOG_MULTIPLE, 27, "trend-log-multiple"), (LOAD_CONTROL, 28, "load-control"),
    (STRUCTURED_VIEW, 29, "structured-view"), (ACCESS_DOOR, 30, "access-door"),
    (TIMER, 31, "timer"), (BITSTRING_VALUE, 39, "bitstring-value"),
    (CHARACTERSTRING_VALUE, 40, "characterstring-value"),
    (DATE_PATTERN_VALUE, 41, "date-pattern-value"), (DATE_VALUE, 42, "date-value"),
    (DATETIME_PATTERN_VALUE, 43, "datetime-pattern-value"),
    (DATETIME_VALUE, 44, "datetime-value"), (INTEGER_VALUE, 45, "integer-value"),
    (LARGE_ANALOG_VALUE, 46, "large-analog-value"),
    (OCTETSTRING_VALUE, 47, "octetstring-value"),
    (POSITIVE_INTEGER_VALUE, 48, "positive-integer-value"),
    (TIME_PATTERN_VALUE, 49, "time-pattern-value"), (TIME_VALUE, 50, "time-value"),
    (NOTIFICATION_FORWARDER, 51, "notification-forwarder"),
    (ALERT_ENROLLMENT, 52, "alert-enrollment"), (CHANNEL, 53, "channel"),
    (LIGHTING_OUTPUT, 54, "lighting-output"),
    (BINARY_LIGHTING_OUTPUT, 55, "binary-lighting-output"),
    (NETWORK_PORT, 56, "network-port"), (ELEVATOR_GROUP, 57, "elevator-group"),
    (ESCALATOR, 58, "escalator"), (LIFT, 59, "lift"), (STAGING, 60, "staging"),
}

named! { PropertyId, u32, PROPERTIES:
    (ACKED_TRANSITIONS, 0, "acked-transitions"), (ACTION, 2, "action"),
    (ACTIVE_TEXT, 4, "active-text"), (ALL, 8, "all"),
    (APPLICATION_SOFTWARE_VERSION, 12, "application-software-version"),
    (BUFFER_SIZE, 126, "buffer-size"), (COV_INCREMENT, 22, "cov-increment"),
    (DATE_LIST, 23, "date-list"), (DESCRIPTION, 28, "description"),
    (DEVICE_TYPE, 31, "device-type"), (EFFECTIVE_PERIOD, 32, "effective-period"),
    (ENABLE, 133, "enable"), (EVENT_STATE, 36, "event-state"),
    (EXCEPTION_SCHEDULE, 38, "exception-schedule"),
    (FIRMWARE_REVISION, 44, "firmware-revision"), (HIGH_LIMIT, 45, "high-limit"),
    (INACTIVE_TEXT, 46, "inactive-text"), (LOCAL_DATE, 56, "local-date"),
    (LOCAL_TIME, 57, "local-time"), (LOCATION, 58, "location"),
    (LOG_BUFFER, 131, "log-buffer"),
    (LOG_DEVICE_OBJECT_PROPERTY, 132, "log-device-object-property"),
    (LOG_INTERVAL, 134, "log-interval"), (LOW_LIMIT, 59, "low-limit"),
    (MAX_APDU_LENGTH, 62, "max-apdu-length-accepted"), (MAX_PRES_VALUE, 65, "max-pres-value"),
    (MIN_PRES_VALUE, 69, "min-pres-value"), (MODEL_NAME, 70, "model-name"),
    (NOTIFICATION_CLASS, 17, "notification-class"), (NUMBER_OF_STATES, 74, "number-of-states"),
    (OBJECT_IDENTIFIER, 75, "object-identifier"), (OBJECT_LIST, 76, "object-list"),
    (OBJECT_NAME, 77, "object-name"), (OBJECT_TYPE, 79, "object-type"),
    (OUT_OF_SERVICE, 81, "out-of-service"), (POLARITY, 84, "polarity"),
    (PRESENT_VALUE, 85, "present-value"), (PRIORITY, 86, "priority"),
    (PRIORITY_ARRAY, 87, "priority-array"), (PROTOCOL_REVISION, 139, "protocol-revision"),
    (PROTOCOL_SERVICES_SUPPORTED, 97, "protocol-services-supported"),
    (PROTOCOL_VERSION, 98, "protocol-version"), (RECORD_COUNT, 141, "record-count"),
    (RELIABILITY, 103, "reliability"), (RELINQUISH_DEFAULT, 104, "relinquish-default"),
    (REQUIRED, 105, "required"), (RESOLUTION, 106, "resolution"),
    (SCHEDULE_DEFAULT, 174, "schedule-default"),
    (SEGMENTATION_SUPPORTED, 107, "segmentation-supported"), (SETPOINT, 108, "setpoint"),
    (STATE_TEXT, 110, "state-text"), (STATUS_FLAGS, 111, "status-flags"),
    (SYSTEM_STATUS, 112, "system-status"), (OPTIONAL, 80, "optional"),
    (TIME_OF_DEVICE_RESTART, 203, "time-of-device-restart"),
    (TOTAL_RECORD_COUNT, 145, "total-record-count"), (UNITS, 117, "units"),
    (UTC_OFFSET, 119, "utc-offset"), (VENDOR_IDENTIFIER, 120, "vendor-identifier"),
    (VENDOR_NAME, 121, "vendor-name"), (WEEKLY_SCHEDULE, 123, "weekly-schedule"),
    (DATABASE_REVISION, 155, "database-revision"), (PROPERTY_LIST, 371, "property-list"),
    (CURRENT_COMMAND_PRIORITY, 431, "current-command-priority"),
    (CONTROLLED_VARIABLE_VALUE, 21, "controlled-variable-value"),
    (DAYLIGHT_SAVINGS_STATUS, 24, "daylight-savings-status"),
    (ELAPSED_ACTIVE_TIME, 33, "elapsed-active-time"),
    (CHANGE_OF_STATE_COUNT, 15, "change-of-state-count"), (SCALE, 187, "scale"),
    (PULSE_RATE, 186, "pulse-rate"), (SERIAL_NUMBER, 372, "serial-number"),
    (PROTOCOL_OBJECT_TYPES_SUPPORTED, 96, "protocol-object-types-supported"),
    (APDU_TIMEOUT, 11, "apdu-timeout"), (NUMBER_OF_APDU_RETRIES, 73, "number-of-apdu-retries"),
    (DEVICE_ADDRESS_BINDING, 30, "device-address-binding"),
    (MAX_SEGMENTS_ACCEPTED, 167, "max-segments-accepted"),
    (APDU_SEGMENT_TIMEOUT, 10, "apdu-segment-timeout"),
    (ACTIVE_COV_SUBSCRIPTIONS, 152, "active-cov-subscriptions"),
    (ACK_REQUIRED, 1, "ack-required"), (EVENT_ENABLE, 35, "event-enable"),
    (LIST_OF_OBJECT_PROPERTY_REFERENCES, 54, "list-of-object-property-references"),
    (NOTIFY_TYPE, 72, "notify-type"), (PRIORITY_FOR_WRITING, 88, "priority-for-writing"),
    (RECIPIENT_LIST, 102, "recipient-list"), (EVENT_TIME_STAMPS, 130, "event-time-stamps"),
    (LIMIT_ENABLE, 52, "limit-enable"), (TIME_DELAY, 113, "time-delay"),
    (EVENT_MESSAGE_TEXTS, 351, "event-message-texts"),
    (EVENT_DETECTION_ENABLE, 353, "event-detection-enable"),
}

const ABBREVIATIONS: &[(u16, &str)] = &[
    (0, "ai"),
    (1, "ao"),
    (2, "av"),
    (3, "bi"),
    (4, "bo"),
    (5, "bv"),
    (13, "mi"),
    (14, "mo"),
    (19, "mv"),
    (17, "sch"),
    (20, "tl"),
    (45, "iv"),
    (46, "lav"),
    (48, "piv"),
    (40, "csv"),
];

impl ObjectType {
    fn short(text: &str) -> Option<Self> {
        let long = match text {
            "msi" => "mi",
            "mso" => "mo",
            "msv" => "mv",
            // Written by people; the keys of points learned long ago keep the long names.
            "cal" => return Some(Self::CALENDAR),
            "nc" => return Some(Self::NOTIFICATION_CLASS),
            other => other,
        };
        let found = ABBREVIATIONS.iter().find(|(_, short)| *short == long);
        found.map(|(value, _)| Self(*value))
    }
}

impl PropertyId {
    fn short(_text: &str) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_read_back() {
        for (number, name) in TYPES {
            assert_eq!(ObjectType::parse(name), Some(ObjectType(*number)));
            assert_eq!(ObjectType(*number).to_string(), *name);
        }
        for (number, name) in PROPERTIES {
            assert_eq!(PropertyId::parse(name), Some(PropertyId(*number)));
            assert_eq!(PropertyId(*number).to_string(), *name);
        }
        assert_eq!(PropertyId::parse("512"), Some(PropertyId(512)));
    }

    #[test]
    fn objects_are_read_in_every_spelling() {
        let wanted = Some(ObjectId::new(ObjectType::ANALOG_INPUT, 1));
        for text in ["analog-input:1", "ai:1", "ai,1", "0:1", "analog-input, 1"] {
            assert_eq!(ObjectId::parse(text), wanted, "{text}");
        }
        assert_eq!(ObjectId::parse("ai:4194304"), None);
        assert_eq!(ObjectId::parse("bogus:1"), None);
        assert_eq!(
            ObjectId::parse("msv:3").map(ObjectId::key),
            Some("mv-3".into())
        );
        assert_eq!(ObjectId::new(ObjectType(300), 7).key(), "300-7");
    }
}
