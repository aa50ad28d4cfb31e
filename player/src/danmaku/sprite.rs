//! Text as pixels: letters in their colour with a dark outline, made once for each bullet.

use ab_glyph::{Font as _, FontVec, GlyphId, ScaleFont as _, point};
use fontdb::{Database, Family, Query};
use shared::room::danmaku::Color;

/// Width of the outline in pixels.
const OUTLINE: usize = 2;
/// Wider texts are cut.
const MOST_WIDTH: usize = 4096;
/// Fonts that have Chinese, by the names that systems give them.
const CHINESE: [&str; 7] = [
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
];

/// Fonts of the system, in the order in which a letter is looked for in them. One is read once it is needed:
/// those with Chinese are large.
pub(crate) struct Fonts {
    known: Database,
    ids: Vec<fontdb::ID>,
    read: Vec<FontVec>,
}

/// A text that is ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sprite {
    pub(crate) width: usize,
    height: usize,
    color: u32,
    /// Of each pixel, how much is letter and how much is outline.
    cover: Vec<(u8, u8)>,
}

impl Fonts {
    /// Looks for fonts. Takes a moment: not for a thread that shows pictures. `None`, with a warning, where there
    /// is none.
    pub(crate) fn of_the_system() -> Option<Self> {
        let mut known = Database::new();
        known.load_system_fonts();
        let families = [Family::SansSerif, Family::Name("DejaVu Sans"), Family::Name("Arial")];
        let wanted = families.into_iter().chain(CHINESE.map(Family::Name));
        let mut ids: Vec<fontdb::ID> = Vec::new();
        for family in wanted {
            let id = known.query(&Query { families: &[family], ..Query::default() });
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        if ids.is_empty() {
            ids.extend(known.faces().next().map(|face| face.id));
        }
        let mut fonts = Self { known, ids, read: Vec::new() };
        // They are taken from the end.
        fonts.ids.reverse();
        if fonts.read_next().is_none() {
            tracing::warn!(
                "no font was found: comments over the picture are not shown; install one, as fonts-noto-cjk"
            );
            return None;
        }
        Some(fonts)
    }

    /// Reads the next font that can be read.
    fn read_next(&mut self) -> Option<usize> {
        while let Some(id) = self.ids.pop() {
            let data = self.known.with_face_data(id, |data, index| (data.to_vec(), index));
            if let Some(font) =
                data.and_then(|(data, index)| FontVec::try_from_vec_and_index(data, index).ok())
            {
                self.read.push(font);
                return Some(self.read.len() - 1);
            }
        }
        None
    }

    /// Which font has a letter, and its glyph there; the sign for a missing one where none has.
    fn find(&mut self, letter: char) -> (usize, GlyphId) {
        let mut at = 0;
        loop {
            let Some(font) = self.read.get(at) else { return (0, GlyphId(0)) };
            let glyph = font.glyph_id(letter);
            if glyph.0 != 0 {
                return (at, glyph);
            }
            at += 1;
            if at == self.read.len() {
                self.read_next();
            }
        }
    }

    /// Makes pixels of a text.
    pub(crate) fn draw(&mut self, text: &str, color: Color, size: f32) -> Sprite {
        let pad = OUTLINE as f32;
        let (mut x, mut above, mut below) = (pad, 0.0_f32, 0.0_f32);
        let mut glyphs = Vec::new();
        let found: Vec<(usize, GlyphId)> = text.chars().map(|letter| self.find(letter)).collect();
        for (at, glyph) in found {
            let Some(font) = self.read.get(at) else { continue };
            let scaled = font.as_scaled(size);
            above = above.max(scaled.ascent());
            below = below.max(-scaled.descent());
            if x + scaled.h_advance(glyph) + pad > MOST_WIDTH as f32 {
                break;
            }
            glyphs.push((font, glyph, x));
            x += scaled.h_advance(glyph);
        }
        let (width, height) = ((x + pad).ceil() as usize, (above + below + 2.0 * pad).ceil() as usize);
        let mut letters = vec![0_u8; width * height];
        for (font, glyph, left) in glyphs {
            let placed = glyph.with_scale_and_position(size, point(left, above + pad));
            let Some(outlined) = font.outline_glyph(placed) else { continue };
            let bounds = outlined.px_bounds();
            outlined.draw(|column, row, cover| {
                let (x, y) = (bounds.min.x as i64 + i64::from(column), bounds.min.y as i64 + i64::from(row));
                let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
                if let (true, Some(pixel)) = (x < width, letters.get_mut(y * width + x)) {
                    *pixel = pixel.saturating_add((cover * 255.0) as u8);
                }
            });
        }
        let cover = outline(&letters, width, height);
        Sprite { width, height, color: color.0 & 0x00ff_ffff, cover }
    }
}

/// Each letter's cover, and the most cover near it.
fn outline(letters: &[u8], width: usize, height: usize) -> Vec<(u8, u8)> {
    let most = |range: std::ops::Range<usize>, at: &dyn Fn(usize) -> u8| range.map(at).max().unwrap_or(0);
    let mut wide = vec![0; letters.len()];
    for y in 0..height {
        for x in 0..width {
            let near = x.saturating_sub(OUTLINE)..(x + OUTLINE + 1).min(width);
            wide[y * width + x] = most(near, &|x| letters[y * width + x]);
        }
    }
    let mut cover = Vec::with_capacity(letters.len());
    for y in 0..height {
        for x in 0..width {
            let near = y.saturating_sub(OUTLINE)..(y + OUTLINE + 1).min(height);
            cover.push((letters[y * width + x], most(near, &|y| wide[y * width + x])));
        }
    }
    cover
}

#[cfg(test)]
impl Sprite {
    /// A filled block.
    pub(crate) fn block(width: usize, height: usize, color: Color) -> Self {
        Self { width, height, color: color.0, cover: vec![(255, 255); width * height] }
    }
}

impl Sprite {
    /// Draws it into a frame of 32-bit pixels; what is outside is cut.
    pub(crate) fn blend(&self, pixels: &mut [u32], width: usize, left: i64, top: i64, opacity: f32) {
        let opacity = (opacity.clamp(0.0, 1.0) * 256.0) as u32;
        let height = pixels.len().checked_div(width).unwrap_or(0);
        for (row, cover) in self.cover.chunks_exact(self.width.max(1)).enumerate() {
            let Ok(y) = usize::try_from(top + row as i64) else { continue };
            if y >= height {
                break;
            }
            let first = usize::try_from(-left).unwrap_or(0).min(self.width);
            let start = usize::try_from(left).unwrap_or(0).min(width);
            let line = &mut pixels[y * width + start..(y + 1) * width];
            for (pixel, &(letter, dark)) in line.iter_mut().zip(&cover[first..]) {
                if dark > 0 {
                    let under = mix(*pixel, 0, (u32::from(dark) * opacity) >> 8);
                    *pixel = mix(under, self.color, (u32::from(letter) * opacity) >> 8);
                }
            }
        }
    }
}

/// `share` of 255 of `over`, the rest of `under`.
fn mix(under: u32, over: u32, share: u32) -> u32 {
    let channel = |shift: u32| {
        let (under, over) = (under >> shift & 0xff, over >> shift & 0xff);
        ((under * (255 - share) + over * share + 127) / 255) << shift
    };
    channel(16) | channel(8) | channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_cut_at_the_edges_and_outlined() {
        let letters = [0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0];
        let sprite = Sprite { width: 5, height: 3, color: 0x00ff_0000, cover: outline(&letters, 5, 3) };
        for (left, top) in [(-4, 0), (6, 5), (-100, -100), (100, 100), (2, 2), (0, -2)] {
            let mut pixels = vec![0x0080_8080; 64];
            sprite.blend(&mut pixels, 8, left, top, 1.0);
            assert_eq!(pixels.contains(&0x00ff_0000), (left, top) == (2, 2), "{left},{top}");
        }
        let mut pixels = vec![0x0080_8080; 64];
        sprite.blend(&mut pixels, 8, 2, 2, 0.0);
        assert!(pixels.iter().all(|pixel| *pixel == 0x0080_8080), "not to be seen");
        sprite.blend(&mut [], 0, 0, 0, 1.0);
    }
}
