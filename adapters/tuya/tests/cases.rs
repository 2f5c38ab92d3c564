//! Every recorded case: what a device did, in octets, and what has to come of it. The octets of the
//! device are made by tinytuya (`tests/cases/make.py`), not by the codec that reads them.

use std::path::Path;

#[tokio::test]
async fn every_case_ends_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let count = riser_adapter_testkit::cases::run_all(&riser_tuya::KIND, &folder).await;
    assert!(count >= 14, "only {count} cases");
}
