//! What a person is asked before a search of BACnet devices. Nothing has to be said in a building with
//! one network.

use riser_adapter::{Field, FieldKind, SearchField};
use toml::Value;

/// In the order they are needed.
pub(super) fn fields() -> Vec<SearchField> {
    let number = |min, max| FieldKind::Number { min, max };
    vec![
        field(
            ("seconds", "How long to look, in seconds", number(1, 600)),
            "Everybody is asked at once, then in slices, and again; slow devices are waited for",
            Some(15.into()),
        ),
        field(
            ("interface", "Network interface", FieldKind::Text),
            "Such as eth0; left out, every one",
            None,
        ),
        field(
            ("bbmd", "BBMD of another network", FieldKind::Text),
            "Its address: broadcasts do not cross a router without one",
            None,
        ),
        field(
            ("port", "UDP port", number(1, 65_535)),
            "",
            Some(47_808.into()),
        ),
        field(
            ("low", "Instances from", number(0, 4_194_302)),
            "Left out, all of them",
            None,
        ),
        field(("high", "Instances to", number(0, 4_194_302)), "", None),
        field(
            ("object", "Name of an object", FieldKind::Text),
            "Only devices that hold an object of exactly this name",
            None,
        ),
    ]
}

fn field(
    (name, title, kind): (&str, &str, FieldKind),
    about: &str,
    default: Option<Value>,
) -> SearchField {
    SearchField {
        field: Field {
            name: name.to_owned(),
            title: title.to_owned(),
            kind,
            required: false,
        },
        default,
        about: about.to_owned(),
        when: None,
    }
}
