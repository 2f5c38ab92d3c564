//! What is to be published. Owns the bound: one text a topic, the last one, so that a slow broker makes
//! nothing grow; and how many are with the client unacknowledged.

use std::collections::{HashMap, VecDeque};

/// Messages the client may hold unacknowledged.
const UNDER_WAY: usize = 64;

/// One retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: String,
}

/// Messages on their way, the oldest topic first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    order: VecDeque<String>,
    last: HashMap<String, String>,
    under_way: usize,
}

impl Outbox {
    /// Puts a message in line, or in the place of an older one of its topic.
    pub(super) fn push(&mut self, topic: String, payload: String) {
        if self.last.insert(topic.clone(), payload).is_none() {
            self.order.push_back(topic);
        }
    }

    /// The next message, where there is room for one.
    pub(super) fn next(&mut self) -> Option<Message> {
        if self.under_way >= UNDER_WAY {
            return None;
        }
        let topic = self.order.pop_front()?;
        let payload = self.last.remove(&topic)?;
        self.under_way += 1;
        Some(Message { topic, payload })
    }

    /// The client did not take it after all.
    pub(super) fn back(&mut self, message: Message) {
        self.acknowledged();
        if let std::collections::hash_map::Entry::Vacant(place) = self.last.entry(message.topic) {
            self.order.push_front(place.key().clone());
            place.insert(message.payload);
        }
    }

    /// The broker acknowledged one.
    pub(super) fn acknowledged(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// The connection is over; everything is told anew with the next.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_waits_once_with_its_last_text_and_few_are_under_way() {
        let mut outbox = Outbox::default();
        for n in 0..1000 {
            outbox.push(format!("t/{}", n % 100), n.to_string());
        }
        assert_eq!((outbox.order.len(), outbox.last.len()), (100, 100));
        let first = outbox.next().unwrap();
        assert_eq!((&*first.topic, &*first.payload), ("t/0", "900"));
        outbox.back(first.clone());
        assert_eq!(outbox.next(), Some(first));
        let mut sent = 1;
        while outbox.next().is_some() {
            sent += 1;
        }
        assert_eq!(sent, UNDER_WAY);
        outbox.acknowledged();
        assert!(outbox.next().is_some());
    }

    #[test]
    fn what_comes_back_does_not_replace_what_is_newer() {
        let mut outbox = Outbox::default();
        outbox.push("t".into(), "1".into());
        let old = outbox.next().unwrap();
        outbox.push("t".into(), "2".into());
        outbox.back(old);
        assert_eq!(outbox.next().unwrap().payload, "2");
        assert_eq!(outbox.next(), None);
    }
}
