//! Every protocol of this build, one line each, behind a cargo feature each.

use riser_adapter::Kind;
use riser_adapter::config::nearest;

/// The protocols.
const KINDS: &[&Kind] = &[
    #[cfg(feature = "modbus")]
    &riser_modbus::KIND,
    #[cfg(feature = "tuya")]
    &riser_tuya::KIND,
    #[cfg(feature = "bacnet")]
    &riser_bacnet::KIND,
    #[cfg(feature = "bacnet")]
    &riser_bacnet::SERVER_KIND,
    #[cfg(feature = "homeassistant")]
    &riser_homeassistant::KIND,
    #[cfg(feature = "homeassistant")]
    &riser_homeassistant::face::KIND,
    #[cfg(feature = "zigbee")]
    &riser_zigbee::KIND,
];

/// Every protocol, as the local pages offer them.
pub(crate) fn kinds() -> Vec<Kind> {
    KINDS.iter().map(|kind| **kind).collect()
}

/// The protocol of a name, or what to write instead.
pub(crate) fn kind(name: &str) -> Result<&'static Kind, String> {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
        return Ok(kind);
    }
    let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!(
            "; did you mean '{near}'? This build has: {}",
            known.join(", ")
        ),
        None => "; this build has no adapter at all".to_owned(),
    };
    Err(format!("there is no adapter of kind '{name}'{hint}"))
}
