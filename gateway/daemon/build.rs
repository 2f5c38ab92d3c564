//! Tells the program when it was built: no stamp of its is ever before that.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Reproducible builds say when the source was last changed.
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let built = given.and_then(|text| text.parse::<u64>().ok());
    let built = built.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    println!("cargo::rustc-env=RISER_BUILT={built}");
}
