//! The source's language is that of the oldest compiler it promises (`rust-version`): a newer one builds more than that, and
//! says nothing. What std is used beyond it is clippy's to find; here it is syntax.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Expr, ExprBinary, File};

/// Finds `let` within `&&`: stable since Rust 1.88.
#[derive(Default)]
struct Chains(usize);

impl Visit<'_> for Chains {
    fn visit_expr_binary(&mut self, binary: &ExprBinary) {
        let sides = [&*binary.left, &*binary.right];
        self.0 += sides.iter().filter(|side| matches!(side, Expr::Let(_))).count();
        visit::visit_expr_binary(self, binary);
    }
}

fn chains(text: &str) -> usize {
    let file: File = syn::parse_str(text).expect("Rust");
    let mut found = Chains::default();
    found.visit_file(&file);
    found.0
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.extension() {
            _ if path.is_dir() => sources(&path, found),
            Some(ending) if ending == "rs" => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn no_source_needs_a_compiler_newer_than_it_says() {
    assert_eq!(chains("fn f(a: Option<u8>) { if let Some(b) = a && b > 0 {} }"), 1);
    assert_eq!(chains("fn f(a: Option<u8>) { if let Some(b) = a { if b > 0 {} } }"), 0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for place in ["src", "tests", "benches", "fuzz/src", "fuzz/targets"] {
        sources(&root.join(place), &mut all);
    }
    assert!(all.len() > 200, "{} files", all.len());
    let newer: Vec<_> = all.iter().filter(|path| chains(&fs::read_to_string(path).expect("a text")) > 0).collect();
    assert!(newer.is_empty(), "let chains are stable since Rust 1.88 only: {newer:?}");
}
