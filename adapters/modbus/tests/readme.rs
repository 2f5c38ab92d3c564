//! The README shows the sample as it is. `UPDATE_README=1` puts it in anew.

use std::path::Path;

#[test]
fn the_readme_includes_the_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sample = include_str!("../sample.toml");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let (open, close) = ("<!-- sample.toml -->\n", "<!-- /sample.toml -->");
    let (before, rest) = readme.split_once(open).expect("the opening marker");
    let (_, after) = rest.split_once(close).expect("the closing marker");
    let wanted = format!("{before}{open}```toml\n{sample}```\n{close}{after}");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(folder.join("README.md"), &wanted).unwrap();
    } else {
        assert!(
            readme == wanted,
            "README.md shows another sample.toml; run with UPDATE_README=1"
        );
    }
}

#[test]
fn the_readme_names_every_type() {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for word in [
        "bool", "u8", "i64", "f32", "f64", "bcd16", "bcd32", "string", "enum", "bits", "bits32",
    ] {
        assert!(readme.contains(&format!("`{word}`")), "{word}");
    }
}
