//! What a document would bring that does not run yet. Owns the answer to somebody who puts one
//! together: every problem with its place, the points that would appear, what is hardly meant.

use super::desk::{Answer, Desk};
use super::secret::revealed;
use crate::config::{Config, Problems};
use riser_model::configuration::POINTS_MAX;
use riser_model::{
    ConfigurationPoint, ConfigurationPreview, ConfigurationProblem, ConfigurationReply,
};

impl Desk {
    /// Looks at a document without applying it.
    pub(super) fn preview(&self, given: &str) -> Answer {
        let mut preview = ConfigurationPreview::default();
        let text = revealed(given, &self.parts.document.text);
        let parsed = text.map(|text| self.parts.place.parse("document", &text));
        match parsed {
            Err(problem) => preview.problems.push(whole(problem)),
            Ok(Err(problems)) => preview.problems = placed(problems),
            Ok(Ok((config, _))) => match self.read(given) {
                Err(refused) => preview.problems.push(whole(refused.message)),
                Ok((_, document)) => {
                    let changed = document.sha256 != self.parts.document.sha256;
                    preview.answer = Some(self.done(&document, changed));
                    self.describe(&config, &mut preview);
                }
            },
        }
        Ok(ConfigurationReply::Previewed(preview))
    }

    fn describe(&self, config: &Config, preview: &mut ConfigurationPreview) {
        let new = config.points.iter();
        let new = new.filter(|p| self.parts.runtime.slot(&p.path).is_none());
        for point in new {
            preview.points_total += 1;
            if preview.points.len() < POINTS_MAX {
                preview.points.push(ConfigurationPoint {
                    path: point.path.to_string(),
                    name: point.name.clone(),
                    unit: point.unit.map(|unit| unit.symbol().to_owned()),
                    writable: point.access.writable(),
                });
            }
        }
        let known = &self.parts.config.doubts;
        let doubts = config.doubts.iter().filter(|d| !known.contains(d));
        preview.doubts = doubts.cloned().collect();
    }
}

fn whole(text: String) -> ConfigurationProblem {
    ConfigurationProblem {
        at: String::new(),
        text,
    }
}

fn placed(problems: Problems) -> Vec<ConfigurationProblem> {
    let placed = |p: crate::config::Problem| ConfigurationProblem {
        at: p.at,
        text: p.text,
    };
    problems.0.into_iter().map(placed).collect()
}
