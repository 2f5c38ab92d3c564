//! Which points, as people write it: `ahu-1/*`, `*/co2`, `ahu-?/supply_*`. Pure.

use riser_model::PointPath;

/// A pattern of a path: `*` is any run of characters, `?` any one, never the slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    device: String,
    point: String,
}

impl Pattern {
    /// Reads one. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no pattern of points; write device/point, with * and ? in either, such as ahu-1/* or */*"
            )
        };
        let (device, point) = text.split_once('/').ok_or_else(wrong)?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-*?".contains(c);
        if device.is_empty()
            || point.is_empty()
            || !device.chars().chain(point.chars()).all(allowed)
        {
            return Err(wrong());
        }
        Ok(Self {
            device: device.to_owned(),
            point: point.to_owned(),
        })
    }

    /// Whether a point is meant.
    pub(crate) fn matches(&self, path: &PointPath) -> bool {
        matches(self.device.as_bytes(), path.device.as_str().as_bytes())
            && matches(self.point.as_bytes(), path.point.as_str().as_bytes())
    }
}

/// Walks both at once and goes back to the last star only, so that it takes no more than one times
/// the other.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(wanted) if wanted == letter => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((after, at)) => {
                    star = Some((after, at + 1));
                    (p, t) = (after, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stay_on_their_side_of_the_slash() {
        let path: PointPath = "ahu-12/supply_temp".parse().unwrap();
        for (pattern, meant) in [
            ("ahu-12/supply_temp", true),
            ("*/*", true),
            ("ahu-*/*_temp", true),
            ("ahu-1?/s*p*t*", true),
            ("ahu-?/*", false),
            ("*/temp", false),
            ("*/supply", false),
            ("**/**", true),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(&path), meant, "{pattern}");
        }
        for wrong in ["", "*", "a/", "/b", "a/b/c", "A/b", "a b/c"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
