//! Rebuilds the crate when a device profile is added, changed or removed.

fn main() {
    println!("cargo:rerun-if-changed=../../config/devices/tuya");
}
