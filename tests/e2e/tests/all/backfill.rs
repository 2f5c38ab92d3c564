//! `kill -9` of the gateway while it fills in history that another system kept: it goes on by itself,
//! every hour is there once, on the gateway and in the cloud, and none is missing.

use crate::homeassistant::Fake;
use riser_e2e::cloud::{Cloud, parse_csv};
use riser_e2e::lab::GATEWAY;
use riser_e2e::local::Local;
use riser_e2e::{Lab, alone, until};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

const HOUR: i64 = 3_600_000;
/// Days of history: some seconds of filling in, a request for each week of them.
const DAYS: i64 = 300;
/// How many weeks have been asked for when the gateway is killed.
const KILLS: [usize; 4] = [4, 11, 20, 30];
const POINTS: [&str; 2] = ["sensor/meter", "sensor/outside_temperature"];
const PATIENCE: Duration = Duration::from_secs(60);

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_millis()).expect("it fits")
}

/// The hours of samples, and how many samples there are.
fn hours(samples: &[(i64, f64)], (from, to): (i64, i64)) -> (BTreeSet<i64>, usize) {
    let within = samples.iter().filter(|(at, _)| (from..to).contains(at));
    let hours: Vec<i64> = within.map(|(at, _)| at.div_euclid(HOUR)).collect();
    (hours.iter().copied().collect(), hours.len())
}

/// What the gateway has stored; nothing while the point is not declared again after a start.
async fn at_the_gateway(local: &Local, path: &str, (from, to): (i64, i64)) -> Vec<(i64, f64)> {
    let ask = format!("/api/v1/points/{path}/samples.csv?from={from}&to={to}");
    samples(&local.text(&ask).await)
}

async fn in_the_cloud(cloud: &Cloud, path: &str, (from, to): (i64, i64)) -> Vec<(i64, f64)> {
    let ask = format!("/api/v1/gateways/{GATEWAY}/points/{path}/samples.csv?from={from}&to={to}");
    samples(&cloud.text(&ask).await)
}

fn samples(csv: &str) -> Vec<(i64, f64)> {
    match csv.starts_with('{') {
        true => Vec::new(),
        false => parse_csv(csv),
    }
}

async fn kill_while_it_fills_in(lab: &mut Lab, local: &Local, fake: &Fake, range: (i64, i64)) {
    let asked = || fake.faults.asked.load(Ordering::SeqCst);
    let mut begun = 0;
    for (round, wanted) in KILLS.into_iter().enumerate() {
        until("some weeks are asked for", PATIENCE, || async {
            (asked() - begun >= wanted).then_some(())
        })
        .await;
        lab.gateway.kill().await;
        begun = asked();
        lab.gateway.start();
        lab.serving_local(local).await;
        let stored = until("the points are back", PATIENCE, || async {
            let stored = at_the_gateway(local, POINTS[0], range).await;
            (!stored.is_empty()).then_some(stored.len())
        })
        .await;
        eprintln!(
            "round {round}: killed after {wanted} weeks were asked for; {stored} hours stored when it was back"
        );
    }
}

/// Waits until every hour is there, and fails when one is there twice.
async fn each_once(what: &str, cloud: Option<&Cloud>, local: &Local, range: (i64, i64)) {
    let wanted = usize::try_from((range.1 - range.0) / HOUR).expect("hours");
    for path in POINTS {
        let look = || async {
            let samples = match cloud {
                Some(cloud) => in_the_cloud(cloud, path, range).await,
                None => at_the_gateway(local, path, range).await,
            };
            let (hours, count) = hours(&samples, range);
            assert_eq!(hours.len(), count, "{path} {what}: an hour is there twice");
            (count == wanted).then_some(())
        };
        until(
            &format!("all {wanted} hours of {path} {what}"),
            PATIENCE,
            look,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_while_history_is_filled_in_double_nothing_and_lose_nothing() {
    let _turn = alone().await;
    let fake = Fake::start().await;
    // It is not to be done before the first kill.
    fake.faults.slow.store(2000, Ordering::SeqCst);
    let house = format!(
        "[[adapter]]\nkind = \"homeassistant\"\nname = \"house\"\n{}backfill_days = {DAYS}\n",
        fake.config()
    );
    let end = now().div_euclid(HOUR) * HOUR;
    // The first hour may have left the range when the last connection was made.
    let range = (end - (DAYS * 24 - 1) * HOUR, end);
    let (mut lab, local, cloud) = Lab::start(&house).await;
    fake.faults.slow.store(50, Ordering::SeqCst);
    kill_while_it_fills_in(&mut lab, &local, &fake, range).await;
    each_once("at the gateway", None, &local, range).await;
    each_once("in the cloud", Some(&cloud), &local, range).await;
    let weeks = fake.faults.asked.load(Ordering::SeqCst);
    eprintln!("{weeks} weeks were asked for in all");
}
