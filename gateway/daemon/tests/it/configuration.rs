//! Bad configurations: exit code 64, file and line, what is wrong, what to write instead.

use crate::process::{Site, write};
use rcgen::{CertificateParams, KeyPair, SanType};

const FIELD: &str = "\
[[adapter]]
kind = \"modbus\"
[[adapter.lane]]
key = \"plant\"
transport = \"tcp\"
host = \"127.0.0.1\"
[[adapter.device]]
key = \"ahu-1\"
lane = \"plant\"
[[adapter.device.point]]
key = \"t\"
name = \"Supply\"
address = 0
type = \"i16\"
";

/// Every text of `wanted` is in the one complaint, and `run` refuses as well.
fn refused(site: &Site, wanted: &[&str]) {
    for command in ["check-config", "run", "points"] {
        let said = site.run(&[command]);
        assert_eq!(said.code, Some(64), "{command}: {said:?}");
        for text in wanted {
            assert!(
                said.err.contains(text),
                "{command}: no '{text}' in {}",
                said.err
            );
        }
    }
    assert!(!site.path("data").exists(), "nothing may be opened");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    let site = Site::with("[gateway]\nid = \"gw\"\ndata_dri = \"/x\"\n");
    refused(
        &site,
        &[
            "riser.toml:3: gateway: unknown field 'data_dri'",
            "did you mean 'data_dir'?",
        ],
    );
    let site = Site::with("[gateway]\nid = \"gw\"\n\n[htpp]\nlisten = \"x\"\n");
    refused(
        &site,
        &["riser.toml:4: unknown field 'htpp'", "did you mean 'http'?"],
    );
    let site = Site::new(&FIELD.replace("transport", "trnasport"));
    refused(
        &site,
        &[
            "riser.toml:11: adapter[0].lane[0]",
            "did you mean 'transport'?",
        ],
    );
    let site = Site::new(&FIELD.replace("\"i16\"", "\"i61\""));
    refused(
        &site,
        &[
            "riser.toml:20: adapter[0].device[0].point[0].type",
            "did you mean 'i64'?",
        ],
    );
    let site = Site::new(&FIELD.replace("\"modbus\"", "\"modbuss\""));
    refused(
        &site,
        &["riser.toml:8: adapter[0].kind", "did you mean 'modbus'?"],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let rules = "\
[[rule]]
key = \"hot\"
point = \"ahu-1/x\"
condition = { test = \"above\", limit = 1 }
action.raise_alarm = { priority = \"high\", message = \"hot\" }
[storage]
retention_days = 0
[cloud]
url = \"http://x\"
ca = \"a\"
cert = \"b\"
key = \"c\"
";
    let site = Site::new(&format!("{FIELD}{rules}"));
    refused(&site, &["cloud.url: 'http://x' is no address of a cloud"]);
    let site = Site::new(&format!(
        "{FIELD}{}",
        rules.split("[cloud]").next().unwrap()
    ));
    refused(
        &site,
        &[
            "riser.toml:23: rule[0].point: there is no point 'ahu-1/x'; did you mean 'ahu-1/t'?",
            "riser.toml:27: storage.retention_days: 0 is not between 1 and",
        ],
    );
}

#[test]
fn nothing_may_be_claimed_twice() {
    let second = FIELD.replace("kind = \"modbus\"", "kind = \"modbus\"\nname = \"two\"");
    let site = Site::new(&format!("{FIELD}{second}"));
    refused(
        &site,
        &["device 'ahu-1' of adapter 'two' is already one of adapter 'modbus'"],
    );
    let site = Site::new(&format!("{FIELD}{FIELD}"));
    refused(&site, &["two adapters are named 'modbus'"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let site = Site::with("[gateway\nid = 1\n");
    refused(&site, &["riser.toml:1: this is no TOML"]);
    let site = Site::new("tls = { cert = \"none.pem\", key = \"none.key\" }\n");
    refused(
        &site,
        &[
            "riser.toml:7: http.tls: could not read the certificates in",
            "none.pem",
        ],
    );
    let site = Site::new("[[adapter]]\nkind = \"modbus\"\nfile = \"none.toml\"\n");
    refused(&site, &["none.toml: could not be read"]);
    let site = Site::with("");
    std::fs::remove_file(site.path("riser.toml")).unwrap();
    refused(&site, &["riser.toml: could not be read"]);
}

fn identity(site: &Site, uri: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let cert = params.self_signed(&key).unwrap().pem();
    write(&site.path("ca.pem"), &cert);
    write(&site.path("gateway.pem"), &cert);
    write(&site.path("gateway.key"), &key.serialize_pem());
}

#[test]
fn an_identity_of_another_gateway_is_refused_by_the_check_but_stops_no_building() {
    let cloud = "[cloud]\nurl = \"mqtts://127.0.0.1:1\"\nca = \"ca.pem\"\ncert = \"gateway.pem\"\n\
                 key = \"gateway.key\"\n";
    let site = Site::new(cloud);
    let missing = site.run(&["check-config"]);
    assert_eq!(missing.code, Some(64));
    assert!(
        missing
            .err
            .contains("cloud.ca: could not read the CA certificates"),
        "{missing:?}"
    );
    identity(&site, "urn:riser:acme:gw-2");
    let other = site.run(&["check-config"]);
    assert_eq!(other.code, Some(64));
    assert!(
        other
            .err
            .contains("is for urn:riser:acme:gw-2, but [gateway] says urn:riser:acme:gw-1")
    );
    let mut daemon = site.start(&[]);
    assert!(
        daemon
            .said
            .iter()
            .any(|line| line.contains("cannot be reached until"))
    );
    daemon.terminate();
    assert!(daemon.ended().0.success(), "{:#?}", daemon.said);
    identity(&site, "urn:riser:acme:gw-1");
    let own = site.run(&["check-config"]);
    assert_eq!(own.code, Some(0), "{own:?}");
}
