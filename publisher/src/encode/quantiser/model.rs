//! How the size of pictures of one kind follows from the quantiser. Pure.

/// The logarithm of the size falls in a line as the quantiser rises; each picture moves the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    /// Where the line is at quantiser 0, for a picture without detail.
    height: f64,
    slope: f64,
    /// Whether two pictures have told the slope.
    sloped: bool,
    /// The last picture's size and quantiser.
    seen: Option<(f64, f64)>,
}

impl Model {
    /// A model that only guesses: so many bits at that quantiser.
    pub(super) fn new(bits: f64, qp: f64) -> Self {
        Self { height: bits.log2() + SLOPE * qp, slope: SLOPE, sloped: false, seen: None }
    }

    /// Bits that a picture with this detail would have.
    pub(super) fn bits(&self, qp: f64, detail: f64) -> f64 {
        (self.height + (1.0 + detail).log2() - self.slope * qp).exp2()
    }

    /// The quantiser that would make a picture with this detail so large.
    pub(super) fn qp(&self, bits: f64, detail: f64) -> f64 {
        let qp = (self.height + (1.0 + detail).log2() - bits.log2()) / self.slope;
        match self.seen {
            // The slope is a guess: too coarse is better than too fine.
            Some((_, seen)) if !self.sloped && qp > seen => seen + (qp - seen) * 1.7,
            Some(_) | None => qp,
        }
    }

    /// Learns from a picture.
    pub(super) fn learn(&mut self, bits: f64, qp: f64, detail: f64) {
        let size = bits.log2() - (1.0 + detail).log2();
        if let Some((old_size, old_qp)) = self.seen
            && (qp - old_qp).abs() >= 1.0
        {
            let slope = ((old_size - size) / (qp - old_qp)).clamp(SLOPE_LEAST, SLOPE_MOST);
            // The farther apart the two pictures are, the more they tell.
            let steeper = (slope - self.slope) * ((qp - old_qp).abs() * LEARN_SLOPE).min(0.4);
            // The line turns about this quantiser.
            self.height += steeper * qp;
            self.slope += steeper;
            self.sloped = true;
        }
        let height = size + self.slope * qp;
        let weight = if self.seen.is_some() { LEARN } else { 1.0 };
        self.height += (height - self.height) * weight;
        self.seen = Some((size, qp));
    }
}

/// Octaves a step of the quantiser.
const SLOPE: f64 = 0.2;
const SLOPE_LEAST: f64 = 0.5 / 6.0;
const SLOPE_MOST: f64 = 3.0 / 6.0;
/// Weight of the newest picture.
const LEARN: f64 = 0.5;
const LEARN_SLOPE: f64 = 0.05;
