//! Parameters of the services Riser asks for and answers (clauses 13 to 16). Owns their numbers.

pub mod cov;
pub mod device;
pub mod error;
pub mod event;
pub mod list;
pub mod property;
pub mod range;

pub use error::Refusal;

/// Confirmed service: an alarm is taken note of.
pub const ACKNOWLEDGE_ALARM: u8 = 0;
/// Confirmed service: a value has changed.
pub const CONFIRMED_COV_NOTIFICATION: u8 = 1;
/// Confirmed service: an alarm or event.
pub const CONFIRMED_EVENT_NOTIFICATION: u8 = 2;
/// Confirmed service: which alarms stand, as older devices tell it.
pub const GET_ALARM_SUMMARY: u8 = 3;
/// Confirmed service: be told of changes.
pub const SUBSCRIBE_COV: u8 = 5;
/// Confirmed service: put elements into a list.
pub const ADD_LIST_ELEMENT: u8 = 8;
/// Confirmed service: take elements out of a list.
pub const REMOVE_LIST_ELEMENT: u8 = 9;
/// Confirmed service: read one property.
pub const READ_PROPERTY: u8 = 12;
/// Confirmed service: read many properties.
pub const READ_PROPERTY_MULTIPLE: u8 = 14;
/// Confirmed service: write one property.
pub const WRITE_PROPERTY: u8 = 15;
/// Confirmed service: write many properties.
pub const WRITE_PROPERTY_MULTIPLE: u8 = 16;
/// Confirmed service: read part of a list.
pub const READ_RANGE: u8 = 26;
/// Confirmed service: which events stand.
pub const GET_EVENT_INFORMATION: u8 = 29;

/// Unconfirmed service: a device says where it is.
pub const I_AM: u8 = 0;
/// Unconfirmed service: a device says it holds an object.
pub const I_HAVE: u8 = 1;
/// Unconfirmed service: a value has changed.
pub const UNCONFIRMED_COV_NOTIFICATION: u8 = 2;
/// Unconfirmed service: an alarm or event.
pub const UNCONFIRMED_EVENT_NOTIFICATION: u8 = 3;
/// Unconfirmed service: local time, to be taken over.
pub const TIME_SYNCHRONIZATION: u8 = 6;
/// Unconfirmed service: who holds an object?
pub const WHO_HAS: u8 = 7;
/// Unconfirmed service: which devices are there?
pub const WHO_IS: u8 = 8;
/// Unconfirmed service: UTC, to be taken over.
pub const UTC_TIME_SYNCHRONIZATION: u8 = 9;
