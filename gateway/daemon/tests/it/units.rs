//! The systemd units: known keys only, and as little exposed as they say. Where there is no
//! `systemd-analyze` (no systemd, no unit) only what the files say themselves is checked.

use std::path::Path;
use std::process::Command;

/// The services.
const UNITS: [&str; 2] = ["riserd", "riser-cloud"];
/// What only says something.
const SIGNS: [&str; 1] = ["riser-time"];

fn unit(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd");
    std::fs::read_to_string(folder.join(format!("{name}.service"))).unwrap()
}

#[test]
fn units_start_the_program_and_bring_it_back() {
    for name in UNITS {
        let text = unit(name);
        for line in [
            &format!("ExecStart=/usr/bin/{name} run --config "),
            "Restart=always",
            "RestartPreventExitStatus=64",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
        ] {
            assert!(text.lines().any(|l| l.starts_with(line)), "{name}: {line}");
        }
    }
    for line in ["Type=notify", "WatchdogSec=30", "CapabilityBoundingSet="] {
        assert!(unit("riserd").lines().any(|l| l == line), "{line}");
    }
}

#[test]
fn systemd_finds_nothing_to_complain_about() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for name in UNITS.into_iter().chain(SIGNS) {
        // The program is not installed where the tests run.
        let text = unit(name).replace(&format!("/usr/bin/{name} "), "/bin/true ");
        let path = dir.path().join(format!("{name}.service"));
        std::fs::write(&path, text).unwrap();
        let analyze = |arguments: &[&str]| {
            let mut command = Command::new("systemd-analyze");
            let output = command.args(arguments).arg(&path).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), said)
        };
        // An unknown key is only a warning, so any word is one too many.
        assert_eq!(analyze(&["verify"]), (true, String::new()), "{name}");
        let (safe, said) = analyze(&["security", "--offline=true", "--threshold=20"]);
        assert!(safe, "{name}: exposed by more than 2.0: {said}");
    }
}
