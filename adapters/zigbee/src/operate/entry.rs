//! What an operation is made of: name, words for people, parameters. Owns how it is described outside.

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

pub(crate) const fn entry(
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
