//! Which point a slot means. Owns the rows of `point` and `slot` and the copy in memory that
//! names watched values without asking the database.

use super::inbox::EpochState;
use super::text::json;
use super::{Db, DbError, Origin, SlotPaths};
use riser_model::{Point, PointDirectory, PointPath, Slot};
use riser_wire::Epoch;
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Directory of the epoch each gateway uses, for values that are never stored.
#[derive(Debug, Default)]
pub(super) struct Directories(Mutex<FxHashMap<Origin, (Epoch, Arc<SlotPaths>)>>);

impl Directories {
    /// Replaces a gateway's directory.
    pub(super) fn set(&self, origin: &Origin, epoch: Epoch, paths: Arc<SlotPaths>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(origin.clone(), (epoch, paths));
    }

    /// Enters a directory read from the disk, unless a commit was quicker.
    fn set_if_absent(
        &self,
        origin: &Origin,
        epoch: Epoch,
        paths: Arc<SlotPaths>,
    ) -> Arc<SlotPaths> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match map.get(origin) {
            Some((known, there)) if *known == epoch => Arc::clone(there),
            _ => {
                map.insert(origin.clone(), (epoch, Arc::clone(&paths)));
                paths
            }
        }
    }

    fn get(&self, origin: &Origin, epoch: Epoch) -> Option<Arc<SlotPaths>> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, paths) = map.get(origin)?;
        (*known == epoch).then(|| Arc::clone(paths))
    }
}

/// Reads the directory of an epoch: slot → point row, slot → path.
pub(super) fn load(c: &Connection, epoch: i64) -> Result<(Vec<Option<i64>>, SlotPaths), DbError> {
    let (mut points, mut paths) = (Vec::new(), SlotPaths::default());
    let mut query = c.prepare_cached(
        "SELECT slot.slot, point.row, path FROM slot JOIN point ON point.row = slot.point
         WHERE epoch = ?1 ORDER BY slot.slot",
    )?;
    let mut rows = query.query([epoch])?;
    while let Some(row) = rows.next()? {
        let (slot, point, path): (u32, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let path: PointPath = path.parse().map_err(|e| DbError::stored("point path", e))?;
        paths.set(Slot(slot), path);
        enter(&mut points, Slot(slot), point);
    }
    Ok((points, paths))
}

fn enter(points: &mut Vec<Option<i64>>, slot: Slot, point: i64) {
    if points.len() <= slot.index() {
        points.resize(slot.index() + 1, None);
    }
    points[slot.index()] = Some(point);
}

struct Known {
    row: i64,
    slot: u32,
    present: bool,
    definition: String,
}

/// Applies a directory. An older version, or one of an older epoch, only adds what its slots
/// mean; the newest one also says what the gateway's points are now.
pub(super) fn apply(
    c: &Connection,
    state: &mut EpochState,
    directory: &PointDirectory,
) -> Result<(), DbError> {
    let newer_epoch: bool = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM epoch WHERE gateway = ?1 AND row > ?2 AND dictionary > 0)",
        )?
        .query_row([state.gateway, state.row], |r| r.get(0))?;
    let newest = !newer_epoch && directory.version >= state.dictionary;
    let mut known = known_points(c, state.gateway)?;
    let mut paths = SlotPaths::clone(&state.paths);
    let mut present = FxHashSet::default();
    for (slot, point) in &directory.points {
        let row = match known.get(&point.path) {
            Some(old) => {
                update(c, old, *slot, point, newest)?;
                old.row
            }
            None => {
                let row = insert(c, state.gateway, *slot, point, newest)?;
                // A directory that names a path twice must not stop the stream: one point then.
                let definition = json(point)?;
                let entered = Known {
                    row,
                    slot: slot.0,
                    present: newest,
                    definition,
                };
                known.insert(point.path.clone(), entered);
                row
            }
        };
        present.insert(row);
        c.prepare_cached(
            "INSERT INTO slot (epoch, slot, point) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![state.row, slot.0, row])?;
        enter(&mut state.points, *slot, row);
        paths.set(*slot, point.path.clone());
    }
    if newest {
        known.retain(|_, old| old.present && !present.contains(&old.row));
        for gone in known.values() {
            c.prepare_cached("UPDATE point SET present = 0 WHERE row = ?1")?
                .execute([gone.row])?;
        }
        c.prepare_cached("UPDATE epoch SET dictionary = ?2 WHERE row = ?1")?
            .execute(params![state.row, directory.version])?;
        state.dictionary = directory.version;
    }
    state.paths = Arc::new(paths);
    Ok(())
}

