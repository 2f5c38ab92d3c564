//! Every recorded case: what must be refused before anything opens, and in which words.

use std::path::Path;

#[tokio::test]
async fn every_case_ends_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let count = riser_adapter_testkit::cases::run_all(&riser_homeassistant::KIND, &folder).await;
    assert!(count >= 3, "only {count} cases");
}
