//! Trends and samples against an oracle that knows nothing of batches.

use crate::site::{Site, T0, epoch, origin};
use riser_model::{Level, Quality, Reading, Reason, Role, ScanBatch, Slot, Timestamp, Value};
use serde_json::{Value as Json, json};

const POINT: &str = "/api/v1/gateways/gw-001/points/ahu-1/supply_temp";

/// A small generator with a fixed seed (xorshift64*), so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % below
    }
}

#[derive(Clone)]
struct Known {
    at: i64,
    value: Option<f64>,
    quality: Quality,
}

/// 40 batches that overlap each other, in two numberings, sent out of order, among other points.
async fn fill(site: &Site) -> Vec<Known> {
    let origin = origin("acme", "gw-001");
    let later = epoch(&origin, 2);
    site.directory(&origin, later).await;
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut all = Vec::new();
    let mut batches = Vec::new();
    let mut at = T0 - 6 * 3_600_000;
    for n in 0..40 {
        let mut scans = Vec::new();
        // Every other batch begins before the one before it has ended.
        at -= if n % 2 == 1 { 90_000 } else { 0 };
        for _ in 0..30 {
            at += 1 + i64::try_from(dice.roll(20_000)).unwrap();
            let number = f64::from(u32::try_from(dice.roll(400)).unwrap()) / 8.0 - 20.0;
            let (value, quality) = match dice.roll(10) {
                0 => (None, Quality::bad(Reason::DeviceDown)),
                1 => (Some(number), Quality::bad(Reason::Stale)),
                2 => (Some(number), Quality::uncertain(Reason::Clamped)),
                _ => (Some(number), Quality::GOOD),
            };
            // One sample a millisecond, as one device gives.
            if all.iter().any(|k: &Known| k.at == at) {
                continue;
            }
            all.push(Known { at, value, quality });
            let reading = |slot, value| Reading {
                slot: Slot(slot),
                value,
                quality,
            };
            let readings = vec![
                reading(4, Some(Value::Int(7))),
                reading(0, value.map(Value::Float)),
                reading(3, Some(Value::text("auto"))),
            ];
            scans.push(ScanBatch {
                at: Timestamp(at),
                readings,
            });
        }
        batches.push((n, scans));
    }
    while !batches.is_empty() {
        let pick = usize::try_from(dice.roll(batches.len() as u64)).unwrap();
        let (n, scans) = batches.swap_remove(pick);
        let numbering = epoch(&origin, if n < 20 { 1 } else { 2 });
        site.data_in(&origin, numbering, scans).await;
    }
    all.sort_by_key(|k| k.at);
    all
}

/// Minimum, maximum, mean, last, count and bad of each stretch that has a usable value.
fn oracle(all: &[Known], from: i64, to: i64, width: i64) -> Vec<Json> {
    let mut buckets = Vec::new();
    let mut start = from;
    while start < to {
        let end = (start + width).min(to);
        let inside: Vec<_> = all.iter().filter(|k| k.at >= start && k.at < end).collect();
        let usable: Vec<_> = inside
            .iter()
            .filter(|k| k.quality.level != Level::Bad)
            .filter_map(|k| k.value)
            .collect();
        if let Some(last) = usable.last() {
            let sum: f64 = usable.iter().sum();
            #[expect(clippy::cast_precision_loss, reason = "a few hundred samples")]
            let mean = sum / usable.len() as f64;
            buckets.push(json!({
                "at": start,
                "min": usable.iter().copied().fold(f64::INFINITY, f64::min),
                "max": usable.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                "mean": mean,
                "last": last,
                "count": usable.len(),
                "bad": inside.len() - usable.len(),
            }));
        }
        start += width;
    }
    buckets
}

