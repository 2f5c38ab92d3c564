//! Makes sure the folder of the built web UI exists, so the crate builds before the UI does and
//! is built again after it. Writes nothing into the folder.

use std::path::Path;

fn main() {
    let dist = Path::new("../web/dist");
    if let Err(error) = std::fs::create_dir_all(dist) {
        println!("cargo::warning=could not make {}: {error}", dist.display());
    }
    println!("cargo::rerun-if-changed=../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
