//! Whether the sections fit together: adapters can be built, nothing is claimed twice, rules speak
//! of points there are, certificates can be used. Owns the checks across sections.

use super::load::{Place, Reading};
use super::{AdapterEntry, Config};
use crate::certificate;
use riser_adapter::ConfigError;
use riser_model::{Key, PointPath};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Checks everything and fills in what only the whole can tell.
pub(super) fn check(
    reading: &mut Reading,
    config: &mut Config,
    top: &Place,
    adapters: Vec<(AdapterEntry, Place)>,
) {
    ranges(reading, config, top);
    build(reading, config, adapters);
    let errors = riser_rules::check(&config.rules, &config.points);
    let names: Vec<Key> = config.rules.iter().map(|rule| rule.key.clone()).collect();
    let more = riser_rules::check_schedules(&config.schedules, &config.points, &names);
    for error in errors.into_iter().chain(more) {
        reading.wrong(top, &error.at, error.problem);
    }
    if let Some(tls) = &mut config.http.tls {
        tls.cert = reading.path(std::mem::take(&mut tls.cert));
        tls.key = reading.path(std::mem::take(&mut tls.key));
        match riser_api::load_tls(&tls.files()) {
            Ok(tls) => config.tls = Some(tls),
            Err(error) => reading.wrong(top, "http.tls", riser_model::chain(&error)),
        }
    }
    config.identity_problems = reading.apart(|reading| identity(reading, config, top));
}

fn ranges(reading: &mut Reading, config: &Config, top: &Place) {
    let http = &config.http;
    let storage = &config.storage;
    let day = 24 * 60;
    for (at, value, least, most) in [
        (
            "http.session_idle_minutes",
            http.session_idle_minutes,
            5,
            30 * day,
        ),
        ("http.session_days", http.session_days, 1, 365),
        (
            "storage.commit_interval_ms",
            storage.commit_interval_ms,
            50,
            60_000,
        ),
        ("storage.retention_days", storage.retention_days, 1, 36_500),
        (
            "storage.history_max_mb",
            storage.history_max_mb.unwrap_or(16),
            16,
            100_000_000,
        ),
        ("storage.min_free_mb", storage.min_free_mb, 16, 1_000_000),
        (
            "configuration.settle_seconds",
            config.configuration.settle_seconds,
            1,
            3_600,
        ),
        (
            "configuration.link_seconds",
            config.configuration.link_seconds,
            1,
            3_600,
        ),
        (
            "gateway.clock_hold_hours",
            config.gateway.clock_hold_hours,
            0,
            720,
        ),
        (
            "storage.queue_samples",
            storage.queue_samples,
            10_000,
            50_000_000,
        ),
    ] {
        if !(least..=most).contains(&value) {
            let text = format!("{value} is not between {least} and {most}");
            reading.wrong(top, at, text);
        }
    }
}

fn build(reading: &mut Reading, config: &mut Config, adapters: Vec<(AdapterEntry, Place)>) {
    let mut names = BTreeSet::new();
    let mut devices: BTreeMap<Key, String> = BTreeMap::new();
    let mut paths: BTreeSet<PointPath> = BTreeSet::new();
    for (entry, place) in adapters {
        if !names.insert(entry.name.clone()) {
            let text = format!(
                "two adapters are named '{}'; give one another name",
                entry.name
            );
            reading.wrong(&place, "name", text);
            continue;
        }
        let built = (entry.kind.build)(&entry.table, &entry.context);
        let Some(built) = reading.take(&place, built) else {
            continue;
        };
        let of = |doubt| format!("adapter '{}': {doubt}", entry.name);
        config
            .doubts
            .extend(built.adapter.doubts().into_iter().map(of));
        // Without the adapter the points are nobody else's and need no copy.
        drop(built.adapter);
        for point in built.points {
            let device = &point.path.device;
            let owner = devices.entry(device.clone()).or_insert(entry.name.clone());
            if *owner != entry.name {
                let text = format!(
                    "device '{device}' of adapter '{}' is already one of adapter '{owner}'; give \
                     one of the two another key",
                    entry.name
                );
                reading.wrong(&place, "", text);
                break;
            }
            if !paths.insert(point.path.clone()) {
                let text = format!(
                    "point '{}' is there twice; give one another key",
                    point.path
                );
                reading.wrong(&place, "", text);
                continue;
            }
            config.points.push(Arc::unwrap_or_clone(point));
        }
        config.adapters.push(entry);
    }
}

fn identity(reading: &mut Reading, config: &Config, top: &Place) {
    let Some(cloud) = &config.cloud else {
        return;
    };
    let place = top.within("cloud");
    if let Err(error) = certificate::client_tls(cloud) {
        reading.wrong(&place, error.key(), riser_model::chain(&error));
        return;
    }
    let own = format!("urn:riser:{}:{}", config.gateway.tenant, config.gateway.id);
    let named = certificate::read(&cloud.cert).and_then(|certificate| {
        if certificate.uris.contains(&own) {
            return Ok(());
        }
        let names = match certificate.uris.as_slice() {
            [] => "no gateway at all".to_owned(),
            some => some.join(", "),
        };
        Err(ConfigError::new(
            "cert",
            format!(
                "{} is for {names}, but [gateway] says {own}; correct 'tenant' and 'id', or ask \
                 for a certificate of this gateway",
                cloud.cert.display()
            ),
        ))
    });
    reading.take(&place, named);
}
