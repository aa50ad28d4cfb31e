//! Folders that programs write to.

use std::{fs, io, path::Path};

/// Makes the folder where it is missing, and tries to write a file to it, which it removes again: so that a
/// program says at its start that it cannot, not at its first loss.
///
/// # Errors
/// The operating system's.
pub fn make_writable(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let probe = path.join(format!(".probe-{}", std::process::id()));
    fs::write(&probe, b"")?;
    fs::remove_file(&probe)
}
