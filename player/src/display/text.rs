//! Words drawn into a picture of 32-bit pixels.

use font8x8::UnicodeFonts as _;

/// Glyphs are squares of so many dots.
const DOTS: usize = 8;
const WHITE: u32 = 0x00f0_f0f0;

/// Draws a line of text in the middle of a frame, on a darkened band.
pub(super) fn centred(pixels: &mut [u32], width: usize, height: usize, text: &str) {
    let letters = text.chars().count().max(1);
    let size = (width / (letters * DOTS + DOTS)).clamp(1, 4);
    let (text_width, text_height) = (letters * DOTS * size, DOTS * size);
    if width == 0 || text_width > width || text_height * 2 > height {
        return;
    }
    let (left, top) = ((width - text_width) / 2, (height - text_height) / 2);
    let band = top.saturating_sub(text_height / 2)..(top + text_height * 3 / 2).min(height);
    for row in band {
        darken(pixels, row * width, width);
    }
    line(pixels, width, (left, top), size, text);
}

/// Draws lines of text in the upper left corner, on a darkened ground.
pub(super) fn corner(pixels: &mut [u32], width: usize, height: usize, lines: &[String]) {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let (columns, rows) = (longest + 2, lines.len() + 1);
    let size = (width / 2 / (columns * DOTS)).clamp(1, 3);
    let step = DOTS * size * 3 / 2;
    if lines.is_empty() || columns * DOTS * size > width || rows * step > height {
        return;
    }
    for row in 0..rows * step {
        darken(pixels, row * width, columns * DOTS * size);
    }
    for (index, text) in lines.iter().enumerate() {
        line(pixels, width, (DOTS * size, step / 2 + index * step), size, text);
    }
}

/// Leaves a quarter of each colour.
fn darken(pixels: &mut [u32], from: usize, count: usize) {
    for pixel in pixels.iter_mut().skip(from).take(count) {
        *pixel = ((*pixel & 0x00fc_fcfc) >> 2) & 0x003f_3f3f;
    }
}

fn line(pixels: &mut [u32], width: usize, (left, top): (usize, usize), size: usize, text: &str) {
    for (index, letter) in text.chars().enumerate() {
        let Some(glyph) = font8x8::BASIC_FONTS.get(letter) else { continue };
        for (y, dots) in glyph.iter().enumerate() {
            for x in (0..DOTS).filter(|x| dots >> x & 1 == 1) {
                let corner = (top + y * size) * width + left + (index * DOTS + x) * size;
                for row in 0..size {
                    let start = corner + row * width;
                    if let Some(dot) = pixels.get_mut(start..start + size) {
                        dot.fill(WHITE);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_inside_the_frame() {
        for (width, height) in [(640, 360), (100, 20), (1, 1), (0, 0), (200, 10)] {
            let mut pixels = vec![0x0040_4040; width * height];
            centred(&mut pixels, width, height, "Not on air");
            let drawn = pixels.contains(&WHITE);
            assert_eq!(drawn, width >= 100 && height >= 16, "{width}x{height}");
        }
    }

    #[test]
    fn statistics_stay_in_their_corner() {
        let lines = ["latency 40 ms".to_owned(), "dropped 0".to_owned()];
        for (width, height) in [(640, 360), (130, 40), (60, 20), (0, 0)] {
            let mut pixels = vec![0x0040_4040; width * height];
            corner(&mut pixels, width, height, &lines);
            assert_eq!(pixels.contains(&WHITE), width >= 130, "{width}x{height}");
            assert!(pixels.last().is_none_or(|pixel| *pixel == 0x0040_4040));
        }
    }
}
