//! Which points there are and who declared them. Owns the two ways to find one: by path, in order,
//! and by a piece of text.

use crate::views::PointFilter;
use riser_model::{Point, PointPath, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A declared point and who declared it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) point: Arc<Point>,
    pub(crate) adapter: Arc<str>,
}

/// All points.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    entries: Vec<Option<Entry>>,
    /// By slot: path and names in lower case, made once so that a search makes nothing.
    texts: Vec<Box<str>>,
    by_path: BTreeMap<PointPath, Slot>,
}

impl Directory {
    /// Adds a point or takes over its new description; `Err` is the entry of the adapter that
    /// owns the path.
    pub(crate) fn add(&mut self, slot: Slot, entry: Entry) -> Result<(), Entry> {
        let index = slot.index();
        if self.entries.len() <= index {
            self.entries.resize(index + 1, None);
            self.texts.resize(index + 1, Box::default());
        }
        if let Some(known) = &self.entries[index]
            && known.adapter != entry.adapter
        {
            return Err(known.clone());
        }
        let point = &entry.point;
        let text = format!("{}\n{}\n{}", point.path, point.name, point.device_name);
        self.texts[index] = text.to_lowercase().into();
        self.by_path.insert(point.path.clone(), slot);
        self.entries[index] = Some(entry);
        Ok(())
    }

    /// Removes every point of an adapter; answers with their slots.
    pub(crate) fn remove(&mut self, adapter: &str) -> Vec<Slot> {
        let theirs = |entry: &Option<Entry>| {
            let entry = entry.as_ref();
            entry.is_some_and(|entry| *entry.adapter == *adapter)
        };
        let mut removed = Vec::new();
        for (slot, entry) in (0..).map(Slot).zip(&mut self.entries) {
            if theirs(entry)
                && let Some(entry) = entry.take()
            {
                self.by_path.remove(&entry.point.path);
                self.texts[slot.index()] = Box::default();
                removed.push(slot);
            }
        }
        removed
    }

    pub(crate) fn slot(&self, path: &PointPath) -> Option<Slot> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot.index())?.as_ref()
    }

    /// The point of a path with its slot.
    pub(crate) fn find(&self, path: &PointPath) -> Option<(Slot, &Entry)> {
        let slot = self.slot(path)?;
        Some((slot, self.entry(slot)?))
    }

    /// Every point, in order of paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        self.by_path
            .values()
            .filter_map(|slot| Some((*slot, self.entry(*slot)?)))
    }

    /// The slots of the points a filter lets through, its quality and page left aside, in order
    /// of paths.
    pub(crate) fn matching(&self, filter: &PointFilter) -> Vec<Slot> {
        let wanted = filter.search.as_deref().map(str::trim).unwrap_or_default();
        let wanted = wanted.to_lowercase();
        self.iter()
            .filter(|(_, entry)| {
                let device = filter.device.as_ref();
                device.is_none_or(|d| *d == entry.point.path.device)
            })
            .map(|(slot, _)| slot)
            .filter(|slot| wanted.is_empty() || self.texts[slot.index()].contains(&wanted))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::point;
    use riser_model::Key;

    fn directory(paths: &[&str]) -> Directory {
        let mut directory = Directory::default();
        for (slot, path) in (0..).map(Slot).zip(paths) {
            let entry = Entry {
                point: Arc::new(point(path)),
                adapter: "a".into(),
            };
            directory.add(slot, entry).unwrap();
        }
        directory
    }

    #[test]
    fn points_are_listed_in_order_of_paths_and_found_by_text_in_any_case() {
        let directory = directory(&["b/two", "a/two", "a/one"]);
        let all = directory.matching(&PointFilter::default());
        assert_eq!(all, vec![Slot(2), Slot(1), Slot(0)]);
        let search = |text: &str| {
            directory.matching(&PointFilter {
                search: Some(text.into()),
                ..PointFilter::default()
            })
        };
        assert_eq!(search(" TWO "), vec![Slot(1), Slot(0)]);
        assert_eq!(search("nothing"), vec![]);
        let of_device = directory.matching(&PointFilter {
            device: Some(Key::new("b").unwrap()),
            ..PointFilter::default()
        });
        assert_eq!(of_device, vec![Slot(0)]);
    }

    #[test]
    fn the_points_of_an_adapter_go_with_it_and_may_come_back() {
        let mut directory = directory(&["a/one", "a/two"]);
        assert_eq!(directory.remove("b"), vec![]);
        assert_eq!(directory.remove("a"), vec![Slot(0), Slot(1)]);
        assert_eq!(directory.matching(&PointFilter::default()), vec![]);
        let entry = Entry {
            point: Arc::new(point("a/two")),
            adapter: "b".into(),
        };
        directory.add(Slot(1), entry).unwrap();
        assert_eq!(directory.matching(&PointFilter::default()), vec![Slot(1)]);
    }

    #[test]
    fn a_path_belongs_to_the_adapter_that_declared_it_first() {
        let mut directory = directory(&["a/one"]);
        let entry = Entry {
            point: Arc::new(point("a/one")),
            adapter: "b".into(),
        };
        let owner = directory.add(Slot(0), entry).unwrap_err();
        assert_eq!(&*owner.adapter, "a");
    }
}
