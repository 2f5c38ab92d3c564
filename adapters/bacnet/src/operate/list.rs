//! The operations as a screen is made of them. Owns their names, titles and the words of their fields.

use riser_adapter::{Field, FieldKind, Operation};

/// What can be done with devices on these lanes.
pub(super) fn operations(lanes: Vec<String>) -> Vec<Operation> {
    let mut all = schedules();
    all.extend(calendars());
    all.push(clocks(lanes.clone()));
    all.extend(events());
    all.extend(lists(lanes));
    all
}

pub(super) fn field(name: &str, title: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        title: title.to_owned(),
        kind,
        required: true,
    }
}

pub(super) fn optional(name: &str, title: &str, kind: FieldKind) -> Field {
    Field {
        required: false,
        ..field(name, title, kind)
    }
}

pub(super) fn choice(words: &[&str]) -> FieldKind {
    FieldKind::Choice(words.iter().map(|w| (*w).to_owned()).collect())
}

pub(super) fn operation(
    (name, title, description): (&str, &str, &str),
    fields: Vec<Field>,
    confirm: bool,
) -> Operation {
    Operation {
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        fields,
        confirm,
    }
}

fn schedules() -> Vec<Operation> {
    use FieldKind::{Device, Text};
    let device = || field("device", "Device", Device);
    vec![
        operation(
            (
                "schedule_read",
                "Show schedules",
                "Shows a schedule of a device as it can be written back: week, exceptions, the period it is in effect, its default and what it writes to. Without an object: which schedules and calendars the device has.",
            ),
            vec![
                device(),
                optional("object", "Schedule, such as schedule:1", Text),
            ],
            false,
        ),
        operation(
            (
                "schedule_write",
                "Change a schedule",
                "Writes what is given and leaves the rest as it is. Everything is checked first, and read back afterwards. Parts of a list stand apart by semicolons; 'none' empties a list.",
            ),
            vec![
                device(),
                field("object", "Schedule, such as schedule:1", Text),
                optional(
                    "weekly",
                    "Week: Mon-Fri 06:00 21, 20:00 17; Sat-Sun none (days not named stay)",
                    Text,
                ),
                optional(
                    "exceptions",
                    "All exceptions: 2026-12-24..2026-12-26 priority 5 at 00:00 17; calendar:1 priority 9 at 00:00 17",
                    Text,
                ),
                optional(
                    "period",
                    "In effect: 2026-01-01..2026-12-31, or always",
                    Text,
                ),
                optional("default", "Default value, outside of all switches", Text),
                optional(
                    "targets",
                    "Writes to: analog-value:1; device:1102 analog-value:1",
                    Text,
                ),
                optional(
                    "values",
                    "Type of its values, where it has none yet",
                    choice(&super::schedule::TYPES),
                ),
            ],
            true,
        ),
    ]
}

fn calendars() -> Vec<Operation> {
    use FieldKind::{Device, Text};
    let device = || field("device", "Device", Device);
    vec![
        operation(
            (
                "calendar_read",
                "Show a calendar",
                "Shows the days of a calendar as they can be written back.",
            ),
            vec![
                device(),
                field("object", "Calendar, such as calendar:1", Text),
            ],
            false,
        ),
        operation(
            (
                "calendar_write",
                "Change a calendar",
                "Replaces all days of a calendar; they are checked first, and read back afterwards.",
            ),
            vec![
                device(),
                field("object", "Calendar, such as calendar:1", Text),
                field(
                    "days",
                    "All days: 2026-12-25; *-01-01; 2026-07-01..2026-08-15; weekday Mon week last month 12; or none",
                    Text,
                ),
            ],
            true,
        ),
    ]
}

fn clocks(lanes: Vec<String>) -> Operation {
    operation(
        (
            "time_sync",
            "Set clocks",
            "Tells a device, or every device on a lane, the time of this gateway; only while the gateway's own clock is synchronised. A single device is asked for its time before and after.",
        ),
        vec![
            optional("device", "Device (or a lane)", FieldKind::Device),
            optional(
                "lane",
                "Every device on this lane",
                FieldKind::Choice(lanes),
            ),
            optional(
                "time",
                "Told as local time unless UTC is chosen",
                choice(&["local", "UTC"]),
            ),
        ],
        true,
    )
}

fn events() -> Vec<Operation> {
    use FieldKind::{Device, Text};
    vec![
        operation(
            (
                "events",
                "Show alarms of devices",
                "Asks a device which of its objects are not as they should be, or were not and nobody has acknowledged it, and shows what it told last. Without a device: what is known of all of them, nobody is asked.",
            ),
            vec![optional("device", "Device", Device)],
            false,
        ),
        operation(
            (
                "event_acknowledge",
                "Acknowledge alarms in a device",
                "Acknowledges what an object has told, or everything the device has open. The name is kept in the device.",
            ),
            vec![
                field("device", "Device", Device),
                optional(
                    "object",
                    "Object, such as analog-input:1; left out, all of them",
                    Text,
                ),
                field("by", "Who acknowledges", Text),
            ],
            true,
        ),
        recipients(),
    ]
}

fn recipients() -> Operation {
    use FieldKind::{Device, Flag, Number, Text};
    operation(
        (
            "event_recipient",
            "Be told of alarms",
            "Shows who is told of a device's alarms (the recipient lists of its notification classes) and what would be asked for; puts this gateway into a list, or takes it out. What is in the list stays in the device, whether this gateway runs or not.",
        ),
        vec![
            field("device", "Device", Device),
            optional(
                "class",
                "Notification class, such as 1; left out, all are shown",
                Text,
            ),
            optional(
                "action",
                "What to do; show changes nothing",
                choice(&["show", "add", "remove"]),
            ),
            optional(
                "confirmed",
                "The device is to wait for an acknowledgement of each notification",
                Flag,
            ),
            optional(
                "network",
                "Number of this gateway's network, for a device behind a router",
                Number {
                    min: 1,
                    max: 65_534,
                },
            ),
        ],
        true,
    )
}

fn lists(lanes: Vec<String>) -> Vec<Operation> {
    use FieldKind::{Device, Flag, Lines};
    vec![
        operation(
            (
                "ede_import",
                "Read an EDE file",
                "Makes configuration of an EDE object list, to be looked at and taken over; nothing is changed. Beside it stands what of the list became a point, and what did not.",
            ),
            vec![
                field("ede", "Object list (…_EDE.csv)", Lines),
                optional("states", "State texts (…_StateTexts.csv)", Lines),
                optional(
                    "units",
                    "Unit codes (…_Units.csv), where units of one's own are used",
                    Lines,
                ),
                optional(
                    "lane",
                    "Lane the devices are on, where there are several",
                    FieldKind::Choice(lanes),
                ),
                optional("writable", "Settable objects may be written", Flag),
            ],
            false,
        ),
        operation(
            (
                "ede_export",
                "Write an EDE file",
                "Lists the objects of a device as an EDE object list with its state texts, unit codes and object types.",
            ),
            vec![field("device", "Device", Device)],
            false,
        ),
    ]
}
