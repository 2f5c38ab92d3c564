//! Files and functions stay at the size where good code of this kind lives, and say what they own.

use riser_tidy::{Source, report, sources};
use syn::spanned::Spanned;
use syn::visit::Visit;

const FILE_LINES: usize = 400;
const WEB_FILE_LINES: usize = 300;
const FUNCTION_LINES: usize = 60;

fn rust() -> impl Iterator<Item = Source> {
    sources(&[".rs"]).into_iter().filter(Source::is_production)
}

fn web() -> impl Iterator<Item = Source> {
    sources(&[".ts", ".tsx", ".mjs"])
        .into_iter()
        .filter(|s| s.is_production() && !s.path.ends_with(".d.ts"))
}

#[test]
fn production_files_are_short() {
    let long = |limit: usize| {
        move |s: &Source| (s.production_text().lines().count(), limit, s.path.clone())
    };
    let breaks: Vec<String> = rust()
        .map(|s| long(FILE_LINES)(&s))
        .chain(web().map(|s| long(WEB_FILE_LINES)(&s)))
        .filter(|(lines, limit, _)| lines > limit)
        .map(|(lines, limit, path)| format!("{path} has {lines} lines (at most {limit})"))
        .collect();
    report("file size", &breaks);
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let mut breaks: Vec<String> = sources(&[".rs"])
        .iter()
        .filter(|s| !s.text.starts_with("//!"))
        .map(|s| s.path.clone())
        .collect();
    let opens = |s: &Source| {
        let text = s
            .text
            .strip_prefix("#!/usr/bin/env node\n")
            .unwrap_or(&s.text);
        text.starts_with("//") || text.starts_with("/*")
    };
    breaks.extend(web().filter(|s| !opens(s)).map(|s| s.path));
    report("module header", &breaks);
}

struct Lengths<'a> {
    path: &'a str,
    breaks: Vec<String>,
}

impl Lengths<'_> {
    fn check(&mut self, name: &syn::Ident, block: &syn::Block) {
        let lines = block
            .span()
            .end()
            .line
            .saturating_sub(block.span().start().line);
        if lines > FUNCTION_LINES {
            self.breaks.push(format!(
                "{} {name} has {lines} lines (at most {FUNCTION_LINES})",
                self.path
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Lengths<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.sig.ident, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.sig.ident, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn functions_are_short() {
    let mut breaks = Vec::new();
    for source in rust() {
        let file = match syn::parse_file(source.production_text()) {
            Ok(file) => file,
            Err(error) => {
                breaks.push(format!("{} cannot be parsed: {error}", source.path));
                continue;
            }
        };
        let mut lengths = Lengths {
            path: &source.path,
            breaks: Vec::new(),
        };
        lengths.visit_file(&file);
        breaks.append(&mut lengths.breaks);
    }
    report("function size", &breaks);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("];
    let mut breaks = Vec::new();
    for source in rust()
        .chain(web())
        .filter(|s| !s.path.starts_with("tests/tidy"))
    {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|m| line.contains(m)) {
                breaks.push(format!("{}:{} {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("left for later", &breaks);
}
