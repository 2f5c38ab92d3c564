//! Protocols, searches, finds, operations and browsed devices as JSON.

use crate::plain;
use riser_model::{ConfigurationAnswer, ConfigurationPoint, Point, Timestamp};
use riser_runtime::{AdapterView, BrowseNode, Field, FieldKind, Operation, SearchField};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The protocols of this gateway.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProtocolList {
    pub(crate) protocols: Vec<Protocol>,
    /// Networks the gateway stands in, as a first idea of where to look.
    pub(crate) networks: Vec<String>,
}

/// A protocol devices can be added of.
#[derive(Serialize, ToSchema)]
pub(crate) struct Protocol {
    /// `kind` in the configuration.
    pub(crate) kind: String,
    /// The name people read.
    pub(crate) title: String,
    /// What it is, in a sentence.
    pub(crate) about: String,
    /// The commented sample of its configuration.
    pub(crate) sample: String,
    /// Whether its devices can be searched for.
    pub(crate) can_search: bool,
    /// Whether a search is running.
    pub(crate) searching: bool,
    /// Whether a device may name a profile that gives it its points.
    pub(crate) has_profiles: bool,
    /// What can be said about where to look.
    pub(crate) fields: Vec<SearchInput>,
    /// Adapters of this kind in the running configuration.
    pub(crate) adapters: Vec<String>,
}

/// One thing a person may say about where to look.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchInput {
    #[serde(flatten)]
    pub(crate) input: Input,
    /// What is offered at first.
    #[schema(value_type = Value)]
    pub(crate) default: Option<Value>,
    /// What to write.
    pub(crate) about: String,
    /// Only asked when another input has one of these values.
    pub(crate) when: Option<InputCondition>,
}

/// When an input is asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct InputCondition {
    /// The other input.
    pub(crate) name: String,
    /// Its values.
    pub(crate) values: Vec<String>,
}

/// One value a person gives.
#[derive(Serialize, ToSchema)]
pub(crate) struct Input {
    /// Its key.
    pub(crate) name: String,
    /// What a person reads beside it.
    pub(crate) title: String,
    /// Whether it has to be given.
    pub(crate) required: bool,
    /// What it takes.
    pub(crate) takes: Takes,
}

/// What an input takes.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Takes {
    /// Any text.
    Text,
    /// Text of several lines, such as a file's.
    Lines,
    /// A whole number.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// Yes or no.
    Flag,
    /// One of these.
    Choice {
        /// The values.
        choices: Vec<String>,
    },
    /// The key of one of the adapter's devices.
    Device,
}

impl From<Field> for Input {
    fn from(field: Field) -> Self {
        Self {
            name: field.name,
            title: field.title,
            required: field.required,
            takes: match field.kind {
                FieldKind::Text => Takes::Text,
                FieldKind::Lines => Takes::Lines,
                FieldKind::Number { min, max } => Takes::Number { min, max },
                FieldKind::Flag => Takes::Flag,
                FieldKind::Choice(choices) => Takes::Choice { choices },
                FieldKind::Device => Takes::Device,
            },
        }
    }
}

impl From<SearchField> for SearchInput {
    fn from(asked: SearchField) -> Self {
        Self {
            input: asked.field.into(),
            default: asked.default.map(plain::json),
            about: asked.about,
            when: asked
                .when
                .map(|(name, values)| InputCondition { name, values }),
        }
    }
}

/// How a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SearchState {
    /// There was none since the start of the gateway.
    None,
    /// It is looking.
    Running,
    /// It has looked everywhere it was told to.
    Done,
    /// It was ended before: by a person, by time, or as nobody asked for it.
    Stopped,
    /// It failed.
    Failed,
}

/// A search for devices and what it has found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Search {
    pub(crate) kind: String,
    pub(crate) state: SearchState,
    /// How it stands, for people.
    pub(crate) words: String,
    /// What it was told.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) options: Map<String, Value>,
    #[schema(value_type = Option<i64>)]
    pub(crate) started_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    pub(crate) ended_at: Option<Timestamp>,
    /// What was found so far, in the order it was found; 1000 at most.
    pub(crate) finds: Vec<Find>,
    /// Finds beyond that.
    pub(crate) left_out: u64,
}

