//! Films made with ffmpeg, so that the input is somebody else's.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

/// Runs ffmpeg with `arguments`, which are split at spaces, writing to `output`.
///
/// # Errors
/// With what ffmpeg said.
pub fn make(arguments: &str, output: &str) -> Result<()> {
    let done = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .arg(output)
        .output()
        .context("running ffmpeg: install it, as `make test` does")?;
    anyhow::ensure!(done.status.success(), "ffmpeg {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// A film of H.264 with B-frames and AAC at 44.1 kHz, 320x240 at 25 fps, of so many seconds. Every
/// picture differs from every other.
///
/// # Errors
/// With what ffmpeg said.
pub fn with_b_frames(seconds: u32, output: &str) -> Result<()> {
    make(
        &format!(
            "-f lavfi -i testsrc2=size=320x240:rate=25:duration={seconds} \
             -f lavfi -i sine=frequency=500:sample_rate=44100:duration={seconds} \
             -c:v libx264 -preset medium -bf 3 -b_strategy 0 -g 50 -crf 12 -pix_fmt yuv420p -c:a aac -b:a 128k"
        ),
        output,
    )
}

/// Decodes a film to y4m by ffmpeg, as a second opinion of what it shows.
///
/// # Errors
/// With what ffmpeg said.
pub fn decode(film: &Path, output: &str) -> Result<()> {
    make(&format!("-i {} -pix_fmt yuv420p -f yuv4mpegpipe", film.display()), output)
}
