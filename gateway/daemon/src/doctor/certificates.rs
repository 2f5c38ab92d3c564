//! Certificates: whether they can be used, for whom they are, how long they last.

use super::finding::Finding;
use crate::certificate::{self, Certificate};
use crate::config::Config;
use riser_model::Timestamp;
use std::path::Path;

/// Days before the end at which somebody should know.
const SOON_DAYS: i64 = 30;

/// Looks at the certificates the configuration names. Whether key and certificate belong together
/// was checked with the configuration.
pub(super) fn look(config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .identity_problems
        .0
        .iter()
        .map(|problem| {
            let place = problem.file.display().to_string();
            let advice = "put the files of this gateway's identity in place; it collects meanwhile";
            Finding::broken("identity", &place, &problem.text, advice)
        })
        .collect();
    if let Some(cloud) = config.cloud.as_ref().filter(|_| findings.is_empty()) {
        findings.extend([lasting(&cloud.cert, now), lasting(&cloud.ca, now)]);
    }
    if let Some(tls) = &config.http.tls {
        findings.push(lasting(&tls.cert, now));
    }
    findings
}

fn lasting(path: &Path, now: Timestamp) -> Finding {
    let place = path.display().to_string();
    match certificate::read(path) {
        Ok(certificate) => judge(&place, &certificate, now),
        Err(error) => {
            let advice = "put a PEM certificate in place";
            Finding::broken("certificate", &place, &error.problem, advice)
        }
    }
}

fn judge(place: &str, certificate: &Certificate, now: Timestamp) -> Finding {
    let subject = &certificate.subject;
    let days = certificate.until.since(now) / Timestamp::DAY;
    if certificate.from > now {
        let days = certificate.from.since(now) / Timestamp::DAY;
        let text = format!("{subject}: good only from {days} days from now on");
        let advice = "set the clock, or wait, or ask for another certificate";
        return Finding::broken("certificate", place, &text, advice);
    }
    if certificate.until <= now {
        let text = format!("{subject}: expired {} days ago", -days);
        let advice = "renew it (or set the clock, if that is wrong)";
        return Finding::broken("certificate", place, &text, advice);
    }
    let text = format!("{subject}: good for {days} more days");
    if days < SOON_DAYS {
        return Finding::doubtful("certificate", place, &text, "renew it soon");
    }
    Finding::good("certificate", place, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_certificate_is_judged_by_the_day() {
        let certificate = Certificate {
            subject: "CN=gw".into(),
            uris: vec![],
            from: Timestamp(10 * Timestamp::DAY),
            until: Timestamp(100 * Timestamp::DAY),
        };
        let on = |day: i64| judge("x", &certificate, Timestamp(day * Timestamp::DAY)).verdict;
        assert_eq!(on(9), Verdict::Broken);
        assert_eq!(on(10), Verdict::Good);
        assert_eq!(on(70), Verdict::Good);
        assert_eq!(on(71), Verdict::Doubtful);
        assert_eq!(on(100), Verdict::Broken);
    }
}
