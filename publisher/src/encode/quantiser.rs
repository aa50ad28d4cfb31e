//! Which quantiser each picture is coded with, so that every second holds the bitrate. Pure.
//!
//! With openh264's own rate control, seconds that begin just before a key frame or just after one miss the
//! bitrate by some 15 % (`benches/encode` prints it). Here the size of a picture is foretold from earlier
//! ones of its kind (key frame, or its temporal layer), and the quantiser follows from the size that the
//! account of the last second leaves room for.
//!
//! A key frame is larger than its neighbours, so the second that it enters cannot hold as much as the one
//! before: all others get a little less than the mean, a second without a key frame lies about as far below
//! the bitrate as one with it lies above. That bounds the key frame's size, and with it its delay.
//! Pictures too simple for their bits stay below the bitrate: nothing is filled up, nor saved for later.

use std::collections::VecDeque;

use shared::media::{Bitrate, FrameKind};

use super::{TemporalLayers, VideoSettings, look::Look};

mod model;

use model::Model;

/// What decides how dear a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Coded alone.
    Key,
    /// Coded from earlier ones; in this temporal layer.
    Delta(u8),
}

/// The quantiser parameter of H.264, from [`FINEST`] to [`COARSEST`]; six more halve the precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Qp(pub(crate) u8);

/// Nobody sees more in a finer one, and encoding takes longer.
pub(crate) const FINEST: Qp = Qp(14);
/// The coarsest there is.
pub(crate) const COARSEST: Qp = Qp(51);

/// Chooses quantisers. For each picture first [`Self::choose`], then [`Self::book`].
#[derive(Debug)]
pub(crate) struct Quantiser {
    frame_rate: f64,
    layers: TemporalLayers,
    /// Bits of a mean picture, of one that is no key frame, and of a key frame.
    mean: f64,
    share: f64,
    key_share: f64,
    /// Sizes in bits of a second's pictures but the next, newest last.
    second: VecDeque<f64>,
    /// Pictures of a second.
    pictures: usize,
    /// Place of the next picture in the pattern of temporal layers.
    phase: u8,
    /// Bits spent beyond what the pictures were to get.
    debt: f64,
    key_model: Model,
    /// One a temporal layer, for pictures in which something moves.
    models: [Model; 3],
    /// For pictures in which next to nothing moves.
    still_model: Model,
    /// Whether openh264 makes key frames of new views of its own accord.
    is_screen: bool,
    pending: Option<Pending>,
    /// The last picture's quantiser, as for the base layer, and the last's in which something moved.
    last: Option<f64>,
    last_moving: Option<f64>,
    /// Whether the last picture was still.
    was_still: bool,
    /// Pictures until the next key frame, as far as is known, of so many from one to the next.
    until_key: usize,
    key_interval: usize,
    /// The quantiser that what is seen was coded with.
    stands: f64,
    /// The last key frame's.
    last_key: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    kind: Kind,
    look: Look,
    qp: f64,
}

impl Quantiser {
    /// For an encoder with these settings.
    pub(crate) fn new(settings: &VideoSettings) -> Self {
        let frame_rate = settings.frame_rate.per_second();
        let pictures = (frame_rate.round() as usize).max(1);
        let keys = 1.0 / settings.keyframe_interval.as_secs_f64().max(1e-3);
        let share = (1.0 - KEY_EXTRA * keys.max(FEW_KEYS)).max(0.3);
        let pixels = f64::from(settings.resolution.width) * f64::from(settings.resolution.height);
        // Guesses for the first pictures, soon replaced by what was seen.
        let model = |bits_a_pixel: f64| Model::new(pixels * bits_a_pixel, 26.0);
        Self {
            frame_rate,
            layers: settings.layers,
            mean: f64::from(settings.bitrate.0) / frame_rate,
            share,
            key_share: (share + KEY_EXTRA * pictures as f64).clamp(KEY_LEAST, KEY_MOST),
            second: VecDeque::with_capacity(pictures),
            pictures,
            phase: 0,
            debt: 0.0,
            // Too coarse is better than too fine.
            key_model: model(0.15),
            models: [model(0.1), model(0.06), model(0.04)],
            still_model: model(0.001),
            is_screen: settings.codes_as_screen(),
            pending: None,
            last: None,
            last_moving: None,
            was_still: false,
            until_key: 0,
            key_interval: settings.keyframe_pictures() as usize,
            stands: f64::from(COARSEST.0),
            last_key: None,
        }
    }

