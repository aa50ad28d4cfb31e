//! The MSF catalog: which tracks a broadcast has (MSF-01).

mod json;
#[cfg(test)]
mod tests;

use crate::media::{Bitrate, Codec, FrameRate, Resolution};

/// Most bytes of a catalog that are read.
pub const MAX_BYTES: usize = 1 << 20;
/// Most tracks of a catalog that are kept.
pub const MAX_TRACKS: usize = 256;

/// A complete catalog.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Its tracks, in the order of the streamer's choice.
    pub tracks: Vec<Track>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub generated_at: Option<u64>,
    /// Whether the broadcast has ended for good (`isComplete`).
    pub is_complete: bool,
    /// Tracks that it also has and that this project cannot play. Not written.
    pub skipped: usize,
}

/// One track that this project can play. Others in a catalog are skipped and counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Name inside the catalog's namespace.
    pub name: String,
    /// The codec.
    pub codec: Codec,
    /// Bits a second.
    pub bitrate: Bitrate,
    /// Size of pictures.
    pub resolution: Option<Resolution>,
    /// Pictures a second.
    pub frame_rate: Option<FrameRate>,
    /// Tracks with the same number are played together.
    pub render_group: Option<u32>,
    /// Tracks with the same number stand for each other: a simulcast ladder.
    pub alt_group: Option<u32>,
    /// Delay that the streamer aims at, in milliseconds.
    pub target_latency: Option<u32>,
    /// WebCodecs `description`.
    pub init_data: Option<Vec<u8>>,
    /// For people: what to call the track.
    pub label: Option<String>,
}

/// Why a catalog cannot be used, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Not JSON.
    #[error("the catalog is no MSF JSON ({0}): the publisher is not one of MSF")]
    Json(String),
    /// Another version.
    #[error("the catalog has version {0:?}; this program knows draft-01: update the older of both")]
    Version(String),
    /// More than this side takes.
    #[error("the catalog is too large: {0}")]
    TooLarge(String),
    /// A delta for which there is no catalog, or that does not fit it.
    #[error("the catalog's update does not fit: {0}")]
    Delta(String),
}

impl Catalog {
    /// As the JSON of a group's object 0.
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// Reads object 0 of a group. Fields and tracks that are not known are skipped.
    ///
    /// # Errors
    /// [`CatalogError`] where it is no MSF catalog of a known version, or is over [`MAX_BYTES`] or
    /// [`MAX_TRACKS`].
    pub fn parse(json: &[u8]) -> Result<Self, CatalogError> {
        json::read(json)
    }

    /// Applies a later object of the group: `deltaUpdate`.
    ///
    /// # Errors
    /// [`CatalogError`] where it does not fit; the catalog is then unchanged.
    pub fn apply(&mut self, json: &[u8]) -> Result<(), CatalogError> {
        *self = json::update(self, json)?;
        Ok(())
    }
}
