//! The catalog as JSON (MSF-01 §5).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::{Catalog, CatalogError, MAX_BYTES, MAX_TRACKS, Track};
use crate::media::{AudioCodec, Bitrate, Codec, FrameRate, Resolution};

/// The version that is written and read.
const VERSION: &str = "draft-01";
/// The packaging of media that is written and read.
const LOC: &str = "loc";

/// The root of a catalog or of an update. Tracks are read one by one, so that one which cannot be read
/// does not lose the others.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Root {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_at: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_complete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracks: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta_update: Option<Vec<Operation>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_data_list: Vec<Value>,
}

/// One step of an update.
#[derive(Debug, Serialize, Deserialize)]
struct Operation {
    op: String,
    #[serde(default)]
    tracks: Vec<Value>,
}

/// A track object. Numbers may be written as integers or not.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    packaging: String,
    is_live: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_latency: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    render_group: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alt_group: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_ref: Option<String>,
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    framerate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samplerate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_config: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_scheme: Option<String>,
}

/// An entry of `initDataList`.
#[derive(Debug, Serialize, Deserialize)]
struct InitData {
    id: String,
    r#type: String,
    data: String,
}

pub(super) fn write(catalog: &Catalog) -> Vec<u8> {
    let mut init_data_list = Vec::new();
    let mut tracks = Vec::with_capacity(catalog.tracks.len());
    for track in &catalog.tracks {
        let init_ref = track.init_data.as_ref().map(|data| {
            let id = format!("init-{}", init_data_list.len());
            init_data_list.push(to_value(&InitData {
                id: id.clone(),
                r#type: "inline".into(),
                data: BASE64.encode(data),
            }));
            id
        });
        tracks.push(to_value(&Entry { init_ref, ..Entry::of(track) }));
    }
    let root = Root {
        version: Some(VERSION.into()),
        generated_at: catalog.generated_at.map(Number::from),
        // The draft forbids saying that it is false.
        is_complete: catalog.is_complete.then_some(true),
        tracks: Some(tracks),
        delta_update: None,
        init_data_list,
    };
    serde_json::to_vec(&root).expect("strings and numbers are JSON")
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("strings and numbers are JSON")
}

pub(super) fn read(json: &[u8]) -> Result<Catalog, CatalogError> {
    let root = Root::read(json)?;
    if root.delta_update.is_some() {
        return Err(CatalogError::Delta(
            "it came first, and there is no catalog that it could change".into(),
        ));
    }
    match root.version {
        Some(version) if version == VERSION => {}
        version => return Err(CatalogError::Version(version.unwrap_or_default())),
    }
    let tracks = root.tracks.ok_or_else(|| CatalogError::Json("it has no \"tracks\"".into()))?;
    let mut catalog = Catalog {
        tracks: Vec::new(),
        generated_at: root.generated_at.as_ref().and_then(whole),
        is_complete: root.is_complete.unwrap_or(false),
        skipped: 0,
    };
    for track in tracks {
        match Entry::read(track).and_then(|entry| entry.track(&root.init_data_list)) {
            Ok(track) if catalog.position(&track.name).is_none() => catalog.keep(track)?,
            Ok(track) => catalog.skip(&format!("there is another track {:?}", track.name)),
            Err(reason) => catalog.skip(&reason),
        }
    }
    Ok(catalog)
}

/// The catalog with an update applied to it.
pub(super) fn update(catalog: &Catalog, json: &[u8]) -> Result<Catalog, CatalogError> {
    let root = Root::read(json)?;
    let fit = |reason: &str| CatalogError::Delta(reason.into());
    if root.tracks.is_some() || root.version.is_some() {
        return Err(fit("it is a whole catalog, which belongs at the start of a group"));
    }
    let operations = root.delta_update.ok_or_else(|| fit("it has no \"deltaUpdate\""))?;
    if operations.is_empty() {
        return Err(fit("its \"deltaUpdate\" is empty"));
    }
    let mut updated = catalog.clone();
    updated.generated_at = root.generated_at.as_ref().and_then(whole).or(catalog.generated_at);
    updated.is_complete |= root.is_complete.unwrap_or(false);
    for Operation { op, tracks } in operations {
        for track in tracks {
            match op.as_str() {
                "add" => updated.add(track, &root.init_data_list)?,
                "remove" => updated.remove(&track)?,
                "clone" => updated.clone_track(track, &root.init_data_list)?,
                other => return Err(fit(&format!("operation {other:?} is not in MSF draft-01"))),
            }
        }
    }
    Ok(updated)
}

