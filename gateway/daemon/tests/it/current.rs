//! Commands at the console speak of the configuration that runs, not of the file beside it, and say
//! which it is.

use crate::bus::Bus;
use crate::process::{Said, Site, write};
use std::time::{Duration, Instant};

fn file(site: &Site) -> String {
    std::fs::read_to_string(site.path("riser.toml")).unwrap()
}

/// Points and what was said beside them.
fn points(site: &Site) -> Said {
    let said = site.run(&["points"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

fn apply(site: &Site, text: &str, arguments: &[&str]) -> Said {
    let new = site.path("new.toml");
    write(&new, text);
    let all = [&["config", "apply", new.to_str().unwrap()], arguments].concat();
    let said = site.run(&all);
    assert_eq!(said.code, Some(0), "{said:?}");
    said
}

fn read(bus: &Bus) {
    let (before, end) = (bus.requests(), Instant::now() + Duration::from_secs(20));
    while bus.requests() <= before + 1 {
        assert!(Instant::now() < end, "the bus is not read");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
fn what_runs_is_what_is_spoken_of_whatever_the_file_says() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let fresh = points(&site);
    assert!(
        fresh.err.contains("the file, which runs at the next start"),
        "{fresh:?}"
    );
    assert!(!site.path("data").exists(), "nothing may be opened");

    let mut daemon = site.start(&[]);
    read(&bus);
    let renamed = file(&site).replace("\"T\"", "\"Supply\"");
    apply(&site, &renamed, &["--confirm", "5m"]);
    let said = points(&site);
    assert!(said.out.contains("Supply"), "{}", said.out);
    let which = "points of configuration 2, which runs and waits to be confirmed until 20";
    assert!(said.err.starts_with(which), "{}", said.err);
    assert_eq!(site.run(&["config", "confirm"]).code, Some(0));
    // A file that is broken meanwhile is told of and changes nothing.
    let good = file(&site);
    write(
        &site.path("riser.toml"),
        &good.replace("transport", "trnasport"),
    );
    let said = points(&site);
    assert!(said.out.contains("Supply"), "{}", said.out);
    assert!(
        said.err.contains("did you mean 'transport'?"),
        "{}",
        said.err
    );
    let doctor = site.run(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.out.contains("FAIL  config"), "{}", doctor.out);
    assert!(
        doctor
            .out
            .contains("configuration 2, which runs; sound: 1 adapters"),
        "{}",
        doctor.out
    );
    // One that is only another is named as what comes next.
    write(
        &site.path("riser.toml"),
        &good.replace("\"T\"", "\"Return\""),
    );
    let doctor = site.run(&["doctor"]);
    assert!(
        doctor.out.contains("it takes its place at the next start"),
        "{}",
        doctor.out
    );
    write(&site.path("riser.toml"), &good);
    let doctor = site.run(&["doctor"]);
    assert!(!doctor.out.contains("takes its place"), "{}", doctor.out);

    daemon.terminate();
    assert!(daemon.ended().0.success(), "{:#?}", daemon.said);
    let said = points(&site);
    assert!(said.out.contains("Supply"), "{}", said.out);
    assert!(
        said.err.contains("configuration 2, which ran last"),
        "{}",
        said.err
    );
    // Cut off, it leaves its socket behind: nobody listens there.
    let mut daemon = site.start(&[]);
    daemon.kill();
    assert!(
        points(&site)
            .err
            .contains("configuration 2, which ran last")
    );
    write(
        &site.path("riser.toml"),
        &good.replace("\"T\"", "\"Return\""),
    );
    let said = points(&site);
    assert!(said.out.contains("Return"), "{}", said.out);
    assert!(
        said.err.contains("the file, which runs at the next start"),
        "{}",
        said.err
    );
}

#[test]
fn a_schedule_is_exchanged_without_touching_an_adapter() {
    let bus = Bus::new();
    let site = Site::new(&bus.adapter("field"));
    let _daemon = site.start(&[]);
    read(&bus);
    let relay = "[[adapter.device.point]]\nkey = \"r\"\nname = \"R\"\naddress = 7\n\
        type = \"u16\"\naccess = \"read_write\"\n";
    let with_relay = format!("{}{relay}", file(&site));
    apply(&site, &with_relay, &["--final"]);
    read(&bus);
    let connections = bus.connections();
    let schedule = "[[schedule]]\nkey = \"night\"\npoint = \"field-1/r\"\nzone = \"Europe/Berlin\"\n\
        switch = [{ at = \"06:00\" }]\n";
    let said = apply(&site, &format!("{with_relay}{schedule}"), &["--final"]);
    assert!(said.out.contains("schedules swapped"), "{}", said.out);
    assert!(!said.out.contains("restarted"), "{}", said.out);
    let said = apply(&site, &with_relay, &["--final"]);
    assert!(said.out.contains("schedules swapped"), "{}", said.out);
    read(&bus);
    assert_eq!(
        bus.connections(),
        connections,
        "the adapter never let go of its bus"
    );
}