    /// Grants another bitrate from the next picture on.
    pub(crate) fn set_bitrate(&mut self, bitrate: Bitrate) {
        let mean = f64::from(bitrate.0) / self.frame_rate;
        let factor = mean / self.mean;
        self.mean = mean;
        // What was right before counts as right now, so nothing is paid back or made good.
        self.second.iter_mut().for_each(|bits| *bits *= factor);
        self.debt *= factor;
        self.last = None;
        self.last_moving = None;
        self.last_key = None;
    }

    /// The quantiser for the next picture; `None` where it is to be let go, as even the coarsest leaves the
    /// pictures too large for the bitrate. A key frame never is.
    pub(crate) fn choose(&mut self, kind: Kind, look: Look) -> Option<Qp> {
        let coarsest = f64::from(COARSEST.0);
        let bounded = |qp: f64| qp.round().clamp(f64::from(FINEST.0), coarsest);
        let qp = match kind {
            Kind::Key => {
                self.phase = 0;
                self.until_key = self.key_interval;
                bounded(self.key(look))
            }
            Kind::Delta(layer) => {
                let layer = usize::from(layer).min(2);
                let is_still = look.change < STILL;
                let mut qp = bounded(if is_still { self.still() } else { self.moving(layer) });
                let most = if self.is_screen {
                    self.allowance()
                } else {
                    self.room().clamp(FRESH_LEAST * self.mean, KEY_MOST * self.mean)
                };
                let is_sudden = self.is_screen || is_still || look.fresh > FRESH;
                while is_sudden && qp < coarsest && self.size(layer, look, qp) > most {
                    qp += 1.0;
                }
                if self.is_too_large(layer, look, qp) {
                    self.debt -= self.share * self.mean;
                    self.remember(0.0);
                    return None;
                }
                qp
            }
        };
        self.pending = Some(Pending { kind, look, qp });
        Some(Qp(qp as u8))
    }

    /// Whether a picture is to be let go, as even the coarsest quantiser leaves it too large.
    fn is_too_large(&self, layer: usize, look: Look, qp: f64) -> bool {
        let coarsest = f64::from(COARSEST.0);
        // What was foretold from finer pictures may be wrong: one that is coarse is seen first.
        let is_known = qp >= coarsest && self.last.is_some_and(|last| last >= coarsest - 1.0);
        let owes = self.pattern_mean(coarsest) > self.share * self.mean && self.debt > TOO_MUCH * self.mean;
        is_known && (owes || (self.is_screen && self.size(layer, look, qp) > self.room()))
    }

    /// The quantiser for a key frame.
    fn key(&self, look: Look) -> f64 {
        let room = if self.is_screen { self.allowance() } else { self.room() };
        let share = self.key_share * self.mean;
        // Among pictures that leave their bits it may be better.
        let unused = self.second.len() + 1 == self.pictures && room > share + UNUSED * self.mean;
        let most = if unused { KEY_MOST * self.mean } else { share };
        let bits = room.clamp(KEY_LEAST * self.mean, most);
        let qp = self.key_model.qp(bits, look.detail);
        let qp = self.last_key.map_or(qp, |last| qp.max(last - KEY_FINER_STEP));
        self.last.map_or(qp, |last| qp.max(last - KEY_FINER))
    }

    fn remember(&mut self, bits: f64) {
        if self.second.len() + 1 >= self.pictures {
            self.second.pop_front();
        }
        self.second.push_back(bits);
        self.until_key = self.until_key.saturating_sub(1);
    }

    /// Bits that a picture may have at most without its second being too full.
    fn room(&self) -> f64 {
        self.mean * self.pictures as f64 * FULLEST - self.second.iter().sum::<f64>()
    }

    /// Bits that a picture may have such that those after it have enough to be shown at all: the key frame
    /// that comes, and before their second is over, the others.
    fn allowance(&self) -> f64 {
        let least = RESERVE * self.mean;
        let key = KEY_LEAST * self.mean;
        let mut left = self.room();
        let mut allowance = left;
        let late = self.pictures - 1 - self.second.len();
        let leaving = std::iter::repeat_n(0.0, late).chain(self.second.iter().copied());
        for (at, leaves) in (1..self.pictures).zip(leaving) {
            left += leaves - if at == self.until_key { key } else { least };
            allowance = allowance.min(left);
        }
        allowance
    }

