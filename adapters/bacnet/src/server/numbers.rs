//! Instance numbers of objects. Owns that a point keeps the number it was given once, over restarts
//! and whatever else comes and goes, and that no number is given to another point later.
//!
//! Kept as notes `objects/0`, `objects/1` …: one line an object, type, number and path, never taken
//! out. A later line for the same point and type counts.

use crate::codec::ObjectType;
use riser_adapter::{Memory, NOTE_LIMIT};
use riser_model::PointPath;
use rustc_hash::{FxHashMap, FxHashSet};

/// Notes at most: 50,000 objects with long paths.
const PAGES: usize = 2000;

/// Numbers given so far.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    given: FxHashMap<(PointPath, ObjectType), u32>,
    taken: FxHashSet<(ObjectType, u32)>,
    next: FxHashMap<ObjectType, u32>,
    reserved: FxHashMap<u32, PointPath>,
    pages: Vec<String>,
    /// The first page that has to be written.
    unsaved: usize,
}

impl Numbers {
    /// With numbers that are for certain points only.
    pub(crate) fn new<'a>(reserved: impl Iterator<Item = (u32, &'a PointPath)>) -> Self {
        Self {
            reserved: reserved.map(|(n, path)| (n, path.clone())).collect(),
            ..Self::default()
        }
    }

    /// Reads what was given before.
    pub(crate) async fn load(&mut self, memory: &dyn Memory) {
        while let Some(page) = memory.get(&note(self.pages.len())).await {
            for line in page.lines() {
                self.take(line);
            }
            self.pages.push(page);
            if self.pages.len() >= PAGES {
                break;
            }
        }
        self.unsaved = self.pages.len();
    }

    /// Writes what is new.
    pub(crate) async fn save(&mut self, memory: &dyn Memory) {
        for (nth, page) in self.pages.iter().enumerate().skip(self.unsaved) {
            memory.put(&note(nth), Some(page.clone())).await;
        }
        self.unsaved = self.pages.len();
    }

    fn take(&mut self, line: &str) {
        let mut words = line.split(' ');
        let kind = words.next().and_then(|w| w.parse().ok()).map(ObjectType);
        let number = words.next().and_then(|w| w.parse().ok());
        let path = words.next().and_then(|w| w.parse().ok());
        let (Some(kind), Some(number), Some(path)) = (kind, number, path) else {
            return;
        };
        // Never given again, even where it has been taken away from this point since.
        self.taken.insert((kind, number));
        if self
            .reserved
            .get(&number)
            .is_none_or(|owner| *owner == path)
        {
            self.given.insert((path, kind), number);
        }
    }

    /// The number of a point as an object of this type.
    pub(crate) fn of(&mut self, path: &PointPath, kind: ObjectType, wanted: Option<u32>) -> u32 {
        let key = (path.clone(), kind);
        let before = self.given.get(&key).copied();
        if let Some(number) = before.filter(|n| wanted.is_none_or(|w| w == *n)) {
            return number;
        }
        let number = wanted.unwrap_or_else(|| self.free(kind));
        self.given.insert(key, number);
        self.taken.insert((kind, number));
        self.write(&format!("{} {number} {path}\n", kind.0));
        number
    }

    fn free(&mut self, kind: ObjectType) -> u32 {
        let next = self.next.entry(kind).or_insert(1);
        while self.taken.contains(&(kind, *next)) || self.reserved.contains_key(next) {
            *next += 1;
        }
        *next
    }

    fn write(&mut self, line: &str) {
        let pages = self.pages.len();
        match self.pages.last_mut() {
            Some(page) if page.len() + line.len() <= NOTE_LIMIT => {
                page.push_str(line);
                self.unsaved = self.unsaved.min(pages - 1);
            }
            _ if pages < PAGES => self.pages.push(line.to_owned()),
            _ => tracing::warn!("no more object numbers can be kept"),
        }
    }
}

fn note(page: usize) -> String {
    format!("objects/{page}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_adapter_testkit::Notes;

    fn path(text: &str) -> PointPath {
        text.parse().unwrap()
    }

    const AV: ObjectType = ObjectType::ANALOG_VALUE;

    #[tokio::test]
    async fn a_point_keeps_its_number_whatever_comes_and_goes() {
        let notes = Notes::default();
        let mut first = Numbers::default();
        first.load(&notes).await;
        let given: Vec<u32> = (0..500)
            .map(|n| first.of(&path(&format!("device-{n}/point")), AV, None))
            .collect();
        assert_eq!(given, (1..=500).collect::<Vec<u32>>());
        assert_eq!(
            first.of(&path("device-7/point"), ObjectType::ANALOG_INPUT, None),
            1
        );
        first.save(&notes).await;
        assert!(notes.all().len() > 2, "{:?}", notes.all().keys());

        let named = path("boiler/flow");
        let reserved = path("device-9/other");
        let mut second = Numbers::new([(10, &reserved), (501, &named)].into_iter());
        second.load(&notes).await;
        assert_eq!(second.of(&path("device-3/point"), AV, None), 4);
        // 10 was device-9/point's: it is another's by name now, and the one before gets a new one.
        assert_eq!(second.of(&reserved, AV, Some(10)), 10);
        assert_eq!(second.of(&path("device-9/point"), AV, None), 502);
        assert_eq!(second.of(&named, AV, Some(501)), 501);
        second.save(&notes).await;

        let mut third = Numbers::default();
        third.load(&notes).await;
        assert_eq!(third.of(&path("device-9/point"), AV, None), 502);
        assert_eq!(third.of(&path("new/point"), AV, None), 503);
        assert_eq!(third.of(&named, AV, None), 501);
    }
}
