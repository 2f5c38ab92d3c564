//! What a configuration changed, as the audit log says it. Owns how much of it there is room for: the
//! detail of an entry is bounded and must stay JSON, so whole differences are left out and counted.

use riser_model::ConfigurationDifference;
use serde_json::{Value, json};

/// Octets of the detail of an entry that are left for differences.
const ROOM: usize = 2_200;
/// Longest value shown, in characters.
const VALUE_MAX: usize = 120;

/// Adds to `detail` the first differences, and how many more there are.
pub(crate) fn tell(detail: &mut Value, differences: &[ConfigurationDifference]) {
    let mut left = ROOM;
    let told: Vec<Value> = differences
        .iter()
        .map(told)
        .take_while(|change| {
            let fits = change.to_string().len() < left;
            left = left.saturating_sub(change.to_string().len() + 1);
            fits
        })
        .collect();
    let more = differences.len() - told.len();
    if !told.is_empty() {
        detail["changes"] = Value::Array(told);
    }
    if more > 0 {
        detail["more_changes"] = json!(more);
    }
}

fn told(difference: &ConfigurationDifference) -> Value {
    let short = |text: &Option<String>| text.as_deref().map(shortened);
    json!({
        "at": shortened(&difference.at),
        "before": short(&difference.before),
        "after": short(&difference.after),
    })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use riser_model::AUDIT_TEXT_MAX;

    fn difference(n: usize, after: &str) -> ConfigurationDifference {
        ConfigurationDifference {
            at: format!("rule[{n}].condition.limit"),
            before: Some("70.0".to_owned()),
            after: Some(after.to_owned()),
        }
    }

    #[test]
    fn few_are_told_whole_and_none_is_not_mentioned() {
        let mut detail = json!({});
        tell(&mut detail, &[]);
        assert_eq!(detail, json!({}));
        tell(&mut detail, &[difference(1, "72.0")]);
        let one = json!({"at": "rule[1].condition.limit", "before": "70.0", "after": "72.0"});
        assert_eq!(detail, json!({ "changes": [one] }));
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        // The worst that can stand beside them: a note of 200 characters, each escaped.
        let note = "\u{1}".repeat(200);
        let mut detail = json!({ "sha256": "0".repeat(64), "before": "0".repeat(64),
            "until": i64::MAX, "note": note, "request": "0".repeat(36) });
        let long = "ä".repeat(5_000);
        let many: Vec<_> = (0..300).map(|n| difference(n, &long)).collect();
        tell(&mut detail, &many);
        let told = detail["changes"].as_array().map(Vec::len);
        assert!(told.is_some_and(|n| n >= 4), "{told:?}");
        let more = detail["more_changes"].as_u64();
        assert_eq!(
            told.map(|n| n as u64).zip(more).map(|(a, b)| a + b),
            Some(300)
        );
        assert!(
            detail.to_string().len() <= AUDIT_TEXT_MAX,
            "{}",
            detail.to_string().len()
        );
    }
}
