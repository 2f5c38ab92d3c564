//! A part of a real `riserd` breaks: the process ends with an error, so that its supervisor starts it
//! anew. Only in a build with the feature `fault-injection`, which breaks the part that
//! `RISER_FAULT_PART` names right after its start.

#[cfg(test)]
#[path = "../it/process.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod process;

#[cfg(test)]
mod tests {
    use crate::process::{Site, write};
    use rcgen::{CertificateParams, KeyPair, SanType};

    const CLOUD: &str = "[cloud]\nurl = \"mqtts://127.0.0.1:1\"\nca = \"ca.pem\"\n\
        cert = \"gateway.pem\"\nkey = \"gateway.key\"\n";

    /// A gateway of a cloud nobody answers for.
    fn site() -> Site {
        let site = Site::new(CLOUD);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        let uri = "urn:riser:acme:gw-1".try_into().unwrap();
        params.subject_alt_names = vec![SanType::URI(uri)];
        let cert = params.self_signed(&key).unwrap().pem();
        write(&site.path("ca.pem"), &cert);
        write(&site.path("gateway.pem"), &cert);
        write(&site.path("gateway.key"), &key.serialize_pem());
        site
    }

    fn breaks(part: &str) {
        let site = site();
        let mut daemon = site.start(&[("RISER_FAULT_PART", part)]);
        let told = daemon.line("ended by a defect");
        assert_eq!(told["part"], part);
        let (status, _) = daemon.ended();
        assert_eq!(status.code(), Some(1), "{part}: {:#?}", daemon.said);
        let last = daemon.said.last().unwrap();
        let wanted = format!("a part of it had ended by a defect: {part}");
        assert!(last.contains(&wanted), "{last}");
        // The store was left in order, and the next start has all its parts.
        let mut again = site.start(&[]);
        again.terminate();
        assert!(again.ended().0.success(), "{:#?}", again.said);
    }

    #[test]
    fn the_local_pages() {
        breaks("the local pages");
    }

    #[test]
    fn the_link_and_its_wires() {
        breaks("the cloud link");
        breaks("what comes down from the cloud");
    }

    #[test]
    fn the_desk_of_the_configuration() {
        breaks("the keeping of the configuration");
    }

    #[test]
    fn what_is_done_beside() {
        breaks("the checking of the audit log");
    }
}
