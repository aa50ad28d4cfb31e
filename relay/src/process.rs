//! What this program takes of its machine.

use std::time::Duration;

/// A look at it. What the system does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time since the start, of all threads.
    pub(crate) cpu: Option<Duration>,
    /// Resident memory in bytes.
    pub(crate) memory: Option<u64>,
    /// Open file descriptors.
    pub(crate) files: Option<u64>,
}

/// Cores that this program may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Looks now: three short reads.
#[cfg(target_os = "linux")]
pub(crate) fn usage() -> Usage {
    use rustix::{param::page_size, time::ClockId};
    let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    let cpu = Duration::try_from(cpu).ok();
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    let memory = pages.and_then(|pages| pages.checked_mul(page_size() as u64));
    // The folder that is being read is one of them.
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1));
    Usage { cpu, memory, files }
}

/// Elsewhere nothing is known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn usage() -> Usage {
    Usage::default()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_are_seen() {
        let before = usage();
        let mut block = vec![1_u8; 64 << 20];
        (0..block.len()).step_by(4096).for_each(|at| block[at] = (at % 251) as u8);
        let now = usage();
        assert!(now.cpu > before.cpu, "{before:?} {now:?}");
        assert!(now.memory.expect("known") > 64 << 20, "{now:?} with {}", block.len());
        assert!(now.files.is_some_and(|files| files > 0));
    }
}
