//! The checked-in OpenAPI document is the one the routes make. `UPDATE_OPENAPI=1` rewrites it.

use std::path::Path;

#[test]
fn the_checked_in_document_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut made = serde_json::to_string_pretty(&riser_cloud::http::document()).unwrap();
    made.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "cloud-api/server/openapi.json is not what the routes make; run \
         UPDATE_OPENAPI=1 cargo test -p riser-cloud --test openapi, then rebuild the dashboard"
    );
}
