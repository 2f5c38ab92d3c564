//! Every case of `tests/cases`. Their script is played over TCP; a relay carries the datagrams.

use riser_adapter::{BuildContext, Built, ConfigError, Kind};
use std::path::Path;

/// The adapter, with a relay before every device that is named by its address.
const RELAYED: Kind = Kind {
    build,
    ..riser_bacnet::KIND
};

fn build(table: &toml::Table, context: &BuildContext) -> Result<Built, ConfigError> {
    let mut table = table.clone();
    let devices = table.get_mut("device").and_then(toml::Value::as_array_mut);
    for device in devices.into_iter().flatten() {
        let address = device.get_mut("address");
        let scripted = address.as_ref().and_then(|a| a.as_str()?.parse().ok());
        if let (Some(address), Some(scripted)) = (address, scripted) {
            *address = crate::support::relay(scripted).to_string().into();
        }
    }
    (riser_bacnet::KIND.build)(&table, context)
}

#[tokio::test]
async fn every_case_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let count = riser_adapter_testkit::cases::run_all(&RELAYED, &folder).await;
    assert!(count >= 20, "{count} cases");
}
