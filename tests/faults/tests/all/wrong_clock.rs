//! Clocks that are wrong: a box that starts in 1970 and learns the time later, and a clock that is
//! set three hours forth and back. The gateway runs under libfaketime; the devices, the cloud and
//! this test know the true time, so every stamp can be held against it.

use riser_e2e::lab::GATEWAY;
use riser_e2e::{Lab, until};
use riser_faults::{Building, Rig, beside_others, rounds};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a stamp may be from the truth.
const RIGHT: i64 = 1_000;
const HOUR: i64 = 3_600_000;

/// The file with what has to be added to the true time, in seconds.
struct Bent {
    offset: PathBuf,
    marker: PathBuf,
}

impl Bent {
    /// Prepares a gateway whose clock is `offset` seconds off.
    fn gateway(lab: &mut Lab, library: &Path, offset: i64, extra: &str) -> Self {
        let bent = Self {
            offset: lab.folder.join("faketime"),
            marker: lab.folder.join("synchronized"),
        };
        bent.off_by(offset);
        for (name, value) in [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", bent.offset.as_path()),
            ("FAKETIME_NO_CACHE", Path::new("1")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
            ("NO_FAKE_STAT", Path::new("1")),
        ] {
            lab.gateway.set_environment(name, &value.to_string_lossy());
        }
        let file = lab.folder.join("riser.toml");
        let text = std::fs::read_to_string(&file).expect("the configuration");
        let marker = bent.marker.display();
        let keys = format!("[gateway]\nclock_synchronised_file = \"{marker}\"\n{extra}\n");
        std::fs::write(file, text.replacen("[gateway]\n", &keys, 1)).expect("written");
        bent
    }

    /// Sets the gateway's clock.
    fn off_by(&self, seconds: i64) {
        let next = self.offset.with_extension("next");
        std::fs::write(&next, format!("{seconds:+}")).expect("written");
        std::fs::rename(&next, &self.offset).expect("in place");
    }

    /// The time service sets the clock right and says so.
    fn synchronise(&self) {
        self.off_by(0);
        std::fs::write(&self.marker, "").expect("written");
    }
}

/// The library that bends clocks, or why the scenario is left out.
fn library() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    let library = found
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .chain([PathBuf::from("/usr/lib/faketime/libfaketimeMT.so.1")])
        .find(|file| file.exists());
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "faketime is missing");
        eprintln!("SKIPPED: faketime is not installed; run `node tests/run.mjs setup`");
    }
    library
}

/// Samples of a point as the cloud has them, oldest first; none of a point it does not know.
async fn in_cloud(rig: &Rig) -> Vec<(i64, f64)> {
    let path = &rig.building.witness(0)[0];
    let point = format!("/api/v1/gateways/{GATEWAY}/points/{path}");
    if rig.cloud.get(&point).await.0 == 404 {
        return Vec::new();
    }
    rig.cloud.samples(GATEWAY, path).await
}

/// Holds every stamp in the cloud against when the device gave the number out; `shift` says by how
/// much the gateway's clock was wrong then.
fn hold_against_truth(samples: &[(i64, f64)], given: &[i64], shift: impl Fn(i64) -> i64) -> i64 {
    let mut worst = 0;
    for (at, value) in samples {
        let number = value
            .to_string()
            .parse::<usize>()
            .expect("a number of the device");
        let truth = given[number - 1];
        let off = (at - truth - shift(truth)).abs();
        assert!(
            off <= RIGHT,
            "number {number} of {truth} is stamped {at}: {off} ms off"
        );
        worst = worst.max(off);
    }
    worst
}

/// The entries of the audit log that say that the clock was set.
async fn told(rig: &Rig) -> Vec<Value> {
    let answer = rig.local.get("/api/v1/audit?limit=200").await.1;
    let entries = answer["entries"].as_array().cloned().unwrap_or_default();
    let set = entries.into_iter().filter(|e| e["action"] == "clock_set");
    set.collect()
}

/// A building whose gateway believes that it is 1970 and has no network.
async fn in_1970(library: &Path) -> (Rig, Bent) {
    let building = Building::QUIET;
    let devices = building.devices().await;
    let mut lab = Lab::prepare(&building.configuration(&devices)).await;
    let began = riser_faults::rig::now();
    // A minute past midnight on 1 January 1970.
    let bent = Bent::gateway(&mut lab, library, 60 - began / 1_000, "");
    // It has run before, and was switched off a quarter of an hour ago.
    let data = lab.folder.join("gateway");
    std::fs::create_dir_all(&data).expect("the data folder");
    let last = began - 900_000;
    let known = format!("{{\"last\":{last},\"boot\":\"before\",\"assumed\":null}}");
    std::fs::write(data.join("clock.json"), known).expect("written");
    lab.link.set(riser_e2e::proxy::Mode::Cut);
    lab.cloud.start();
    lab.gateway.start();
    let local = lab.technician().await;
    let cloud = lab.operator().await;
    let rig = Rig {
        lab,
        devices,
        building,
        local,
        cloud,
        outages: Vec::new(),
    };
    (rig, bent)
}

