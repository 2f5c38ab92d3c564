//! Lists of objects in and out: an EDE file becomes configuration a person looks at and takes over,
//! and a device's objects become an EDE file. Owns what of a list becomes a point; changes nothing.

use super::ede::{self, List, Row, Texts};
use super::{Fault, Given, Inner, table};
use crate::codec::ObjectType;
use crate::config::{Config, kind_of};
use crate::poll::Peer;
use crate::poll::learn::Learned;
use riser_model::{Key, ValueKind};
use std::collections::{BTreeMap, HashSet};
use toml::{Table, Value};

/// Points shown beside the configuration.
const SHOWN: usize = 40;
/// Remarks shown, at most.
const REMARKS: usize = 100;

/// Makes configuration of a list.
pub(super) fn import(inner: &Inner, given: Given<'_>) -> Result<Table, Fault> {
    let wrong = |file: &str, why: String| Fault::Wrong(format!("{file}: {why}"));
    let list = ede::list(given.raw("ede")).map_err(|why| wrong("object list", why))?;
    let side = |name: &str, file: &str| match given.maybe(name) {
        None => Ok(None),
        Some(_) => ede::texts(given.raw(name))
            .map(Some)
            .map_err(|why| wrong(file, why)),
    };
    let states = side("states", "state texts")?;
    let units = side("units", "unit codes")?.unwrap_or_default();
    let lane = match (given.maybe("lane"), inner.lanes.as_slice()) {
        (Some(lane), _) => lane.to_owned(),
        (None, [(only, _)]) => only.to_string(),
        (None, _) => return Err(Fault::Wrong("say on which lane the devices are".to_owned())),
    };
    let mut import = Import {
        inner,
        lane,
        states,
        units,
        writable: given.0.get("writable").and_then(Value::as_bool) == Some(true),
        remarks: Vec::new(),
        shown: Vec::new(),
        points: 0,
    };
    let devices = import.devices(&list)?;
    let mut config = Table::new();
    config.insert("device".to_owned(), Value::Array(devices));
    checked(&config, &import.lane)?;
    let text = toml::to_string(&config).map_err(|e| Fault::Failed(e.to_string()))?;
    let left = import.remarks.len().saturating_sub(REMARKS);
    import.remarks.truncate(REMARKS);
    if left > 0 {
        import.remarks.push(format!("and {left} remarks more"));
    }
    let texts = |list: Vec<String>| Value::Array(list.into_iter().map(Value::from).collect());
    let points = i64::try_from(import.points).unwrap_or(i64::MAX);
    Ok(table([
        ("points", points.into()),
        ("preview", texts(import.shown)),
        ("remarks", texts(import.remarks)),
        ("configuration", text.into()),
    ]))
}

/// What comes out has to be configuration that is taken.
fn checked(config: &Table, lane: &str) -> Result<(), Fault> {
    let mut whole = config.clone();
    let lane = table([("key", lane.into())]);
    whole.insert("lane".to_owned(), Value::Array(vec![lane.into()]));
    let checked = Config::new(&whole);
    checked.map_err(|error| Fault::Wrong(error.to_string()))?;
    Ok(())
}

struct Import<'a> {
    inner: &'a Inner,
    lane: String,
    states: Option<Texts>,
    units: Texts,
    writable: bool,
    remarks: Vec<String>,
    shown: Vec<String>,
    points: usize,
}

