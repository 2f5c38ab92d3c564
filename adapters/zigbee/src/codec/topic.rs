//! Topics below the base. Owns which names can be subscribed to: a device's name may have slashes in
//! it and shares the tree with everything else, so topics are built from known names and compared
//! whole, never taken apart.

/// Longest topic, in octets (MQTT 5.0, 1.5.4).
const TOPIC_MAX: usize = 65_535;

/// Whether a name can stand in a topic that is published to and subscribed to.
#[must_use]
pub fn usable(name: &str) -> bool {
    !name.is_empty()
        && name.len() < TOPIC_MAX / 2
        && !name.starts_with(['/', '$'])
        && !name.ends_with('/')
        && name != "bridge"
        && !name.starts_with("bridge/")
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '+' | '#'))
}

/// The bridge's own topics, below the base.
pub const BRIDGE: [&str; 7] = [
    "bridge/state",
    "bridge/info",
    "bridge/devices",
    "bridge/groups",
    "bridge/event",
    "bridge/response/#",
    "bridge/logging",
];

/// The base of a topic `…/bridge/state`, as found when looking for bridges.
#[must_use]
pub fn base_of_state(topic: &str) -> Option<&str> {
    let base = topic.strip_suffix("/bridge/state")?;
    (!base.is_empty()).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_patterns_or_the_bridge_are_not_used() {
        for good in [
            "lamp",
            "floor 1/room 2/lamp",
            "Büro",
            "0x00158d0001a2b3c4",
            "bridges",
        ] {
            assert!(usable(good), "{good}");
        }
        for bad in [
            "",
            "a+b",
            "#",
            "a/#",
            "/a",
            "a/",
            "$SYS/x",
            "bridge",
            "bridge/state",
            "a\nb",
        ] {
            assert!(!usable(bad), "{bad:?}");
        }
    }

    #[test]
    fn the_base_is_what_stands_before_the_bridge() {
        assert_eq!(base_of_state("a/b/bridge/state"), Some("a/b"));
        assert_eq!(base_of_state("bridge/state"), None);
        assert_eq!(base_of_state("a/bridge/info"), None);
    }
}