    /// Bits that a picture would have.
    fn size(&self, layer: usize, look: Look, qp: f64) -> f64 {
        if look.change < STILL {
            // openh264 leaves what stands still as it is until the quantiser is much finer, and then codes
            // all of it anew.
            let anew = if qp <= self.stands - REFINED { self.refinement(qp, look) } else { 0.0 };
            return self.still_model.bits(qp, 0.0) + anew;
        }
        let moved = self.models[layer].bits(qp, 0.0);
        if look.fresh <= FRESH {
            return moved;
        }
        // That part of the picture is coded as in a key frame.
        let alone = self.key_model.bits(qp, look.detail);
        // Of a screen that was still openh264 codes all of it so, and what it shows now may be anything.
        if self.is_screen && self.was_still {
            return alone * ANYTHING;
        }
        look.fresh * alone + (1.0 - look.fresh) * moved
    }

    /// The quantiser for a picture in which something moves.
    fn moving(&self, layer: usize) -> f64 {
        let base = self.mean * self.share;
        let debt = self.debt - self.ripple(base);
        // The same quality over a whole pattern, whose mean is to be what a picture gets.
        let mut qp = self.base_qp((base - debt / PAY_BACK).clamp(base * 0.4, base * 1.4));
        if let Some(last) = self.last_moving.or(self.last) {
            qp = qp.clamp(last - FINER_STEP, last + COARSER_STEP);
        }
        qp = (qp + self.coarser(layer)).round();
        // What leaves the last second with this picture counts at once.
        if self.second.len() + 1 == self.pictures {
            let full = self.mean * self.pictures as f64;
            let second = self.second.iter().sum::<f64>() + self.models[layer].bits(qp, 0.0);
            if second > full * HIGH {
                qp += 1.0;
            } else if second < full * LOW {
                qp -= 1.0;
            }
        }
        qp
    }

    /// The quantiser for a picture in which next to nothing moves: what is seen becomes finer, step by step.
    fn still(&self) -> f64 {
        let qp = self.still_model.qp(self.mean * self.share, 0.0);
        self.last.map_or(qp, |last| qp.clamp(last - FINER_STEP, last + COARSER_STEP))
    }

    /// Bits that it takes to make what is seen as fine as that.
    fn refinement(&self, qp: f64, look: Look) -> f64 {
        (self.key_model.bits(qp, look.detail) - self.key_model.bits(self.stands, look.detail)).max(0.0)
    }

    /// How far the pictures of a pattern that has begun are ahead of its mean, as lower layers are larger.
    fn ripple(&self, base: f64) -> f64 {
        let qp = self.last.unwrap_or(30.0);
        let mean = self.pattern_mean(qp);
        let bits = |place: u8| self.layer_bits(usize::from(self.layers.of(place)), qp);
        (0..self.phase).map(|place| (bits(place) / mean - 1.0) * base).sum()
    }

    /// The base layer's quantiser with which a pattern's pictures have this mean size.
    fn base_qp(&self, mean: f64) -> f64 {
        let (mut low, mut high) = (f64::from(FINEST.0) - 3.0, f64::from(COARSEST.0));
        // The sum of the models has no closed inverse.
        for _ in 0..12 {
            let middle = (low + high) / 2.0;
            if self.pattern_mean(middle) > mean { low = middle } else { high = middle }
        }
        high
    }

    /// Mean size of a pattern's pictures where the base layer's quantiser is `qp`.
    fn pattern_mean(&self, qp: f64) -> f64 {
        let pattern = self.layers.pattern();
        let sum: f64 =
            (0..pattern).map(|place| self.layer_bits(usize::from(self.layers.of(place)), qp)).sum();
        sum / f64::from(pattern)
    }

    fn layer_bits(&self, layer: usize, qp: f64) -> f64 {
        self.models[layer].bits(qp + self.coarser(layer), 0.0)
    }

    /// How much coarser a layer is than the base layer, which more pictures are made of.
    fn coarser(&self, layer: usize) -> f64 {
        // With three layers it would be too uneven: a second is no whole number of their patterns.
        f64::from(u8::from(layer > 0 && self.layers.count() == 2))
    }

