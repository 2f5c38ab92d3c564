//! The README shows the sample and the operations as they are. `UPDATE_README=1` puts them in anew.

use riser_zigbee::KIND;
use std::fmt::Write;
use std::path::Path;

#[test]
fn the_sample_is_accepted_and_the_readme_includes_it_and_the_operations() {
    let built = riser_adapter_testkit::harness::build(&KIND, KIND.sample);
    let built = built.unwrap_or_else(|e| panic!("the sample is refused: {e}"));
    assert_eq!(built.points.len(), 1);
    let operations = built.operate.expect("operations").operations();
    let mut list = "| operation | takes | does |\n|---|---|---|\n".to_owned();
    for operation in operations {
        let fields = operation.fields.iter();
        let fields: Vec<String> = fields
            .map(|f| {
                if f.required {
                    format!("`{}`", f.name)
                } else {
                    format!("[`{}`]", f.name)
                }
            })
            .collect();
        writeln!(
            list,
            "| `{}` | {} | {} |",
            operation.name,
            fields.join(", "),
            operation.description
        )
        .expect("a string takes everything");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let wanted = within(
        &readme,
        "sample.toml",
        &format!("```toml\n{}```\n", KIND.sample),
    );
    let wanted = within(&wanted, "operations", &list);
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(file, &wanted).unwrap();
    } else {
        assert!(
            readme == wanted,
            "README.md shows another sample or other operations; run with UPDATE_README=1"
        );
    }
}

/// `text` with new content between the markers of that name.
fn within(text: &str, marker: &str, content: &str) -> String {
    let (open, close) = (
        format!("<!-- {marker} -->\n"),
        format!("<!-- /{marker} -->"),
    );
    let (before, rest) = text.split_once(&open).expect("the opening marker");
    let (_, after) = rest.split_once(&close).expect("the closing marker");
    format!("{before}{open}{content}{close}{after}")
}