/// A device that could be added.
#[derive(Serialize, ToSchema)]
pub(crate) struct Find {
    /// Its number within the search.
    pub(crate) id: usize,
    /// Where it is.
    pub(crate) address: String,
    /// What it says it is.
    pub(crate) identity: Vec<Said>,
    /// Device profile that fits.
    pub(crate) profile: Option<String>,
    /// How the profile was matched, or what is missing, in words.
    pub(crate) remark: String,
    /// Whether there is anything to add: not of what is only pointed out.
    pub(crate) addable: bool,
    /// Where it is in the running configuration already.
    pub(crate) known: Option<Known>,
    /// A key that is free; absent where no device is made of it.
    pub(crate) key: Option<String>,
    /// A name people could read.
    pub(crate) name: String,
    /// What only a person can say, such as its secret.
    pub(crate) asks: Vec<String>,
}

/// Something a device says of itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A device of the running configuration.
#[derive(Serialize, ToSchema)]
pub(crate) struct Known {
    pub(crate) adapter: String,
    pub(crate) device: String,
}

/// Where to look.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchRequest {
    /// What the protocol's fields ask for.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) options: Map<String, Value>,
}

/// Finds to put into the configuration.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdditionRequest {
    /// The protocol they were found by.
    pub(crate) kind: String,
    /// The adapter they are added to.
    pub(crate) adapter: String,
    /// Whether that is a new one.
    #[serde(default)]
    pub(crate) new: bool,
    pub(crate) finds: Vec<Chosen>,
}

/// A find somebody chose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    /// Its number within the search.
    pub(crate) id: usize,
    /// Key of the device.
    pub(crate) key: Option<String>,
    /// The name people read.
    pub(crate) name: Option<String>,
    /// A device profile, where none was found to fit.
    pub(crate) profile: Option<String>,
    /// What only a person can say.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) values: Map<String, Value>,
}

/// The configuration with the finds in it; nothing has changed yet.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Addition {
    /// The document to apply; absent where a find cannot be put into it.
    pub(crate) document: Option<String>,
    /// What applying it would do; absent where it cannot be used.
    pub(crate) answer: Option<ConfigurationAnswer>,
    /// What stands against it.
    pub(crate) problems: Vec<AdditionProblem>,
    /// Points that would appear, as far as the configuration names them; 500 at most.
    pub(crate) points: Vec<ConfigurationPoint>,
    /// How many there would be.
    pub(crate) points_total: u64,
    /// What would work and is hardly meant.
    pub(crate) doubts: Vec<String>,
}

/// One thing that stands against it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdditionProblem {
    /// Which find, if it is one.
    pub(crate) id: Option<usize>,
    /// What is wrong and what to do.
    pub(crate) text: String,
    /// Another key that would do.
    pub(crate) proposal: Option<String>,
}

/// The adapters that run.
#[derive(Serialize, ToSchema)]
pub(crate) struct AdapterList {
    pub(crate) adapters: Vec<Adapter>,
}

/// An adapter and what it can be asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Adapter {
    #[serde(flatten)]
    pub(crate) view: AdapterView,
    /// Whether its devices can be browsed.
    pub(crate) can_browse: bool,
    /// How many operations it has.
    pub(crate) operations: usize,
}

/// What can be done with an adapter.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationList {
    pub(crate) operations: Vec<OperationView>,
    /// Its devices, for what wants one.
    pub(crate) devices: Vec<String>,
}

/// Something that can be done.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationView {
    pub(crate) name: String,
    /// What a button says.
    pub(crate) title: String,
    /// What it does and what to mind.
    pub(crate) description: String,
    /// Whether a person should be asked again.
    pub(crate) confirm: bool,
    /// What has to be given.
    pub(crate) fields: Vec<Input>,
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        Self {
            name: operation.name,
            title: operation.title,
            description: operation.description,
            confirm: operation.confirm,
            fields: operation.fields.into_iter().map(Input::from).collect(),
        }
    }
}

/// With what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationRequest {
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) parameters: Map<String, Value>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationAnswer {
    /// Names and values a person reads; empty where there is nothing to say but that it is done.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub(crate) answer: Map<String, Value>,
}

/// The children of a node.
#[derive(Serialize, ToSchema)]
pub(crate) struct BrowseList {
    pub(crate) nodes: Vec<BrowseEntry>,
}

/// One entry of a browsed device.
#[derive(Serialize, ToSchema)]
pub(crate) struct BrowseEntry {
    /// Path to browse further.
    pub(crate) path: String,
    /// The name people read.
    pub(crate) name: String,
    /// The point it is or would become; absent for a folder.
    pub(crate) point: Option<Point>,
    /// Whether the gateway collects that point.
    pub(crate) collected: bool,
    /// Why something is missing or odd.
    pub(crate) remark: Option<String>,
}

impl BrowseEntry {
    pub(crate) fn new(node: BrowseNode, collected: bool) -> Self {
        Self {
            path: node.path,
            name: node.name,
            point: node.point,
            collected,
            remark: node.remark,
        }
    }
}
