//! Pictures and sound that a player wrote, read by eyes of our own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result};
use shared::media::timecode;

/// The pictures of a y4m file, all in memory.
#[derive(Debug)]
pub struct Video {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Planes Y, U and V of each picture, one after the other.
    pub frames: Vec<Vec<u8>>,
}

impl Video {
    /// Reads 4:2:0 y4m; a picture that breaks off at the end is an error.
    ///
    /// # Errors
    /// Where the file is none.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut file =
            BufReader::new(File::open(path).with_context(|| format!("opening {}", path.display()))?);
        let header = line(&mut file)?.context("an empty file")?;
        anyhow::ensure!(header.starts_with("YUV4MPEG2 "), "no y4m header: {header}");
        let number = |key: char| -> Result<usize> {
            let field = header.split(' ').skip(1).find_map(|field| field.strip_prefix(key));
            Ok(field.with_context(|| format!("{header} lacks {key}"))?.parse()?)
        };
        let (width, height) = (number('W')?, number('H')?);
        let mut frames = Vec::new();
        while let Some(marker) = line(&mut file)? {
            anyhow::ensure!(marker.starts_with("FRAME"), "no frame header: {marker}");
            let mut frame = vec![0; width * height * 3 / 2];
            file.read_exact(&mut frame).context("the last picture breaks off")?;
            frames.push(frame);
        }
        Ok(Self { width, height, frames })
    }

    /// The timecode of each picture, in microseconds.
    ///
    /// # Errors
    /// Where a picture has none.
    pub fn timecodes(&self) -> Result<Vec<u64>> {
        let read = |(index, frame): (usize, &Vec<u8>)| {
            let code = timecode::read(&frame[..self.width * self.height], self.width, self.width);
            code.map(|time| time.0).with_context(|| format!("picture {index} has no timecode"))
        };
        self.frames.iter().enumerate().map(read).collect()
    }
}

/// Peak signal-to-noise ratio of two pictures in dB; 99 where they are the same.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let squares: u64 = a.iter().zip(b).map(square).sum();
    if squares == 0 { 99.0 } else { 10.0 * (255.0_f64.powi(2) * a.len() as f64 / squares as f64).log10() }
}

/// Sound of a WAV file: 48 kHz, mixed to one channel, from -1 to 1.
///
/// # Errors
/// Where the file is none, or of another rate.
pub fn sound(path: impl AsRef<Path>) -> Result<Vec<f32>> {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    anyhow::ensure!(spec.sample_rate == 48_000 && spec.bits_per_sample == 16, "unexpected {spec:?}");
    let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let mix = |frame: &[i16]| {
        frame.iter().map(|&sample| f32::from(sample)).sum::<f32>() / (32_768.0 * frame.len() as f32)
    };
    Ok(samples.chunks_exact(usize::from(spec.channels)).map(mix).collect())
}

/// Root mean square of sound.
pub fn loudness(sound: &[f32]) -> f32 {
    (sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len().max(1) as f32).sqrt()
}

fn line(file: &mut BufReader<File>) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    file.by_ref().take(256).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() { Ok(None) } else { Ok(Some(String::from_utf8(bytes)?.trim_end().to_owned())) }
}
