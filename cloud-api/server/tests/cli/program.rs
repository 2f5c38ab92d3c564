//! Runs `riser-cloud` as a person at a shell would.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_riser-cloud"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder with an authority and a configuration that is in order.
fn prepared() -> (tempfile::TempDir, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().join("pki").display().to_string();
    assert!(run(&["pki", "init", "--dir", &pki], "").status.success());
    let config = dir.path().join("cloud.toml");
    let text = "data_dir = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
                [mqtt]\nlisten = \"127.0.0.1:0\"\n[pki]\ndir = \"pki\"\n";
    std::fs::write(&config, text).unwrap();
    (dir, config.display().to_string(), pki)
}

#[test]
fn a_wrong_configuration_ends_with_64_and_opens_nothing() {
    let (dir, config, _) = prepared();
    assert!(
        run(&["check-config", "--config", &config], "")
            .status
            .success()
    );
    let text = std::fs::read_to_string(&config).unwrap();
    for (from, to, says) in [
        (
            "listen = \"127.0.0.1:0\"\n[pki]",
            "lissen = \"x\"\n[pki]",
            "did you mean 'listen'",
        ),
        ("127.0.0.1:0\"\n[pki]", "nowhere\"\n[pki]", "socket address"),
        ("dir = \"pki\"", "dir = \"nothing\"", "nothing/server.pem"),
        ("data_dir = \"data\"\n", "", "data_dir"),
    ] {
        std::fs::write(&config, text.replace(from, to)).unwrap();
        for command in ["check-config", "run"] {
            let output = run(&[command, "--config", &config], "");
            assert_eq!(output.status.code(), Some(64), "{to}: {}", said(&output));
            assert!(said(&output).contains(says), "{to}: {}", said(&output));
        }
    }
    assert!(
        !dir.path().join("data").exists(),
        "nothing may be opened before all is checked"
    );
    let output = run(&["run", "--config", "/nowhere/cloud.toml"], "");
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("sample-config"), "{}", said(&output));
    assert_eq!(
        run(&["run"], "").status.code(),
        Some(64),
        "a wrong command line too"
    );
    assert_eq!(run(&["--help"], "").status.code(), Some(0));
}

#[test]
fn the_sample_is_a_configuration() {
    let output = run(&["sample-config"], "");
    assert!(output.status.success());
    assert!(printed(&output).contains("[mqtt]"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_dir, config, _) = prepared();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replacen("127.0.0.1:0", &address, 1)).unwrap();
    let output = run(&["run", "--config", &config], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&address), "{}", said(&output));
}

#[test]
fn people_are_added_with_a_password_given_or_made() {
    let (_dir, config, _) = prepared();
    let base = ["user", "add", "--config", &config, "--tenant", "acme"];
    let person = ["--email", "o@acme.example", "--role", "operator"];
    let given = [&base[..], &person, &["--password-stdin"]].concat();
    let output = run(&given, "staple battery horse\n");
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        !printed(&output).contains("staple"),
        "a given password is not printed"
    );
    let output = run(&given, "short\n");
    assert!(
        !output.status.success() && said(&output).contains("12 characters"),
        "{}",
        said(&output)
    );
    let output = run(
        &[
            &base[..],
            &["--email", "v@acme.example", "--role", "viewer"],
        ]
        .concat(),
        "",
    );
    let password = printed(&output)
        .trim()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(password.len(), 23, "{password}");
    let output = run(
        &[&base[..], &["--email", "v@acme.example", "--role", "boss"]].concat(),
        "",
    );
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("tenant_admin"), "{}", said(&output));
}

/// The arguments that issue a certificate for `gateway` into `out`.
fn issue<'a>(pki: &'a str, gateway: &'a str, out: &'a str) -> Vec<&'a str> {
    let head = ["pki", "issue-gateway", "--dir", pki, "--tenant", "acme"];
    [&head[..], &["--gateway", gateway, "--out", out]].concat()
}

#[test]
fn an_authority_and_a_key_are_never_written_over() {
    let (dir, _, pki) = prepared();
    let again = run(&["pki", "init", "--dir", &pki], "");
    assert!(
        !again.status.success() && said(&again).contains("ca.key"),
        "{}",
        said(&again)
    );
    let out = dir.path().join("gw").display().to_string();
    assert!(run(&issue(&pki, "gw-001", &out), "").status.success());
    for file in ["gateway.pem", "gateway.key", "ca.pem"] {
        assert!(Path::new(&out).join(file).is_file(), "{file}");
    }
    let key = std::fs::read(Path::new(&out).join("gateway.key")).unwrap();
    let second = run(&issue(&pki, "gw-001", &out), "");
    assert!(!second.status.success() && said(&second).contains("nothing was issued"));
    assert_eq!(
        std::fs::read(Path::new(&out).join("gateway.key")).unwrap(),
        key
    );
    let issued = std::fs::read_to_string(Path::new(&pki).join("issued.txt")).unwrap();
    assert_eq!(
        issued.lines().filter(|l| l.contains("acme/gw-001")).count(),
        1
    );
}

#[test]
fn only_what_makes_sense_is_issued_and_revoked() {
    let (dir, _, pki) = prepared();
    let out = dir.path().join("gw").display().to_string();
    let bad = run(&issue(&pki, "GW", &out), "");
    assert_eq!(
        bad.status.code(),
        Some(64),
        "a name that is no key: {}",
        said(&bad)
    );
    let dates = ["--not-before", "2021-01-01", "--not-after", "2020-01-01"];
    let backwards = run(&[&issue(&pki, "gw-001", &out)[..], &dates[..]].concat(), "");
    assert!(
        said(&backwards).contains("end before it begins"),
        "{}",
        said(&backwards)
    );
    let unknown = run(&["pki", "revoke", "--dir", &pki, "acme/gw-001"], "");
    assert!(
        said(&unknown).contains("no certificate was ever issued"),
        "{}",
        said(&unknown)
    );
    assert!(run(&issue(&pki, "gw-001", &out), "").status.success());
    for _ in 0..2 {
        assert!(
            run(&["pki", "revoke", "--dir", &pki, "acme/gw-001"], "")
                .status
                .success()
        );
    }
    let list = std::fs::read_to_string(Path::new(&pki).join("revoked.txt")).unwrap();
    assert_eq!(
        list.lines().filter(|l| l.contains("acme/gw-001")).count(),
        1
    );
    let nonsense = run(&["pki", "revoke", "--dir", &pki, "gw-001"], "");
    assert!(
        said(&nonsense).contains("neither a serial number"),
        "{}",
        said(&nonsense)
    );
}
