//! The cloud is cut off for a minute: the building goes on by itself, and afterwards nothing is
//! missing and nothing is doubled.

use riser_e2e::cloud::{Cloud, Live};
use riser_e2e::lab::GATEWAY;
use riser_e2e::local::Local;
use riser_e2e::numbered::{Numbered, PLAIN};
use riser_e2e::proxy::Mode;
use riser_e2e::{Lab, alone, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Points of the numbered device.
pub(crate) const POINTS: usize = 20;

/// A lane with the numbered device, `interval` milliseconds a scan.
pub(crate) fn numbered_building(port: u16, interval: u32) -> String {
    let points: String = (0..POINTS)
        .map(|i| {
            format!(
                "  {{ key = \"n{i}\", address = {}, type = \"u32\" }},\n",
                2 * i
            )
        })
        .collect();
    format!(
        "[[adapter]]\nkind = \"modbus\"\nname = \"field\"\n\
         [[adapter.lane]]\nkey = \"lane\"\ntransport = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
         [[adapter.device]]\nkey = \"num\"\nname = \"Numbered\"\nlane = \"lane\"\ninterval_ms = {interval}\n\
         point = [\n{points}  {{ key = \"relay\", address = {PLAIN}, type = \"u16\", access = \"read_write\", write_function = 6, interval_ms = 60000 }},\n]\n"
    )
}

/// Fails unless each of 1..=`last` is there exactly once.
pub(crate) fn exactly_once(point: &str, samples: &[(i64, f64)], last: u32) {
    let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
    for (_, value) in samples {
        *seen.entry(value.to_bits()).or_default() += 1;
    }
    let of = |n: u32| seen.get(&f64::from(n).to_bits()).copied().unwrap_or(0);
    let missing: Vec<u32> = (1..=last).filter(|n| of(*n) == 0).collect();
    let doubled: Vec<u32> = (1..=last).filter(|n| of(*n) > 1).collect();
    assert!(
        missing.is_empty() && doubled.is_empty(),
        "{point}: missing {missing:?}, doubled {doubled:?} of {last}"
    );
}

/// Waits until scan `last` is in the cloud, then fails unless every scan up to it is there once.
pub(crate) async fn all_exactly_once(cloud: &Cloud, last: u32) {
    until(
        "everything collected is in the cloud",
        Duration::from_secs(60),
        || async {
            let samples = cloud.samples(GATEWAY, "num/n19").await;
            (samples.iter().any(|(_, v)| *v >= f64::from(last)) && samples.len() >= last as usize)
                .then_some(())
        },
    )
    .await;
    for point in [0, 7, 19] {
        let path = format!("num/n{point}");
        exactly_once(&path, &cloud.samples(GATEWAY, &path).await, last);
    }
}

const LIMIT: u32 = 150;

/// What must happen in the building while the cloud is away; answers the alarm.
async fn the_building_acts_alone(local: &Local, device: &Numbered) -> Value {
    let alarm = until(
        "the alarm is raised without the cloud",
        Duration::from_secs(60),
        || async {
            let (_, body) = local.get("/api/v1/alarms?state=open").await;
            body["alarms"].as_array().and_then(|a| a.first().cloned())
        },
    )
    .await;
    assert_eq!(
        alarm["value"],
        LIMIT + 1,
        "raised by the first scan above the limit"
    );
    until(
        "the rule's write is at the device",
        Duration::from_secs(2),
        || async { (device.plain(0) == 7).then_some(()) },
    )
    .await;
    let link = local.get("/api/v1/overview").await.1["link"]["state"].clone();
    assert_ne!(link, "live", "a cut link must not be called live");
    alarm
}

/// Live values must come within two seconds of the gateway being back, before the backlog.
async fn live_values_come_first(cloud: &Cloud, live: &mut Live, above: u32) {
    let connected = until(
        "the gateway is connected again",
        Duration::from_secs(90),
        || async {
            let gateway = cloud.gateway(GATEWAY).await?;
            (gateway["connected"] == true).then(Instant::now)
        },
    )
    .await;
    let fresh = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let message = live.next().await.expect("the live stream stays open");
            let values = message["values"].as_array().cloned().unwrap_or_default();
            if values
                .iter()
                .any(|v| v["value"].as_f64() > Some(f64::from(above)))
            {
                return connected.elapsed();
            }
        }
    })
    .await
    .expect("live values after reconnecting");
    assert!(
        fresh <= Duration::from_secs(2),
        "live values took {fresh:?} after reconnecting"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_without_the_cloud_loses_and_doubles_nothing() {
    let _turn = alone().await;
    let device = Numbered::start().await;
    let rules = format!(
        "[[rule]]\nkey = \"high\"\npoint = \"num/n0\"\ncondition = {{ test = \"above\", limit = {LIMIT} }}\n\
         action.raise_alarm = {{ priority = \"high\", message = \"Number is high\" }}\n\
         [[rule]]\nkey = \"relay\"\npoint = \"num/n0\"\ncondition = {{ test = \"above\", limit = {LIMIT} }}\n\
         action.write = {{ point = \"num/relay\", value = 7, on_end = \"keep\" }}\n"
    );
    let (lab, local, cloud) = Lab::start(&(numbered_building(device.port, 200) + &rules)).await;
    until(
        "the cloud shows the gateway's values",
        Duration::from_secs(20),
        || async {
            cloud
                .point(GATEWAY, "num/n0")
                .await
                .filter(|p| p["value"].as_f64() > Some(5.0))
        },
    )
    .await;
    assert!(
        device.answered() < LIMIT - 20,
        "the cut must come before the alarm"
    );
    lab.link.set(Mode::Cut);
    let cut = Instant::now();

    let alarm = the_building_acts_alone(&local, &device).await;
    let mut live = cloud.live(GATEWAY, &["num/n0"]).await;
    // A dashboard that is open all the while, answering the cloud's pings.
    let rest = Duration::from_secs(60).saturating_sub(cut.elapsed());
    let ended = tokio::time::timeout(rest, async { while live.next().await.is_some() {} }).await;
    assert!(ended.is_err(), "the live stream stays open without values");
    let at_heal = device.answered();
    lab.link.set(Mode::Pass);
    live_values_come_first(&cloud, &mut live, at_heal).await;

    all_exactly_once(&cloud, device.answered()).await;
    let raised = until(
        "the alarm is in the cloud",
        Duration::from_secs(5),
        || async {
            let (_, body) = cloud.get("/api/v1/alarms?state=open").await;
            body["alarms"].as_array().filter(|a| !a.is_empty()).cloned()
        },
    )
    .await;
    assert_eq!(
        raised.len(),
        1,
        "one alarm, not one for each resend: {raised:?}"
    );
    assert_eq!(raised[0]["id"], alarm["id"]);
}

/// The newest day's file.
fn newest_day(lab: &Lab) -> Option<rusqlite::Connection> {
    let newest = std::fs::read_dir(lab.folder.join("gateway/history"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .max()?;
    rusqlite::Connection::open(newest).ok()
}

/// Turns one octet in the middle of a frame that has not gone up, as failing flash would; answers
/// the moment of its first sample.
fn damage_one_frame(lab: &Lab) -> i64 {
    let file = newest_day(lab).expect("the day's file");
    let (row, at, mut frame): (i64, i64, Vec<u8>) = file
        .query_row(
            "SELECT id, first_at, frame FROM batch ORDER BY id DESC LIMIT 1 OFFSET 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("a batch that has not gone up");
    let middle = frame.len() / 2;
    frame[middle] ^= 0x10;
    file.execute(
        "UPDATE batch SET frame = ?1 WHERE id = ?2",
        rusqlite::params![frame, row],
    )
    .expect("a changed batch");
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_damaged_on_the_disk_holds_up_no_other() {
    let _turn = alone().await;
    let device = Numbered::start().await;
    let mut lab = Lab::prepare(&numbered_building(device.port, 100)).await;
    lab.gateway.start();
    let local = lab.technician().await;
    until(
        "some batches of samples wait for the cloud",
        Duration::from_secs(20),
        || async {
            let file = newest_day(&lab)?;
            let count = "SELECT count(*) FROM batch";
            let batches: i64 = file.query_row(count, [], |row| row.get(0)).ok()?;
            (batches > 5).then_some(())
        },
    )
    .await;
    lab.gateway.kill().await;
    let damaged = damage_one_frame(&lab);
    lab.gateway.start();
    lab.cloud.start();
    let cloud = lab.operator().await;
    until(
        "the damaged batch is set aside and all others are durable",
        Duration::from_secs(60),
        || async {
            let link = local.get("/api/v1/overview").await.1["link"].clone();
            let done = link["quarantined"] == 1 && link["backlog_batches"].as_u64()? <= 2;
            (done && link["state"] == "live").then_some(())
        },
    )
    .await;
    until(
        "what was read before and after the damaged batch is there",
        Duration::from_secs(20),
        || async {
            let samples = cloud.samples(GATEWAY, "num/n0").await;
            let after = samples.iter().any(|(at, _)| *at > damaged + 1_000);
            (after && samples.iter().any(|(at, _)| *at < damaged)).then_some(())
        },
    )
    .await;
}
