//! The README shows the sample as it is. `UPDATE_README=1` puts it in anew.

use std::path::Path;

#[test]
fn the_readme_includes_the_sample() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let sample = riser_homeassistant::KIND.sample;
    let (open, close) = ("<!-- sample.toml -->\n", "<!-- /sample.toml -->");
    let (before, rest) = readme.split_once(open).expect("the opening marker");
    let (_, after) = rest.split_once(close).expect("the closing marker");
    let wanted = format!("{before}{open}```toml\n{sample}```\n{close}{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    } else {
        assert!(
            readme == wanted,
            "README.md shows another sample.toml; run with UPDATE_README=1"
        );
    }
}
