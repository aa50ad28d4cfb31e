//! What can be told of a picture before it is encoded. Pure, and far cheaper than encoding.

use shared::media::{Picture, Resolution};

/// What a picture looks like.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Look {
    /// Mean difference between neighbours on a line, in steps of luma: what coding it alone takes.
    pub(crate) detail: f64,
    /// Part of the picture, 0 to 1, that the picture before does not explain and mostly does: a scene cut
    /// is near 1, steady motion near 0 however fast.
    pub(crate) fresh: f64,
    /// Mean difference from the picture before, in steps of luma.
    pub(crate) change: f64,
}

/// Looks at pictures of one size, one after the other.
#[derive(Debug)]
pub(crate) struct Watcher {
    width: usize,
    /// The luma lines of the last picture that were looked at.
    before: Vec<u8>,
    /// How much of a picture usually is not explained.
    usual: Option<f64>,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    detail: u32,
    change: u32,
}

impl Watcher {
    pub(crate) fn new(resolution: Resolution) -> Self {
        let width = resolution.width as usize;
        Self { width, before: Vec::new(), usual: None, blocks: vec![Block::default(); width / SIDE] }
    }

    /// Looks at the next picture, whose size is that of all the others.
    pub(crate) fn look(&mut self, picture: &Picture) -> Look {
        let [luma, ..] = picture.planes();
        let first = self.before.is_empty();
        let rows = luma.chunks_exact(self.width).step_by(EVERY);
        if first {
            self.before = rows.clone().flatten().copied().collect();
        }
        let (mut detail, mut change) = (0u64, 0u64);
        let (mut changed, mut count, mut lines) = (0u32, 0u32, 0);
        for (row, old) in rows.zip(self.before.chunks_exact_mut(self.width)) {
            let cells = row.chunks_exact(SIDE).zip(old.chunks_exact(SIDE));
            for (block, (new, old)) in self.blocks.iter_mut().zip(cells) {
                block.detail +=
                    new.iter().zip(&new[1..]).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
                block.change += new.iter().zip(old).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
            }
            old.copy_from_slice(row);
            lines += 1;
            if lines == LINES {
                lines = 0;
                for block in &mut self.blocks {
                    detail += u64::from(block.detail);
                    change += u64::from(block.change);
                    changed += u32::from(block.change > block.detail + block.detail / 2 + NOISE);
                    count += 1;
                    *block = Block::default();
                }
            }
        }
        self.blocks.fill(Block::default());
        let pixels = f64::from(count.max(1)) * (SIDE * LINES) as f64;
        let changed = if first { 1.0 } else { f64::from(changed) / f64::from(count.max(1)) };
        let usual = *self.usual.get_or_insert(changed);
        let fresh = ((changed - usual) / (1.0 - usual).max(0.05)).clamp(0.0, 1.0);
        self.usual = (!first).then_some(usual + (changed - usual) * LEARN);
        Look { detail: detail as f64 / pixels, fresh, change: change as f64 / pixels }
    }
}

/// A block is so wide, and so many of the lines that are looked at high.
const SIDE: usize = 16;
const LINES: usize = 4;
/// Of so many lines one is looked at.
const EVERY: usize = 4;
/// Change of a block that is no more than a sensor's noise.
const NOISE: u32 = 3 * (SIDE * LINES) as u32;
/// How fast the usual follows.
const LEARN: f64 = 0.15;
