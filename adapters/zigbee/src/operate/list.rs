//! Every operation: its name, what a person reads, what it takes. Owns the descriptions only.

pub(crate) use super::entry::Entry;
use super::entry::{Parameter, Takes, entry};

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
        "scene_add",
        (
            "Add a scene",
            "Stores a scene that is described here, without the device or group doing it now.",
        ),
        &[
            PLACE,
            SCENE,
            ("on", "On", Takes::Flag, true),
            ("name", "Name", Takes::Text, false),
            ("brightness", "Brightness", Takes::Number(0, 254), false),
            (
                "color_temp",
                "Colour temperature, in mired",
                Takes::Number(50, 1_000),
                false,
            ),
            (
                "transition",
                "Seconds to change over",
                Takes::Number(0, 6_000),
                false,
            ),
        ],
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
    ("to", "To device, group or coordinator", Takes::Place, true),
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
