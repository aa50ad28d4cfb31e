//! What is encoded: seeded pictures like those of a camera, a film and a screen.

use shared::media::{Picture, Resolution, Timestamp};

/// What the pictures are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pan over a landscape, something that crosses it, a sensor's noise.
    Camera,
    /// The same, cut to another place every 1.7 s.
    Cuts,
    /// Text that is typed, scrolled and turned over.
    Screen,
}

/// Makes the pictures of one kind.
pub(crate) struct Scene {
    kind: Kind,
    resolution: Resolution,
    textures: Vec<Vec<u8>>,
    noise: Vec<u8>,
}

const SIDE: usize = 1024;

impl Scene {
    pub(crate) fn new(kind: Kind, resolution: Resolution) -> Self {
        let textures = (0..4).map(|seed| match kind {
            Kind::Camera | Kind::Cuts => landscape(seed + 1),
            Kind::Screen => text(seed + 1),
        });
        let mut random = Random(77);
        let noise = (0..1 << 20).map(|_| (random.next() % 4 + random.next() % 4) as u8).collect();
        Self { kind, resolution, textures: textures.collect(), noise }
    }

    /// The picture of that index at 30 a second.
    pub(crate) fn picture(&self, index: u64) -> Picture {
        let mut picture = Picture::black(self.resolution, Timestamp(1_000_000 + index * 1_000_000 / 30));
        match self.kind {
            Kind::Camera => self.filmed(&mut picture, index, 0),
            Kind::Cuts => self.filmed(&mut picture, index, (index / 51) as usize),
            Kind::Screen => self.screen(&mut picture, index),
        }
        picture
    }

    fn filmed(&self, picture: &mut Picture, index: u64, place: usize) {
        let width = picture.resolution.width as usize;
        let height = picture.resolution.height as usize;
        let time = index as f64 / 30.0;
        // In quarters of a pixel, so that motion is between pixels too.
        let pan = ((300.0 + 250.0 * (time * 0.7).sin() + 20.0 * time) * 4.0) as usize;
        let lift = ((200.0 + 40.0 * (time * 1.3).sin()) * 4.0) as usize;
        let ground = &self.textures[place % 4];
        let other = &self.textures[(place + 1) % 4];
        let walker = (time * 160.0) as usize % (width + 200);
        let start = (index as usize).wrapping_mul(7919 * 131) % (1 << 19);
        let [luma, u, v] = picture.planes_mut();
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let noise = &self.noise[(start + y * 977) % (1 << 19)..];
            for (x, (pixel, noise)) in row.iter_mut().zip(noise).enumerate() {
                let crosses = y > height / 3 && x < walker && x + height / 5 > walker;
                let value = if crosses {
                    sample(other, x * 4 + 4096 - walker, y * 4)
                } else {
                    sample(ground, x * 4 + pan, y * 4 + lift)
                };
                *pixel = (value + noise).clamp(16, 235);
            }
        }
        for plane in [u, v] {
            for (y, row) in plane.chunks_exact_mut(width / 2).enumerate() {
                for (x, pixel) in row.iter_mut().enumerate() {
                    *pixel = 96 + sample(ground, x * 2 + pan / 4, y * 2 + lift / 4) / 4;
                }
            }
        }
    }

    fn screen(&self, picture: &mut Picture, index: u64) {
        let width = picture.resolution.width as usize;
        let page = (index / 150) as usize;
        // A second of scrolling in every five, and typing all the time.
        let scrolled = (index % 150).saturating_sub(90).min(30) as usize * 6;
        let typed = index as usize / 3;
        let [luma, ..] = picture.planes_mut();
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let line = (y + scrolled) % SIDE;
            let texture = &self.textures[page % 4][line * SIDE..][..SIDE];
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = texture[x % SIDE];
            }
            if (104..120).contains(&y) {
                let end = (typed % 60) * 10;
                row[..end.min(width)].iter_mut().for_each(|pixel| *pixel = 255 - (*pixel / 2));
            }
        }
    }
}

fn sample(texture: &[u8], x4: usize, y4: usize) -> u8 {
    let (x, y) = (x4 / 4, y4 / 4);
    let at = |x: usize, y: usize| u32::from(texture[(y % SIDE) * SIDE + x % SIDE]);
    let (fx, fy) = ((x4 % 4) as u32, (y4 % 4) as u32);
    let above = at(x, y) * (4 - fx) + at(x + 1, y) * fx;
    let below = at(x, y + 1) * (4 - fx) + at(x + 1, y + 1) * fx;
    ((above * (4 - fy) + below * fy) / 16) as u8
}

/// Noise of all scales, the larger the stronger, as in nature.
fn landscape(seed: u64) -> Vec<u8> {
    let mut sum = vec![0.0f32; SIDE * SIDE];
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for (cell, height) in
        [(256, 60.0), (128, 40.0), (64, 28.0), (32, 18.0), (16, 14.0), (8, 12.0), (4, 12.0), (2, 4.0)]
    {
        let count = SIDE / cell;
        let grid: Vec<f32> =
            (0..count * count).map(|_| random.next() as u32 as f32 / u32::MAX as f32 - 0.5).collect();
        for y in 0..SIDE {
            for x in 0..SIDE {
                let (gx, gy) = (x / cell, y / cell);
                let (fx, fy) = ((x % cell) as f32 / cell as f32, (y % cell) as f32 / cell as f32);
                let at = |x: usize, y: usize| grid[(y % count) * count + x % count];
                let above = at(gx, gy) * (1.0 - fx) + at(gx + 1, gy) * fx;
                let below = at(gx, gy + 1) * (1.0 - fx) + at(gx + 1, gy + 1) * fx;
                sum[y * SIDE + x] += height * (above * (1.0 - fy) + below * fy);
            }
        }
    }
    sum.into_iter().map(|value| (120.0 + value * 1.5).clamp(20.0, 225.0) as u8).collect()
}

/// Lines of letters, dark on light.
fn text(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut page = vec![232u8; SIDE * SIDE];
    for line in 0..SIDE / 20 {
        let length = 20 + random.next() as usize % 70;
        for column in 0..length {
            let shape = random.next();
            if shape.is_multiple_of(6) {
                continue;
            }
            for dot in 0..48 {
                if (shape >> dot) & (shape >> (dot + 5)) & 1 == 1 {
                    let (x, y) = (16 + column * 10 + dot % 6, 4 + line * 20 + dot / 6 * 2);
                    page[y * SIDE + x] = 40;
                    page[(y + 1) * SIDE + x] = 60;
                }
            }
        }
    }
    page
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }
}
