//! Settings of bullet comments.

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::ConfigError;
use crate::danmaku::Settings;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Switch {
    /// Shown.
    On,
    /// Not shown.
    Off,
}

/// As they are given.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Options {
    /// Show the room's comments over the picture of the window; the key d changes it [default: on].
    #[arg(long, env = "PLAYER_DANMAKU")]
    pub(super) danmaku: Option<Switch>,
    /// How opaque they are, from 0.2 to 1 [default: 0.9].
    #[arg(long, env = "PLAYER_DANMAKU_OPACITY", value_name = "SHARE")]
    pub(super) danmaku_opacity: Option<f32>,
    /// The share of the picture's height that they cross, from 0.25 to 1 [default: 0.5].
    #[arg(long, env = "PLAYER_DANMAKU_AREA", value_name = "SHARE")]
    pub(super) danmaku_area: Option<f32>,
    /// Their size, from 0.5 to 2 [default: 1].
    #[arg(long, env = "PLAYER_DANMAKU_SIZE", value_name = "FACTOR")]
    pub(super) danmaku_size: Option<f32>,
    /// Their speed, from 0.5 to 2 [default: 1].
    #[arg(long, env = "PLAYER_DANMAKU_SPEED", value_name = "FACTOR")]
    pub(super) danmaku_speed: Option<f32>,
    /// Hide those with one of these words; several are parted by commas.
    #[arg(long, env = "PLAYER_DANMAKU_HIDE", value_name = "WORDS", value_delimiter = ',')]
    pub(super) danmaku_hide: Option<Vec<String>>,
}

impl Options {
    /// The settings, with what `file` says where nothing else does.
    pub(super) fn or(self, file: Self) -> Result<Settings, ConfigError> {
        let default = Settings::default();
        let within = |name: &str, value: Option<f32>, least: f32, otherwise: f32, most: f32| match value {
            None => Ok(otherwise),
            Some(value) if (least..=most).contains(&value) => Ok(value),
            Some(value) => {
                Err(ConfigError(format!("--danmaku-{name}: {value} is not between {least} and {most}")))
            }
        };
        let opacity = self.danmaku_opacity.or(file.danmaku_opacity);
        let area = self.danmaku_area.or(file.danmaku_area);
        let size = self.danmaku_size.or(file.danmaku_size);
        let speed = self.danmaku_speed.or(file.danmaku_speed);
        let words = self.danmaku_hide.or(file.danmaku_hide).unwrap_or_default();
        Ok(Settings {
            is_on: self.danmaku.or(file.danmaku).unwrap_or(Switch::On) == Switch::On,
            opacity: within("opacity", opacity, 0.2, default.opacity, 1.0)?,
            area: within("area", area, 0.25, default.area, 1.0)?,
            size: within("size", size, 0.5, default.size, 2.0)?,
            speed: within("speed", speed, 0.5, default.speed, 2.0)?,
            hidden: words
                .iter()
                .map(|word| word.trim().to_lowercase())
                .filter(|word| !word.is_empty())
                .collect(),
        })
    }
}
