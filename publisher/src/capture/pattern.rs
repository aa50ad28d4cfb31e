//! A moving picture with its time in it: for programs in a row of cells, for people in digits.
//!
//! Colour bars, a ramp that wanders, a disc that swings, the time of day, and a square that is white while
//! the tone sounds. What stands still is drawn once.

use std::{sync::Arc, time::Duration};

use shared::media::{FrameRate, Picture, Resolution, Timestamp, timecode};

use super::{Clock, Error, VideoSource, clock::Pace, tone};

/// The size where no rendition asks for another.
pub(super) const RESOLUTION: Resolution = Resolution { width: 1280, height: 720 };

/// The frame rate where no rendition asks for another.
pub(super) fn frame_rate() -> FrameRate {
    FrameRate::new(30, 1).expect("thirty a second is a rate")
}

/// The pattern, in real time.
#[derive(Debug)]
pub(super) struct Pattern {
    still: Picture,
    pace: Pace,
    frame_rate: FrameRate,
    clock: Arc<Clock>,
}

impl Pattern {
    pub(super) fn new(resolution: Resolution, frame_rate: FrameRate, clock: Arc<Clock>) -> Self {
        Self { still: still(resolution), pace: Pace::new(frame_rate), frame_rate, clock }
    }
}

impl VideoSource for Pattern {
    fn resolution(&self) -> Resolution {
        self.still.resolution
    }

    fn frame_rate(&self) -> FrameRate {
        self.frame_rate
    }

    fn next(&mut self) -> Result<Option<Picture>, Error> {
        let due = self.pace.next(self.clock.elapsed());
        self.clock.wait_until(due);
        Ok(Some(draw(&self.still, self.clock.at(due), due)))
    }

    fn skipped(&self) -> u64 {
        self.pace.skipped()
    }
}

/// A colour: luma and both chroma values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colour(u8, u8, u8);

const WHITE: Colour = Colour(235, 128, 128);
/// 75 % bars in BT.709: grey, yellow, cyan, green, magenta, red, blue.
const BARS: [Colour; 7] = [
    Colour(180, 128, 128),
    Colour(168, 44, 136),
    Colour(145, 147, 44),
    Colour(133, 63, 52),
    Colour(63, 193, 204),
    Colour(51, 109, 212),
    Colour(28, 212, 120),
];

/// What does not move: the bars, down to two thirds.
fn still(resolution: Resolution) -> Picture {
    let mut picture = Picture::black(resolution, Timestamp::default());
    let (width, height) = size(&picture);
    let count = BARS.len();
    for (index, bar) in BARS.into_iter().enumerate() {
        let area = Area { x: index * width / count, y: 0, width: width / count + 1, height: height * 2 / 3 };
        area.fill(&mut picture, bar);
    }
    picture
}

/// The picture of one moment, `since_start` after the broadcast's first.
fn draw(still: &Picture, time: Timestamp, since_start: Duration) -> Picture {
    let mut picture = still.clone();
    picture.timestamp = time;
    let (width, height) = size(&picture);
    ramp(&mut picture, since_start);
    let swing = (since_start.as_secs_f64() * std::f64::consts::TAU / SWING.as_secs_f64()).sin();
    let radius = height / 9;
    let across = (width / 2).saturating_sub(radius) as f64;
    disc(&mut picture, (width as f64 / 2.0 + swing * across) as usize, height * 4 / 9, radius);
    digits(&mut picture, time);
    if tone::sounds(time) {
        let side = height / 6;
        Area { x: width - side, y: height - side, width: side, height: side }.fill(&mut picture, WHITE);
    }
    timecode::draw(&mut picture);
    picture
}

/// The disc goes from side to side and back in this time.
const SWING: Duration = Duration::from_secs(4);

fn size(picture: &Picture) -> (usize, usize) {
    (picture.resolution.width as usize, picture.resolution.height as usize)
}

/// A ramp from black to white under the bars that wanders by its own width in four seconds.
fn ramp(picture: &mut Picture, since_start: Duration) {
    let (width, height) = size(picture);
    let offset = (since_start.as_secs_f64() / 4.0 * width as f64) as usize;
    let row: Vec<u8> = (0..width).map(|x| 16 + ((x + offset) % width * 219 / width.max(1)) as u8).collect();
    let [luma, ..] = picture.planes_mut();
    for target in luma.chunks_exact_mut(width).take(height * 5 / 6).skip(height * 2 / 3) {
        target.copy_from_slice(&row);
    }
}

