//! The curves as SVG.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Draws what `bench` wrote.
pub(super) fn draw(_results: &[PathBuf], _out: &Path) -> Result<()> {
    anyhow::bail!("not yet")
}
