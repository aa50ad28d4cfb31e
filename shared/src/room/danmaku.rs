//! Danmaku: bullet comments over the picture.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{MessageId, Speaker, Wall};
use crate::media::Timestamp;

/// Characters that one may have.
pub const MAX_CHARS: usize = 100;
/// Bullets of one group of the track.
pub const GROUP: u64 = 100;

/// How it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// From right to left.
    #[default]
    Scroll,
    /// Stands at the top.
    Top,
    /// Stands at the bottom.
    Bottom,
}

/// A colour as `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Color(pub u32);

/// Not a colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written #rrggbb")]
pub struct BadColor;

impl FromStr for Color {
    type Err = BadColor;

    fn from_str(text: &str) -> Result<Self, BadColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(BadColor)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadColor);
        }
        u32::from_str_radix(digits, 16).map(Self).map_err(|_| BadColor)
    }
}

impl TryFrom<String> for Color {
    type Error = BadColor;

    fn try_from(text: String) -> Result<Self, BadColor> {
        text.parse()
    }
}

impl From<Color> for String {
    fn from(color: Color) -> Self {
        color.to_string()
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0 & 0x00ff_ffff)
    }
}

impl Default for Color {
    fn default() -> Self {
        Self(0x00ff_ffff)
    }
}

/// What a viewer sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The text.
    pub text: String,
    /// Its colour.
    #[serde(default)]
    pub color: Color,
    /// How it moves.
    #[serde(default)]
    pub mode: Mode,
    /// Where in the broadcast its writer is, in microseconds since the epoch as in LOC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Timestamp>,
}

/// One object of the track `danmaku`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bullet {
    /// Its number.
    pub message: MessageId,
    /// When the room took it.
    pub at: Wall,
    /// Who sent it.
    #[serde(flatten)]
    pub from: Speaker,
    /// The text: plain, never markup.
    pub text: String,
    /// Its colour.
    pub color: Color,
    /// How it moves.
    pub mode: Mode,
    /// Where in the broadcast its writer was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Timestamp>,
}
