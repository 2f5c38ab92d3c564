//! Every operation: its name, what a person reads, what it takes. Owns the descriptions only.

use riser_adapter::{Field, FieldKind, Operation as Described};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Text,
    Number(i64, i64),
    Flag,
    /// A device, by key, address or name.
    Device,
    /// A device or a group.
    Place,
}

/// One parameter: key, title, kind, required.
pub(crate) type Parameter = (&'static str, &'static str, Takes, bool);

/// One operation.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    title: &'static str,
    description: &'static str,
    pub(crate) parameters: &'static [Parameter],
    confirm: bool,
}

impl Entry {
    pub(crate) fn described(&self) -> Described {
        let fields = self
            .parameters
            .iter()
            .map(|(name, title, takes, required)| Field {
                name: (*name).to_owned(),
                title: (*title).to_owned(),
                kind: match takes {
                    Takes::Text | Takes::Place => FieldKind::Text,
                    Takes::Number(min, max) => FieldKind::Number {
                        min: *min,
                        max: *max,
                    },
                    Takes::Flag => FieldKind::Flag,
                    Takes::Device => FieldKind::Device,
                },
                required: *required,
            });
        Described {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            fields: fields.collect(),
            confirm: self.confirm,
        }
    }
}

const fn entry(
    name: &'static str,
    (title, description): (&'static str, &'static str),
    parameters: &'static [Parameter],
    confirm: bool,
) -> Entry {
    Entry {
        name,
        title,
        description,
        parameters,
        confirm,
    }
}

const DEVICE: Parameter = ("device", "Device", Takes::Device, true);
const PLACE: Parameter = ("device", "Device or group", Takes::Place, true);
const GROUP: Parameter = ("group", "Group", Takes::Place, true);
const NAME: Parameter = ("name", "Name", Takes::Text, true);
const SCENE: Parameter = ("scene", "Number of the scene", Takes::Number(0, 255), true);

