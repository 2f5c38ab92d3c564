//! One damaged octet in a file before a start, as failing flash leaves it: the gateway starts,
//! collects, says what it set aside, and what the cloud has is neither doubled nor lost.

use riser_e2e::lab::{GATEWAY, tool};
use riser_e2e::process::built;
use riser_e2e::until;
use riser_faults::account::numbers;
use riser_faults::{Account, Building, Outage, Rig, rig};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where in a database file an octet is turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the file's header.
    Header,
    /// In the header of a page in the middle.
    Page,
    /// In the eighth octet of a file that is no database.
    Plain,
}

/// Turns one octet; doing it twice undoes it.
fn turn(file: &Path, place: Place) {
    let mut octets = std::fs::read(file).expect("the file");
    let offset = match place {
        Place::Header => 5,
        Place::Page => {
            let page = usize::from(u16::from_be_bytes([octets[16], octets[17]]));
            octets.len() / page / 2 * page
        }
        Place::Plain => 8,
    };
    octets[offset] ^= 0x40;
    std::fs::write(file, octets).expect("the file");
}

fn day_file(rig: &Rig) -> PathBuf {
    let history = rig.lab.folder.join("gateway/history");
    std::fs::read_dir(history)
        .expect("the history folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .max()
        .expect("a day's file")
}

/// Fails unless the cloud has every number once, or an outage explains why not.
async fn the_cloud_is_complete(rig: &Rig, what: &str) {
    rig.flowing(Duration::from_secs(60)).await;
    let sound = riser_e2e::within(Duration::from_secs(30), || async {
        let given = rig.devices[0].given();
        let given = &given[..given.len().saturating_sub(20)];
        let cloud = numbers(&rig.cloud.samples(GATEWAY, "num0/n0").await);
        let account = Account::new(given, &cloud, &cloud, &rig.outages);
        eprintln!("{what}: in the cloud: {account}");
        (account.given > 0 && account.sound()).then_some(())
    })
    .await;
    if sound.is_none() {
        rig.give_up(&format!(
            "{what}: the cloud's account does not come out even"
        ));
    }
}

/// Fails unless `riserd check` finds the damage.
async fn examined(rig: &Rig, what: &str, file: &Path) {
    let config = rig.lab.folder.join("riser.toml");
    let check = tokio::process::Command::new(built("riserd"))
        .arg("check")
        .arg("--config")
        .arg(config)
        .output();
    let check = check.await.expect("riserd can be started");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(!check.status.success(), "{what}: check says {said}");
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or("?");
    let named = said.lines().any(|l| l.contains(name));
    assert!(named, "{what}: check does not name the file: {said}");
}

/// Every octet of a backup is sealed: one that is damaged is refused before anything is read from it.
async fn backup(rig: &Rig) {
    let folder = &rig.lab.folder;
    let [config, key, file] = ["riser.toml", "backup.key", "riser.backup"]
        .map(|name| folder.join(name).to_string_lossy().into_owned());
    std::fs::write(&key, "a secret of the test that is long enough").expect("a file of the test");
    let create = [
        "backup",
        "create",
        "--config",
        &config,
        "--out",
        &file,
        "--key-file",
        &key,
    ];
    tool("riserd", &create, "").await;
    let length = std::fs::metadata(&file).expect("a backup").len();
    for offset in [0, length / 2, length - 1] {
        let mut octets = std::fs::read(&file).expect("a backup");
        octets[usize::try_from(offset).unwrap_or(0)] ^= 0x40;
        let damaged = folder.join("damaged.backup");
        std::fs::write(&damaged, octets).expect("a file of the test");
        let show = tokio::process::Command::new(built("riserd"))
            .args(["backup", "show", "--key-file", &key])
            .arg(&damaged)
            .output();
        let show = show.await.expect("riserd can be started");
        assert!(!show.status.success(), "octet {offset} of a backup");
    }
}

/// Stops the gateway, damages a file of it, and starts it again.
async fn survive(rig: &mut Rig, file: PathBuf, place: Place) {
    let what = format!(
        "{:?} of {}",
        place,
        file.file_name().unwrap_or_default().display()
    );
    rig.caught_up().await;
    let from = rig::now();
    rig.lab.gateway.stop().await;
    turn(&file, place);
    examined(rig, &what, &file).await;
    let said = rig.lab.gateway.log().len();
    rig.lab.gateway.start();
    if file.ends_with("state.db") {
        // Who may log in was in there.
        rig.local = rig.lab.technician().await;
    }
    rig.lab.serving_local(&rig.local).await;
    let before = f64::from(rig.devices[0].answered());
    until(
        &format!("{what}: the gateway collects"),
        Duration::from_secs(10),
        || async { rig.local.value("num0/n0").await.filter(|v| *v > before) },
    )
    .await;
    let until_now = rig::now();
    rig.outages.push(Outage {
        from,
        until: until_now,
    });
    // A page in the middle of a day file may be one that nobody reads for a long time.
    // The ledger's journal only says what was under way; nothing is read from it after a clean end.
    if file.ends_with("state.db") || place == Place::Header {
        until(
            &format!("{what}: the gateway says what it set aside"),
            Duration::from_secs(30),
            || async {
                let log = rig.lab.gateway.log();
                let name = file.file_name()?.to_str()?;
                let aside = |l: &str| l.contains("set aside") && l.contains(name);
                log[said..].lines().any(aside).then_some(())
            },
        )
        .await;
    }
    the_cloud_is_complete(rig, &what).await;
}

/// A damaged octet stops nothing and doubles nothing.
pub(crate) async fn octets() {
    let mut rig = Rig::start(Building::QUIET).await;
    for place in [Place::Header, Place::Page] {
        let state = rig.lab.folder.join("gateway/state.db");
        survive(&mut rig, state, place).await;
        let day = day_file(&rig);
        survive(&mut rig, day, place).await;
    }
    let journal = rig.lab.folder.join("gateway/ledger.journal");
    survive(&mut rig, journal, Place::Plain).await;
    backup(&rig).await;
}

/// A damaged cloud takes nothing until it is repaired.
pub(crate) async fn cloud() {
    let mut rig = Rig::start(Building::QUIET).await;
    let file = rig.lab.folder.join("cloud/cloud.db");
    rig.lab.cloud.stop().await;
    turn(&file, Place::Header);
    rig.lab.cloud.start();
    let code = rig.lab.cloud.wait().await;
    assert!(code.is_some_and(|code| code != 0), "ended with {code:?}");
    assert!(
        rig.lab.cloud.tail().contains("cloud.db"),
        "it names the file"
    );
    assert_ne!(rig.state().await, "live");
    turn(&file, Place::Header);
    rig.lab.cloud.start();
    rig.lab.serving_cloud(&rig.cloud).await;
    rig.complete("repaired cloud").await;
}