impl Root {
    fn read(json: &[u8]) -> Result<Self, CatalogError> {
        if json.len() > MAX_BYTES {
            return Err(CatalogError::TooLarge(format!("{} bytes, over {MAX_BYTES}", json.len())));
        }
        serde_json::from_slice(json).map_err(|error| CatalogError::Json(error.to_string()))
    }
}

impl Catalog {
    fn position(&self, name: &str) -> Option<usize> {
        self.tracks.iter().position(|track| track.name == name)
    }

    fn keep(&mut self, track: Track) -> Result<(), CatalogError> {
        if self.tracks.len() == MAX_TRACKS {
            return Err(CatalogError::TooLarge(format!("over {MAX_TRACKS} tracks")));
        }
        self.tracks.push(track);
        Ok(())
    }

    fn skip(&mut self, reason: &str) {
        tracing::debug!(reason, "a track of the catalog cannot be played here");
        self.skipped += 1;
    }

    /// A track that must be new.
    fn keep_new(&mut self, track: Track) -> Result<(), CatalogError> {
        if self.position(&track.name).is_some() {
            return Err(CatalogError::Delta(format!("track {:?} is there already", track.name)));
        }
        self.keep(track)
    }

    fn add(&mut self, track: Value, init_data: &[Value]) -> Result<(), CatalogError> {
        match Entry::read(track).and_then(|entry| entry.track(init_data)) {
            Ok(track) => self.keep_new(track)?,
            Err(reason) => self.skip(&reason),
        }
        Ok(())
    }

    fn remove(&mut self, track: &Value) -> Result<(), CatalogError> {
        let name = text(track, "name").unwrap_or_default();
        let position = self.position(name).filter(|_| text(track, "namespace").is_none());
        match position {
            Some(position) => {
                self.tracks.remove(position);
            }
            // The names of skipped tracks are not kept: it is one of them.
            None if self.skipped > 0 => self.skipped -= 1,
            None => return Err(CatalogError::Delta(format!("there is no track {name:?} to remove"))),
        }
        Ok(())
    }

    fn clone_track(&mut self, overrides: Value, init_data: &[Value]) -> Result<(), CatalogError> {
        let parent_name = text(&overrides, "parentName").unwrap_or_default();
        let parent = self
            .position(parent_name)
            .filter(|_| text(&overrides, "parentNamespace").is_none())
            .and_then(|position| self.tracks.get(position));
        let Some(parent) = parent else {
            if self.skipped == 0 {
                return Err(CatalogError::Delta(format!("there is no track {parent_name:?} to clone")));
            }
            // The attributes of skipped tracks are not kept: it is one of them.
            self.skip("it is a clone of a track that cannot be played");
            return Ok(());
        };
        if text(&overrides, "name").is_none() {
            return Err(CatalogError::Delta(format!("the clone of {parent_name:?} has no name of its own")));
        }
        let inherited = parent.init_data.clone();
        let mut merged = to_value(&Entry::of(parent));
        if let (Value::Object(merged), Value::Object(overrides)) = (&mut merged, overrides) {
            merged.extend(overrides);
        }
        let track = Entry::read(merged).and_then(|entry| {
            let init_data_of_its_own = entry.init_ref.is_some();
            let track = entry.track(init_data)?;
            Ok(Track { init_data: if init_data_of_its_own { track.init_data } else { inherited }, ..track })
        });
        match track {
            Ok(track) => self.keep_new(track)?,
            Err(reason) => self.skip(&reason),
        }
        Ok(())
    }
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

/// A number that is not below zero, without its fraction.
fn whole(number: &Number) -> Option<u64> {
    number
        .as_u64()
        .or_else(|| number.as_f64().filter(|value| (0.0..9e15).contains(value)).map(|value| value as u64))
}

fn whole_u32(number: Option<&Number>) -> Option<u32> {
    number.and_then(whole).and_then(|value| u32::try_from(value).ok())
}

impl Entry {
    /// What a track says, but for its init data.
    fn of(track: &Track) -> Self {
        let is_audio = matches!(track.codec, Codec::Audio(_));
        Self {
            name: track.name.clone(),
            namespace: None,
            packaging: LOC.into(),
            is_live: true,
            target_latency: track.target_latency.map(Number::from),
            role: Some(if is_audio { "audio" } else { "video" }.into()),
            label: track.label.clone(),
            render_group: track.render_group.map(Number::from),
            alt_group: track.alt_group.map(Number::from),
            init_ref: None,
            codec: track.codec.to_string(),
            bitrate: Some(Number::from(track.bitrate.0)),
            width: track.resolution.map(|size| Number::from(size.width)),
            height: track.resolution.map(|size| Number::from(size.height)),
            framerate: track.frame_rate.and_then(|rate| number_of(rate.per_second())),
            samplerate: sample_rate(track.codec).map(Number::from),
            // Opus says itself how many channels a packet has; two is what a player should expect.
            channel_config: is_audio.then(|| "2".into()),
            encryption_scheme: None,
        }
    }