fn close(ours: &Json, theirs: &Json) -> bool {
    ours.as_object().unwrap().iter().all(|(name, value)| {
        let (a, b) = (value.as_f64().unwrap(), theirs[name].as_f64().unwrap());
        // The mean is a sum in another order.
        if name == "mean" {
            (a - b).abs() < 1e-9
        } else {
            a.to_bits() == b.to_bits()
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trend_is_what_the_samples_say() {
    let site = Site::with_gateways().await;
    let all = fill(&site).await;
    let token = site.token(Role::Viewer, Some("acme"));
    let (first, last) = (all[0].at, all[all.len() - 1].at);
    let mut compared = 0;
    for (from, to, buckets) in [
        (first, last + 1, 1),
        (first, last + 1, 97),
        (first - 1_000_000, last + 1_000_000, 500),
        (all[200].at, all[700].at, 33),
        (all[300].at, all[300].at + 1, 10),
    ] {
        let path = format!("{POINT}/trend?from={from}&to={to}&buckets={buckets}");
        let (status, trend) = site.get(&token, &path).await;
        assert_eq!(status, 200, "{trend}");
        let width = trend["bucket_ms"].as_i64().unwrap();
        assert_eq!(width, ((to - from) + buckets - 1) / buckets);
        let expected = oracle(&all, from, to, width);
        let got = trend["buckets"].as_array().unwrap();
        assert_eq!(got.len(), expected.len(), "{from}..{to}");
        for (ours, theirs) in got.iter().zip(&expected) {
            assert!(close(ours, theirs), "{from}..{to}: {ours} is not {theirs}");
            compared += 1;
        }
    }
    assert!(compared > 200, "only {compared} buckets were compared");
}

fn shown(known: &Known) -> Json {
    json!({ "at": known.at, "value": known.value, "quality": known.quality })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_come_in_order_each_once_and_say_when_there_are_more() {
    let site = Site::with_gateways().await;
    let all = fill(&site).await;
    let token = site.token(Role::Viewer, Some("acme"));
    let to = all[all.len() - 1].at + 1;
    let (mut from, mut got) = (all[0].at, Vec::new());
    loop {
        let path = format!("{POINT}/samples?from={from}&to={to}&limit=170");
        let (_, list) = site.get(&token, &path).await;
        let samples = list["samples"].as_array().unwrap().clone();
        got.extend(samples);
        if !list["truncated"].as_bool().unwrap() {
            break;
        }
        from = got[got.len() - 1]["at"].as_i64().unwrap() + 1;
    }
    let expected: Vec<_> = all.iter().map(shown).collect();
    assert_eq!(got, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_holds_the_same_and_names_its_file() {
    let site = Site::with_gateways().await;
    let all = fill(&site).await;
    let token = site.token(Role::Viewer, Some("acme"));
    // Ten years around a few hours: what is empty costs next to nothing.
    let decade = 10 * 365 * Timestamp::DAY;
    let (from, to) = (T0 - decade, T0 + decade);
    let path = format!("{POINT}/samples.csv?from={from}&to={to}");
    let response = site
        .request("GET", &path)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        headers["content-disposition"],
        "attachment; filename=\"gw-001-ahu-1-supply_temp.csv\""
    );
    let text = response.text().await.unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("at,time,value,quality,reason"));
    let values: Vec<_> = lines
        .map(|l| l.split(',').nth(2).unwrap().to_owned())
        .collect();
    let expected: Vec<_> = all
        .iter()
        .map(|k| k.value.map(|v| v.to_string()).unwrap_or_default())
        .collect();
    assert_eq!(values, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_makes_no_sense_is_refused_with_the_reason() {
    let site = Site::with_gateways().await;
    let token = site.token(Role::Viewer, Some("acme"));
    let (status, error) = site
        .get(&token, &format!("{POINT}/trend?from=5&to=5"))
        .await;
    assert_eq!(status, 400);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("before to"),
        "{error}"
    );
    let (status, error) = site
        .get(&token, &format!("{POINT}/trend?from=yesterday"))
        .await;
    assert_eq!(
        (status, &error["error"]["code"]),
        (400, &"malformed".into())
    );
    let (status, trend) = site
        .get(&token, &format!("{POINT}/trend?from={}", i64::MIN))
        .await;
    assert_eq!((status, &trend["buckets"]), (200, &json!([])));
}