    /// Books the picture that a quantiser was chosen for, which became so many bytes. The encoder may have
    /// made a key frame of its own accord.
    pub(crate) fn book(&mut self, became: FrameKind, bytes: usize) {
        let Some(Pending { kind, look, qp }) = self.pending.take() else { return };
        let kind = if became == FrameKind::Key { Kind::Key } else { kind };
        let bits = (bytes.max(1) * 8) as f64;
        self.remember(bits);
        let before = self.stands;
        if kind == Kind::Key || qp > self.stands || bits > self.refinement(qp, look) * REFINING {
            self.stands = qp;
        }
        match kind {
            Kind::Key => {
                self.phase = 0;
                self.key_model.learn(bits, qp, look.detail);
                // Paid back at once, a surplus would be missing in the second after it has left the account.
                let surplus = bits - self.key_share * self.mean;
                self.debt += surplus - surplus.clamp(-KEY_FREE * self.mean, KEY_FREE * self.mean);
                self.last = Some(self.last.map_or(qp, |last| qp.max(last)));
                self.last_moving = self.last_moving.map(|last| qp.max(last));
                self.last_key = Some(qp);
            }
            Kind::Delta(layer) => {
                let layer = usize::from(layer).min(2);
                if look.change < STILL {
                    if qp > before - REFINED {
                        self.still_model.learn(bits, qp, 0.0);
                    }
                } else if look.fresh <= FRESH {
                    self.models[layer].learn(bits, qp, 0.0);
                } else if look.fresh > MOSTLY_FRESH {
                    self.key_model.learn(bits, qp, look.detail);
                }
                self.debt += bits - self.share * self.mean;
                if qp <= f64::from(FINEST.0) {
                    self.debt = self.debt.max(-SAVED * self.mean);
                }
                self.last = Some(qp - self.coarser(layer));
                if look.change >= STILL {
                    self.last_moving = self.last;
                }
            }
        }
        self.was_still = look.change < STILL;
        self.debt = self.debt.clamp(-LEFT * self.mean, OWED * self.mean);
        self.phase = (self.phase + 1) % self.layers.pattern();
    }
}

/// Part of a second's bits that a key frame gets beyond other pictures: two thirds of what one second may
/// differ from the next.
const KEY_EXTRA: f64 = 0.054;
/// Where key frames are fewer a second, the others get no more.
const FEW_KEYS: f64 = 0.58;
/// Bounds of a key frame's size, in mean pictures.
const KEY_LEAST: f64 = 1.8;
const KEY_MOST: f64 = 6.0;
/// Mean pictures that a second must have left for a key frame to be larger than planned.
const UNUSED: f64 = 3.0;
/// A key frame that is dearer or cheaper by so many mean pictures is let pass.
const KEY_FREE: f64 = 0.4;
/// A key frame is not finer than the picture before it by more: nobody would see it.
const KEY_FINER: f64 = 4.0;
/// Nor finer than the key frame before by more: so far the model is not to be trusted.
const KEY_FINER_STEP: f64 = 2.0;
/// What a second may hold at most, and where its last picture is made coarser or finer, in seconds' bits.
const FULLEST: f64 = 1.045;
const HIGH: f64 = 1.035;
const LOW: f64 = 0.965;
/// How much of a picture must be new to be foretold as a key frame, and to be learnt from as one.
const FRESH: f64 = 0.08;
const MOSTLY_FRESH: f64 = 0.6;
/// What such a picture gets at least, in mean pictures.
const FRESH_LEAST: f64 = 1.3;
/// Pictures over which a debt is paid back.
const PAY_BACK: f64 = 7.0;
/// Bounds of the account, in mean pictures: saved by simple pictures, left over by others, owed.
const SAVED: f64 = 0.5;
const LEFT: f64 = 1.5;
const OWED: f64 = 20.0;
/// With more of a debt than this pictures are let go.
const TOO_MUCH: f64 = 3.0;
/// What each picture to come is left at least, in mean pictures.
const RESERVE: f64 = 0.5;
/// How much more than the last view a new one may take.
const ANYTHING: f64 = 1.4;
/// Change of pictures, in steps of luma, that is less than any camera's noise.
const STILL: f64 = 0.5;
/// What stands still is coded anew with a quantiser so much finer, and has been where a picture took so
/// much of what was foretold.
const REFINED: f64 = 4.0;
const REFINING: f64 = 0.25;
/// How far the quantiser goes from one picture to the next: what a coarse picture left out is dear.
const FINER_STEP: f64 = 2.0;
const COARSER_STEP: f64 = 5.0;

#[cfg(test)]
mod tests;