impl Import<'_> {
    /// The devices of a list, each with its points.
    fn devices(&mut self, list: &List) -> Result<Vec<Value>, Fault> {
        let mut by_device: BTreeMap<u32, Vec<&Row>> = BTreeMap::new();
        for row in &list.rows {
            by_device.entry(row.device).or_default().push(row);
        }
        if by_device.is_empty() {
            return Err(Fault::Wrong("there is no object in the list".to_owned()));
        }
        let mut devices = Vec::new();
        for (instance, rows) in by_device {
            let own = rows.iter().find(|r| r.object.kind() == ObjectType::DEVICE);
            let name = own.map(|row| row.name.clone());
            let known = self
                .inner
                .devices
                .iter()
                .find(|d| d.instance == Some(instance));
            let key = match known {
                Some(known) => {
                    self.remarks.push(format!(
                        "device {instance} is configured as '{}'; put its points there",
                        known.key
                    ));
                    known.key.clone()
                }
                None => Key::slug(&format!("bacnet-{instance}")),
            };
            let points = self.points(&key, &rows)?;
            let mut device = table([
                ("key", key.to_string().into()),
                ("lane", self.lane.clone().into()),
                ("instance", i64::from(instance).into()),
            ]);
            device.extend(name.map(|name| ("name".to_owned(), name.into())));
            device.insert("point".to_owned(), Value::Array(points));
            devices.push(device.into());
        }
        Ok(devices)
    }

    fn points(&mut self, device: &Key, rows: &[&Row]) -> Result<Vec<Value>, Fault> {
        let mut keys: HashSet<Key> = HashSet::new();
        let mut points = Vec::new();
        for row in rows {
            let Some(kind) = kind_of(row.object.kind()) else {
                if row.object.kind() != ObjectType::DEVICE {
                    let Row {
                        line, name, object, ..
                    } = row;
                    self.remarks.push(format!(
                        "line {line}: {name} ({object}) has no value that becomes a point"
                    ));
                }
                continue;
            };
            let base = if row.key.is_empty() {
                &row.name
            } else {
                &row.key
            };
            let mut key = Key::slug(base);
            let mut nth = 2;
            while !keys.insert(key.clone()) {
                let base: String = Key::slug(base).as_str().chars().take(56).collect();
                key = Key::slug(&format!("{base}-{nth}"));
                nth += 1;
            }
            let point = self.point(&key, row, kind)?;
            if self.shown.len() < SHOWN {
                let unit = point
                    .get("unit")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                self.shown.push(format!(
                    "{device}/{key}: {} {} {unit}",
                    row.object, row.name
                ));
            }
            self.points += 1;
            points.push(point.into());
        }
        Ok(points)
    }

    fn point(&mut self, key: &Key, row: &Row, kind: ValueKind) -> Result<Table, Fault> {
        let mut point = table([
            ("key", key.to_string().into()),
            ("object", row.object.to_string().into()),
            ("name", row.name.clone().into()),
        ]);
        if !row.unit.is_empty() {
            match ede::unit(&row.unit, &self.units) {
                Some(unit) => _ = point.insert("unit".to_owned(), unit.symbol().into()),
                None => self
                    .remarks
                    .push(format!("line {}: no unit for '{}'", row.line, row.unit)),
            }
        }
        if let Some(number) = row.states {
            match &self.states {
                Some(texts) => {
                    let states = texts.get(&number).ok_or_else(|| {
                        let line = row.line;
                        Fault::Wrong(format!(
                            "object list: line {line}: there is no state text {number}"
                        ))
                    })?;
                    let states = states.iter().cloned().map(Value::from).collect();
                    point.insert("states".to_owned(), Value::Array(states));
                }
                None => self.remarks.push(format!(
                    "line {}: state texts {number} were not given",
                    row.line
                )),
            }
        }
        if self.writable && row.settable == Some(true) {
            point.insert("access".to_owned(), "read_write".into());
            let limits = [("min", row.least), ("max", row.most)];
            let limits = limits
                .into_iter()
                .filter_map(|(name, x)| Some((name.to_owned(), x?.into())));
            let limits: Table = limits.collect();
            let ordered = row
                .least
                .zip(row.most)
                .is_none_or(|(least, most)| least < most);
            if !limits.is_empty() && ordered && kind == ValueKind::Float {
                point.insert("limits".to_owned(), limits.into());
            }
        }
        Ok(point)
    }
}

/// Makes a list of a device's objects.
pub(super) async fn export(inner: &Inner, given: Given<'_>) -> Result<Table, Fault> {
    let device = inner.device(given.text("device"))?;
    let peer: Peer = inner.peer(given)?;
    let now = jiff::Timestamp::from_millisecond(inner.clock()?.now().0).unwrap_or_default();
    let learned = peer.learn().await?;
    let mut sides = Sides::default();
    let rows = learned
        .iter()
        .map(|one| sides.row(one, &device.key, peer.instance()));
    let list = List {
        rows: rows.collect(),
        project: device.name.clone(),
        author: "Riser".to_owned(),
        changed: now.strftime("%Y-%m-%d").to_string(),
    };
    let count = i64::try_from(list.rows.len()).unwrap_or(i64::MAX);
    let states: Texts = (1..).zip(sides.states).collect();
    let heading = "Reference Number;Text 1 or Inactive-Text;Text 2 or Active-Text";
    Ok(table([
        ("objects", count.into()),
        ("ede", ede::written(&list).into()),
        ("state_texts", ede::written_texts(heading, &states).into()),
        (
            "units",
            ede::written_texts("Code;Unit Text", &sides.units).into(),
        ),
        (
            "object_types",
            ede::written_texts("Code;Object Type", &sides.types).into(),
        ),
    ]))
}

/// The side files of a list as they grow.
#[derive(Default)]
struct Sides {
    states: Vec<Vec<String>>,
    units: Texts,
    types: Texts,
}

impl Sides {
    fn row(&mut self, one: &Learned, device: &Key, instance: u32) -> Row {
        let kind = one.object.kind();
        self.types.insert(kind.0.into(), vec![kind.to_string()]);
        let states = (!one.states.is_empty()).then(|| {
            let known = self.states.iter().position(|t| *t == one.states);
            let at = known.unwrap_or_else(|| {
                self.states.push(one.states.clone());
                self.states.len() - 1
            });
            u32::try_from(at + 1).unwrap_or(u32::MAX)
        });
        let code = one.unit.and_then(|unit| Some((unit.bacnet()?, unit)));
        if let Some((code, unit)) = code {
            self.units.insert(code.into(), vec![unit.name().to_owned()]);
        }
        Row {
            line: 0,
            key: format!("{device}-{}", one.object.key()),
            device: instance,
            name: one.name.clone(),
            object: one.object,
            description: one.description.clone(),
            least: None,
            most: None,
            settable: kind_of(kind).map(|_| is_set(kind)),
            cov: None,
            states,
            unit: code.map(|(code, _)| code.to_string()).unwrap_or_default(),
        }
    }
}

/// Whether objects of a type are there to be set.
fn is_set(kind: ObjectType) -> bool {
    matches!(
        kind,
        ObjectType::ANALOG_OUTPUT
            | ObjectType::ANALOG_VALUE
            | ObjectType::BINARY_OUTPUT
            | ObjectType::BINARY_VALUE
            | ObjectType::MULTI_STATE_OUTPUT
            | ObjectType::MULTI_STATE_VALUE
    )
}
