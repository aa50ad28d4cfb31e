//! Bullet comments over the picture.
//!
//! | module | what it is |
//! |---|---|
//! | [`lanes`] | which lane a bullet takes and where it is, pure |
//! | `sprite` | text as pixels |
//! | `feed` | bullets of a room, as they come |
//! | `stage` | bullets over the picture: when each begins, and drawing them |

use std::collections::BTreeSet;

#[cfg(feature = "window")]
pub(crate) mod feed;
pub mod lanes;
#[cfg(feature = "window")]
pub(crate) mod sprite;
#[cfg(feature = "window")]
pub(crate) mod stage;

/// How bullets are shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether they are; the key `d` changes it.
    pub is_on: bool,
    /// From 0.2 to 1.
    pub opacity: f32,
    /// Share of the picture's height that they cross, from the top: 0.25 to 1.
    pub area: f32,
    /// Factor of their size, 0.5 to 2.
    pub size: f32,
    /// Factor of their speed, 0.5 to 2.
    pub speed: f32,
    /// Words, in lower case, that hide a bullet.
    pub hidden: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { is_on: true, opacity: 0.9, area: 0.5, size: 1.0, speed: 1.0, hidden: BTreeSet::new() }
    }
}

impl Settings {
    /// Whether a word that is not wanted stands in the text.
    pub fn hides(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.hidden.iter().any(|word| text.contains(word))
    }
}