fn known_points(c: &Connection, gateway: i64) -> Result<FxHashMap<PointPath, Known>, DbError> {
    let mut known = FxHashMap::default();
    let mut query = c.prepare_cached(
        "SELECT path, row, slot, present, definition FROM point WHERE gateway = ?1",
    )?;
    let mut rows = query.query([gateway])?;
    while let Some(row) = rows.next()? {
        let path: String = row.get(0)?;
        let path = path.parse().map_err(|e| DbError::stored("point path", e))?;
        let point = Known {
            row: row.get(1)?,
            slot: row.get(2)?,
            present: row.get(3)?,
            definition: row.get(4)?,
        };
        known.insert(path, point);
    }
    Ok(known)
}

fn search_text(point: &Point) -> String {
    format!("{} {} {}", point.path, point.name, point.device_name).to_lowercase()
}

fn insert(
    c: &Connection,
    gateway: i64,
    slot: Slot,
    point: &Point,
    present: bool,
) -> Result<i64, DbError> {
    c.prepare_cached(
        "INSERT INTO point (gateway, path, device, slot, present, search, definition)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        gateway,
        point.path.to_string(),
        point.path.device.as_str(),
        slot.0,
        present,
        search_text(point),
        json(point)?
    ])
    .map_err(DbError::sqlite("enter a point"))?;
    Ok(c.last_insert_rowid())
}

fn update(
    c: &Connection,
    old: &Known,
    slot: Slot,
    point: &Point,
    newest: bool,
) -> Result<(), DbError> {
    let definition = json(point)?;
    let same = old.slot == slot.0 && old.present && old.definition == definition;
    if !newest || same {
        return Ok(());
    }
    c.prepare_cached(
        "UPDATE point SET slot = ?2, present = 1, search = ?3, definition = ?4 WHERE row = ?1",
    )?
    .execute(params![old.row, slot.0, search_text(point), definition])
    .map_err(DbError::sqlite("change a point"))?;
    Ok(())
}

impl Db {
    /// Slot → path of the epoch a gateway uses, if it was loaded or applied since start.
    #[must_use]
    pub fn paths(&self, origin: &Origin, epoch: Epoch) -> Option<Arc<SlotPaths>> {
        self.0.directories.get(origin, epoch)
    }

    /// Reads slot → path of an epoch and keeps it at hand for [`Db::paths`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_paths(
        &self,
        origin: &Arc<Origin>,
        epoch: Epoch,
    ) -> Result<Arc<SlotPaths>, DbError> {
        let of = Arc::clone(origin);
        let paths = self
            .read(move |c| {
                let row: Option<i64> = c
                    .prepare_cached(
                        "SELECT epoch.row FROM epoch JOIN gateway ON gateway.row = epoch.gateway
                         WHERE tenant = ?1 AND id = ?2 AND uuid = ?3",
                    )?
                    .query_row(
                        params![of.tenant.as_str(), of.gateway.as_str(), epoch.0.as_bytes()],
                        |r| r.get(0),
                    )
                    .optional()?;
                row.map_or_else(|| Ok(SlotPaths::default()), |row| Ok(load(c, row)?.1))
            })
            .await?;
        Ok(self
            .0
            .directories
            .set_if_absent(origin, epoch, Arc::new(paths)))
    }
}