    fn read(track: Value) -> Result<Self, String> {
        let name = text(&track, "name").unwrap_or_default().to_owned();
        serde_json::from_value(track).map_err(|error| format!("track {name:?}: {error}"))
    }

    /// The track, or why it cannot be played.
    fn track(self, init_data: &[Value]) -> Result<Track, String> {
        let refuse = |reason: &str| Err(format!("track {:?}: {reason}", self.name));
        if self.name.is_empty() {
            return refuse("it has no name");
        }
        if self.namespace.is_some() {
            return refuse("it is in a namespace of its own");
        }
        if self.packaging != LOC {
            return refuse(&format!("its packaging is {:?}, not {LOC:?}", self.packaging));
        }
        if !self.is_live {
            return refuse("it is not live");
        }
        if self.encryption_scheme.is_some() {
            return refuse("it is encrypted");
        }
        let codec: Codec = match self.codec.parse() {
            Ok(codec) => codec,
            Err(error) => return refuse(&format!("{error}")),
        };
        let Some(bitrate) = whole_u32(self.bitrate.as_ref()).filter(|bits| *bits > 0) else {
            return refuse("its bitrate is none");
        };
        let init_data = match &self.init_ref {
            None => None,
            Some(id) => match inline_data(id, init_data) {
                Some(data) => Some(data),
                None => return Err(format!("track {:?}: there is no init data {id:?}", self.name)),
            },
        };
        Ok(Track {
            name: self.name,
            codec,
            bitrate: Bitrate(bitrate),
            resolution: whole_u32(self.width.as_ref())
                .zip(whole_u32(self.height.as_ref()))
                .map(|(width, height)| Resolution { width, height })
                .filter(|size| size.width > 0 && size.height > 0),
            frame_rate: self.framerate.as_ref().and_then(frame_rate),
            render_group: whole_u32(self.render_group.as_ref()),
            alt_group: whole_u32(self.alt_group.as_ref()),
            target_latency: whole_u32(self.target_latency.as_ref()),
            init_data,
            label: self.label,
        })
    }
}

fn sample_rate(codec: Codec) -> Option<u32> {
    match codec {
        Codec::Audio(AudioCodec::Opus) => Some(48_000),
        Codec::Video(_) => None,
    }
}

/// A JSON number, an integer where it is one.
fn number_of(value: f64) -> Option<Number> {
    if value.fract() == 0.0 { Some(Number::from(value as u64)) } else { Number::from_f64(value) }
}

fn frame_rate(number: &Number) -> Option<FrameRate> {
    let rate = number.as_f64()?;
    // The rates of television are thousandths that no decimal has.
    [24_000, 30_000, 60_000, 120_000]
        .into_iter()
        .find(|numerator| (f64::from(*numerator) / 1001.0 - rate).abs() < 0.005)
        .and_then(|numerator| FrameRate::new(numerator, 1001).ok())
        .or_else(|| number_of(rate)?.to_string().parse().ok())
}

/// The bytes of an entry of `initDataList`.
fn inline_data(id: &str, list: &[Value]) -> Option<Vec<u8>> {
    let entry = list.iter().find(|entry| text(entry, "id") == Some(id))?;
    match text(entry, "type")? {
        "inline" => BASE64.decode(text(entry, "data")?).ok(),
        _ => None,
    }
}