/// Starts in 1970 without a network, collects, raises an alarm; then both come.
async fn starts_in_1970(wait: Duration) {
    let Some(library) = library() else { return };
    let (rig, bent) = in_1970(&library).await;
    let point = &rig.building.witness(0)[0];
    until("values are live", Duration::from_secs(20), || async {
        rig.local.value(point).await
    })
    .await;
    rig.devices[0].set_plain(1, 1);
    let raised = riser_faults::rig::now();
    until("the alarm is raised", Duration::from_secs(20), || async {
        let alarms = rig.local.get("/api/v1/alarms?state=open").await.1;
        (!alarms["alarms"].as_array()?.is_empty()).then_some(())
    })
    .await;
    tokio::time::sleep(wait).await;
    // The network comes before the time: the certificates are good by the assumed time, and
    // nothing leaves with it.
    rig.lab.link.set(riser_e2e::proxy::Mode::Pass);
    // A gateway that was turned away for long asks once a minute.
    until("the link is made", Duration::from_secs(180), || async {
        (rig.state().await == "live").then_some(())
    })
    .await;
    assert_eq!(in_cloud(&rig).await, vec![], "sent with an assumed stamp");
    assert!(rig.store().await["held_samples"].as_u64() > Some(0));
    bent.synchronise();
    rig.flowing(Duration::from_secs(60)).await;
    rig.complete("started in 1970").await;

    let samples = in_cloud(&rig).await;
    let given = rig.devices[0].given();
    let worst = hold_against_truth(&samples, &given, |_| 0);
    assert!(
        samples.is_sorted_by(|a, b| a.0 <= b.0 && a.1 < b.1),
        "in order"
    );
    let alarms = rig.cloud.get("/api/v1/alarms?state=open").await.1;
    let at = alarms["alarms"][0]["raised_at"]
        .as_i64()
        .expect("the alarm is in the cloud");
    // The register is read twice a second.
    assert!(
        (at - raised).abs() <= 2_000,
        "raised {raised}, stamped {at}"
    );
    let told = told(&rig).await;
    assert_eq!(told.len(), 1, "{told:?}");
    eprintln!(
        "started in 1970: {} samples, the worst stamp {worst} ms off, alarm {} ms off",
        samples.len(),
        at - raised
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_starts_in_1970_ends_with_right_stamps() {
    let _turn = beside_others().await;
    starts_in_1970(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes an hour for each round"]
async fn a_box_that_is_in_1970_for_an_hour_ends_with_right_stamps() {
    for _ in 0..rounds(1) {
        starts_in_1970(Duration::from_secs(3_600)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_of_three_hours_lose_nothing_and_are_told_once_each() {
    let _turn = beside_others().await;
    let Some(library) = library() else { return };
    let building = Building::QUIET;
    let devices = building.devices().await;
    let mut lab = Lab::prepare(&building.configuration(&devices)).await;
    let bent = Bent::gateway(&mut lab, &library, 0, "");
    bent.synchronise();
    let rig = Rig::with(lab, devices, building).await;
    // A hold that must outlive both steps.
    let write = serde_json::json!({ "value": 5, "priority": 9, "hold_seconds": 600 });
    let written = rig.local.write("num0/relay", &write).await;
    assert_eq!(written["outcome"]["state"], "applied", "{written}");
    let mut steps = Vec::new();
    for seconds in [10_800, 0] {
        let before = told(&rig).await.len();
        bent.off_by(seconds);
        steps.push(riser_faults::rig::now());
        until("the step is told", Duration::from_secs(20), || async {
            (told(&rig).await.len() > before).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    rig.complete("steps of three hours").await;
    let entries = told(&rig).await;
    assert_eq!(entries.len(), 2, "one entry a step: {entries:?}");
    let held = rig.local.get("/api/v1/points/num0/relay").await.1;
    assert_eq!(
        held["priority_array"][0]["level"], 9,
        "the hold goes on: {held}"
    );

    let samples = in_cloud(&rig).await;
    let given = rig.devices[0].given();
    // Within a moment of a step a stamp may be by either clock; a reading is one or the other.
    let near = |truth: i64| steps.iter().any(|step| (truth - step).abs() < RIGHT);
    let sure: Vec<(i64, f64)> = samples
        .into_iter()
        .filter(|(_, value)| {
            let number = value.to_string().parse::<usize>().expect("a number");
            !near(given[number - 1])
        })
        .collect();
    let shift = |truth: i64| match truth > steps[0] && truth < steps[1] {
        true => 3 * HOUR,
        false => 0,
    };
    let worst = hold_against_truth(&sure, &given, shift);
    eprintln!(
        "steps of three hours: {} samples, the worst {worst} ms off",
        sure.len()
    );
}
