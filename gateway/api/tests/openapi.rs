//! The checked-in document is the one the routes make: both UIs generate their clients from it.

#[test]
fn the_checked_in_document_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let generated = riser_api::document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "openapi.json differs from the routes; run UPDATE_OPENAPI=1 cargo test -p riser-api --test openapi"
    );
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_says_who_may() {
    let document = serde_json::to_value(riser_api::document()).unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let says = operation
                .get("x-permission")
                .or(operation.get("x-open-because"));
            assert!(says.is_some(), "{method} {path}");
        }
    }
}
