//! What the system says of a running program.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

/// Time that all threads of a process have run, in nanoseconds.
pub(super) fn cpu(id: u32) -> Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).context("the process is gone")?;
    let mut sum = 0;
    for task in tasks {
        let path: PathBuf = task?.path().join("schedstat");
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let ran = text.split_whitespace().next().context("a schedstat")?;
        sum += ran.parse::<u64>().context("a schedstat")?;
    }
    Ok(sum)
}

/// Its memory in the machine, in KiB.
pub(super) fn resident(id: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).context("the process is gone")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
    line.split_whitespace().next().context("its memory")?.parse().context("its memory")
}

/// For how long each of the first two cores has idled, in seconds.
pub(super) fn idle() -> Result<[f64; 2]> {
    const TICKS: f64 = 100.0;
    let text = fs::read_to_string("/proc/stat")?;
    let of = |core: usize| {
        let name = format!("cpu{core}");
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(&name));
        let mut fields = line.unwrap_or_default().split_whitespace().skip(4);
        let mut next = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        (next() + next()) / TICKS
    };
    Ok([of(0), of(1)])
}
