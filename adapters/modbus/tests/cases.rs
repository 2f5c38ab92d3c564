//! Every recorded case: what a device did, in octets, and what has to come of it.

use std::path::Path;

#[tokio::test]
async fn every_case_ends_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let count = riser_adapter_testkit::cases::run_all(&riser_modbus::KIND, &folder).await;
    assert!(count >= 12, "only {count} cases");
}
