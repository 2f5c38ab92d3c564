//! The only gateway crate that knows SQLite: state, history files, outbox, users, alarms.