fn disc(picture: &mut Picture, x: usize, y: usize, radius: usize) {
    let (width, height) = size(picture);
    for row in y.saturating_sub(radius)..(y + radius).min(height) {
        let up = row.abs_diff(y);
        let half = (radius * radius).saturating_sub(up * up).isqrt();
        let left = x.saturating_sub(half);
        let right = (x + half).min(width);
        Area { x: left, y: row, width: right.saturating_sub(left), height: 1 }.fill(picture, WHITE);
    }
}

/// The UTC time of day as `HH:MM:SS.mmm` in the lower left.
fn digits(picture: &mut Picture, time: Timestamp) {
    let millis = time.0 / 1000;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let text = format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (width, height) = size(picture);
    let cell = (height / 60).min(width / 100).max(1);
    let (mut x, y) = (4 * cell, height * 5 / 6 + cell);
    for letter in text.chars() {
        let Some(digit) = letter.to_digit(10) else {
            if letter == ':' {
                Area { x, y: y + 2 * cell, width: cell, height: cell }.fill(picture, WHITE);
            }
            Area { x, y: y + 6 * cell, width: cell, height: cell }.fill(picture, WHITE);
            x += 2 * cell;
            continue;
        };
        for (segment, (left, top, wide, high)) in SEGMENTS.into_iter().enumerate() {
            if LIT[digit as usize] >> segment & 1 == 1 {
                let area =
                    Area { x: x + left * cell, y: y + top * cell, width: wide * cell, height: high * cell };
                area.fill(picture, WHITE);
            }
        }
        x += 5 * cell;
    }
}

/// Left, top, width and height of the segments top, upper right, lower right, bottom, lower left, upper
/// left, middle, in cells.
const SEGMENTS: [(usize, usize, usize, usize); 7] =
    [(0, 0, 4, 1), (3, 0, 1, 4), (3, 3, 1, 4), (0, 6, 4, 1), (0, 3, 1, 4), (0, 0, 1, 4), (0, 3, 4, 1)];
/// Which segments each digit lights, the first in the lowest bit.
const LIT: [u8; 10] = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];

/// A rectangle in pixels of luma.
#[derive(Debug, Clone, Copy)]
struct Area {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Area {
    /// Fills what of it lies inside of the picture.
    fn fill(self, picture: &mut Picture, colour: Colour) {
        let (width, height) = size(picture);
        let (right, bottom) = ((self.x + self.width).min(width), (self.y + self.height).min(height));
        let [luma, u, v] = picture.planes_mut();
        fill_plane(luma, width, self.x..right, self.y..bottom, colour.0);
        let (columns, rows) = (self.x / 2..right / 2, self.y / 2..bottom.div_ceil(2).min(height / 2));
        fill_plane(u, width / 2, columns.clone(), rows.clone(), colour.1);
        fill_plane(v, width / 2, columns, rows, colour.2);
    }
}

fn fill_plane(
    plane: &mut [u8],
    stride: usize,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
    value: u8,
) {
    let count = rows.end.saturating_sub(rows.start);
    for row in plane.chunks_exact_mut(stride).skip(rows.start).take(count) {
        if let Some(columns) = row.get_mut(columns.clone()) {
            columns.fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(resolution: Resolution, time: Timestamp) -> Picture {
        draw(&still(resolution), time, Duration::from_micros(time.0 % 10_000_000))
    }

    #[test]
    fn every_size_has_its_time_in_it() {
        for (width, height) in [(1280, 720), (640, 360), (320, 180), (160, 90), (96, 96), (1920, 1080)] {
            let time = Timestamp(1_795_000_123_456_789);
            let picture = at(Resolution { width, height }, time);
            let width = width as usize;
            assert_eq!(timecode::read(picture.planes()[0], width, width), Some(time), "{width}x{height}");
        }
        // Too narrow for a timecode; drawn all the same.
        at(Resolution { width: 16, height: 16 }, Timestamp(1));
    }

    #[test]
    fn the_corner_is_white_while_the_tone_sounds_and_the_picture_moves() {
        let corner = |picture: &Picture| picture.planes()[0].last().copied();
        let (sounding, silent) = (at(RESOLUTION, Timestamp(9_050_000)), at(RESOLUTION, Timestamp(9_500_000)));
        assert_eq!([corner(&sounding), corner(&silent)], [Some(WHITE.0), Some(16)]);
        let differing =
            sounding.planes()[0].iter().zip(silent.planes()[0]).filter(|(one, other)| one != other).count();
        assert!(differing > 50_000, "{differing} pixels moved");
    }
}
