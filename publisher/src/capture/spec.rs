//! Sources as the command line names them.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
    /// A moving picture with its time in it.
    Pattern,
    /// An MP4 file.
    File(PathBuf),
    /// Raw pictures in the YUV4MPEG2 form; `-` is standard input.
    Y4m(PathBuf),
    /// What an X11 screen shows.
    Screen,
    /// A camera, by its device or the first one.
    Camera(Option<String>),
}

/// Where sound comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioSpec {
    /// A short tone at the begin of each second.
    Tone,
    /// The sound of an MP4 file.
    File(PathBuf),
    /// The default microphone.
    Microphone,
    /// No sound.
    None,
}

/// A source that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownSource {
    /// Of pictures.
    #[error(
        "{0:?} is no source: write pattern, file:PATH, y4m:PATH (y4m:- is standard input), screen or camera[:DEVICE]"
    )]
    Video(String),
    /// Of sound.
    #[error("{0:?} is no source of sound: write tone, file:PATH, mic or none")]
    Audio(String),
}

impl SourceSpec {
    /// What is heard with these pictures where nothing else is asked for.
    pub fn own_sound(&self) -> AudioSpec {
        match self {
            Self::Pattern => AudioSpec::Tone,
            Self::File(path) => AudioSpec::File(path.clone()),
            Self::Y4m(_) | Self::Screen | Self::Camera(_) => AudioSpec::None,
        }
    }
}

impl FromStr for SourceSpec {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        match text.split_once(':') {
            None if text == "pattern" => Ok(Self::Pattern),
            None if text == "screen" => Ok(Self::Screen),
            None if text == "camera" => Ok(Self::Camera(None)),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("y4m", path)) if !path.is_empty() => Ok(Self::Y4m(path.into())),
            Some(("camera", device)) if !device.is_empty() => Ok(Self::Camera(Some(device.to_owned()))),
            _ => Err(UnknownSource::Video(text.to_owned())),
        }
    }
}

impl FromStr for AudioSpec {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        match text.split_once(':') {
            None if text == "tone" => Ok(Self::Tone),
            None if text == "mic" => Ok(Self::Microphone),
            None if text == "none" => Ok(Self::None),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(UnknownSource::Audio(text.to_owned())),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern => f.write_str("pattern"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Y4m(path) => write!(f, "y4m:{}", path.display()),
            Self::Screen => f.write_str("screen"),
            Self::Camera(None) => f.write_str("camera"),
            Self::Camera(Some(device)) => write!(f, "camera:{device}"),
        }
    }
}

impl fmt::Display for AudioSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tone => f.write_str("tone"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Microphone => f.write_str("mic"),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_a_round_trip() {
        for text in ["pattern", "screen", "camera", "camera:/dev/video1", "file:a film: the end.mp4", "y4m:-"]
        {
            assert_eq!(text.parse::<SourceSpec>().map(|spec| spec.to_string()), Ok(text.to_owned()));
        }
        for text in ["tone", "mic", "none", "file:song.mp4"] {
            assert_eq!(text.parse::<AudioSpec>().map(|spec| spec.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn others_are_refused_with_those_that_there_are() {
        for text in ["", "tape", "file", "file:", "y4m:", "screen:1", "camera:", "Pattern"] {
            let error = text.parse::<SourceSpec>().expect_err(text).to_string();
            assert!(error.contains("file:PATH"), "{error}");
        }
        assert!("loud".parse::<AudioSpec>().expect_err("no sound").to_string().contains("tone"));
    }
}
