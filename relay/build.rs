//! Makes the folder that the viewer page is embedded from, so that a build without npm works too.

use std::{env, fs, path::Path};

fn main() {
    let page = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../player/web/dist");
    if let Err(error) = fs::create_dir_all(&page) {
        println!("cargo::error=cannot make {}: {error}", page.display());
    }
    println!("cargo::rerun-if-changed={}", page.display());
}