/// All of them.
pub(crate) static ALL: &[Entry] = &[
    entry(
        "permit_join",
        (
            "Let devices join",
            "Opens the network for new devices; the time left counts down in the bridge's permit_join_left. 0 seconds closes it.",
        ),
        &[
            (
                "seconds",
                "For how long, in seconds",
                Takes::Number(0, 254),
                true,
            ),
            ("through", "Through this router only", Takes::Device, false),
        ],
        false,
    ),
    entry(
        "rename",
        (
            "Rename",
            "Gives a device or group another name. Its points, history and alarms stay: they belong to the address.",
        ),
        &[PLACE, NAME],
        false,
    ),
    entry(
        "remove",
        (
            "Remove a device",
            "Sends a device away. With force it is forgotten even if it does not answer; with block it cannot come back.",
        ),
        &[
            DEVICE,
            ("force", "Even if it does not answer", Takes::Flag, false),
            ("block", "Keep it from joining again", Takes::Flag, false),
        ],
        true,
    ),
    entry(
        "interview",
        (
            "Ask a device anew what it is",
            "For a device whose interview failed; wake a sleeping one first.",
        ),
        &[DEVICE],
        false,
    ),
    entry(
        "configure",
        (
            "Configure a device anew",
            "Sets its bindings and reporting as its model needs; wake a sleeping one first.",
        ),
        &[DEVICE],
        false,
    ),
    entry(
        "read",
        (
            "Read a device now",
            "Asks a device for its present state; one that sleeps does not answer.",
        ),
        &[PLACE],
        false,
    ),
    entry(
        "bind",
        (
            "Bind",
            "Lets one device command another directly, without the bridge.",
        ),
        BIND,
        false,
    ),
    entry("unbind", ("Unbind", "Ends what bind began."), BIND, true),
    entry(
        "configure_reporting",
        (
            "Configure reporting",
            "Sets how often and at which change a device reports an attribute. A maximum of 65535 switches reporting off.",
        ),
        &[
            DEVICE,
            ("endpoint", "Endpoint", Takes::Number(1, 240), true),
            (
                "cluster",
                "Cluster, such as msTemperatureMeasurement",
                Takes::Text,
                true,
            ),
            (
                "attribute",
                "Attribute, such as measuredValue",
                Takes::Text,
                true,
            ),
            (
                "minimum",
                "Seconds between reports, at least",
                Takes::Number(0, 65_535),
                true,
            ),
            (
                "maximum",
                "Seconds between reports, at most",
                Takes::Number(0, 65_535),
                true,
            ),
            (
                "change",
                "Smallest change to report",
                Takes::Number(0, 1_000_000),
                false,
            ),
        ],
        false,
    ),
    entry(
        "keep_state",
        (
            "Keep states in the broker",
            "Lets the broker keep a device's last state, so that it is known at once after a restart of the gateway.",
        ),
        &[PLACE, ("on", "Keep it", Takes::Flag, true)],
        false,
    ),
    entry(
        "supervise",
        (
            "Supervise devices",
            "Switches availability and time stamps on in zigbee2mqtt; takes effect when the bridge is restarted.",
        ),
        &[],
        true,
    ),
    entry(
        "group_add",
        ("Add a group", "Makes an empty group."),
        &[
            NAME,
            (
                "id",
                "Number; the next free one where it is left out",
                Takes::Number(1, 65_000),
                false,
            ),
        ],
        false,
    ),
    entry(
        "group_remove",
        ("Remove a group", "Dissolves a group; its devices stay."),
        &[GROUP],
        true,
    ),
    entry(
        "group_member_add",
        (
            "Put a device into a group",
            "From then on commands to the group reach it too.",
        ),
        MEMBER,
        false,
    ),
    entry(
        "group_member_remove",
        (
            "Take a device out of a group",
            "Commands to the group no longer reach it.",
        ),
        MEMBER,
        true,
    ),
    entry(
        "scene_store",
        (
            "Store a scene",
            "Stores what the device or group does now under a number and a name.",
        ),
        &[PLACE, SCENE, ("name", "Name", Takes::Text, false)],
        false,
    ),
    entry(
        "scene_recall",
        (
            "Recall a scene",
            "Lets a device or group do what was stored.",
        ),
        &[PLACE, SCENE],
        false,
    ),
    entry(
        "scene_remove",
        ("Remove a scene", "Forgets what was stored."),
        &[PLACE, SCENE],
        true,
    ),
    entry(
        "touchlink_scan",
        (
            "Look for touchlink devices",
            "Finds lamps and remotes within a metre of the stick, on every channel. The network rests meanwhile.",
        ),
        &[],
        true,
    ),
    entry(
        "touchlink_identify",
        (
            "Let a touchlink device blink",
            "Shows which device was found.",
        ),
        TOUCHLINK,
        false,
    ),
    entry(
        "touchlink_reset",
        (
            "Reset a touchlink device",
            "Sets a device that was found back to what it left the factory with; then it can join.",
        ),
        TOUCHLINK,
        true,
    ),
    entry(
        "network_map",
        (
            "Network map",
            "Asks every router for its neighbours: who is connected through whom, and how well. Takes up to several minutes, and the network is slow meanwhile.",
        ),
        &[("routes", "With routes", Takes::Flag, false)],
        true,
    ),
    entry(
        "firmware_check",
        (
            "Look for new firmware",
            "Asks whether there is newer firmware for a device; wake a sleeping one first.",
        ),
        &[DEVICE],
        false,
    ),
    entry(
        "firmware_update",
        (
            "Update a device's firmware",
            "Begins to send new firmware; takes from minutes to an hour and is shown in update_progress. The device may not work meanwhile.",
        ),
        &[DEVICE],
        true,
    ),
    entry(
        "firmware_schedule",
        (
            "Update when it wakes",
            "Sends new firmware the next time a sleeping device asks for it.",
        ),
        &[DEVICE],
        true,
    ),
    entry(
        "firmware_unschedule",
        (
            "Do not update when it wakes",
            "Takes firmware_schedule back.",
        ),
        &[DEVICE],
        false,
    ),
    entry(
        "restart_bridge",
        (
            "Restart zigbee2mqtt",
            "Nothing can be read or written for some seconds.",
        ),
        &[],
        true,
    ),
];

const BIND: &[Parameter] = &[
    ("from", "From", Takes::Device, true),
    ("to", "To device or group", Takes::Place, true),
    ("from_endpoint", "From its endpoint", Takes::Text, false),
    ("to_endpoint", "To its endpoint", Takes::Text, false),
    (
        "clusters",
        "Clusters with commas between, such as genOnOff",
        Takes::Text,
        false,
    ),
];
const MEMBER: &[Parameter] = &[GROUP, DEVICE];
const TOUCHLINK: &[Parameter] = &[
    ("address", "Address as found", Takes::Text, true),
    ("channel", "Channel as found", Takes::Number(11, 26), true),
];
