//! The default microphone.
//!
//! The device's own thread puts what it heard into a bounded queue; whoever asks for the next packet takes
//! it from there, in the rate and the channels that the encoder wants.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cpal::{
    Data, SampleFormat, Stream, StreamError, SupportedStreamConfig,
    traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _},
};

use super::{AudioSource, Clock, Error, Samples};

mod packets;
mod queue;

use packets::Packets;
use queue::{Chunk, Queue, Taken};

/// An open microphone. It listens from the first packet on that is asked for; dropping it closes it.
pub(super) struct Microphone {
    stream: Stream,
    listens: bool,
    queue: Arc<Queue>,
    packets: Packets,
    clock: Arc<Clock>,
    /// Losses that were told.
    told: u64,
}

impl Microphone {
    /// Opens the system's default input.
    ///
    /// # Errors
    /// [`Error`] where there is none, another program has it, or its samples are of a kind that is not known.
    pub(super) fn open(clock: Arc<Clock>) -> Result<Self, Error> {
        let none = || {
            Error(
                "no microphone: the system has no default input; plug one in (arecord -l shows what there \
                 is), or choose --audio tone, file:PATH or none"
                    .to_owned(),
            )
        };
        let device = cpal::default_host().default_input_device().ok_or_else(none)?;
        let name =
            device.description().map_or_else(|_| "default".to_owned(), |about| about.name().to_owned());
        let failed = |reason: String| {
            let reason = reason.trim_end_matches('.');
            Error(format!(
                "the microphone {name:?} cannot be opened: {reason}; check that it is plugged in, that no \
                 other program uses it and that this user is in the group audio, or choose --audio none"
            ))
        };
        let config = device.default_input_config().map_err(|error| failed(error.to_string()))?;
        let (rate, channels) = (config.sample_rate(), usize::from(config.channels()));
        let packets = Packets::new(rate, channels).map_err(failed)?;
        let queue = Arc::new(Queue::new(CAPACITY, rate, channels));
        let stream = listen(&device, &config, &queue, &clock).map_err(failed)?;
        tracing::info!(name, rate, channels, format = %config.sample_format(), "microphone opened");
        Ok(Self { stream, listens: false, queue, packets, clock, told: 0 })
    }

    fn tell_of_losses(&mut self) {
        let lost = self.queue.lost();
        // At the first and then at each power of two: a slow machine does not fill its log.
        if lost > 0 && lost >= self.told * 2 {
            self.told = lost;
            tracing::warn!(lost, "sound of the microphone was lost: the encoder takes it too slowly");
        }
    }
}

impl AudioSource for Microphone {
    fn next(&mut self) -> Result<Option<Samples>, Error> {
        let broke =
            |reason: &str| Error(format!("the microphone broke off: {reason}; is it still plugged in?"));
        if !self.listens {
            self.clock.elapsed();
            self.stream.play().map_err(|error| broke(&error.to_string()))?;
            self.listens = true;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some((at, samples)) = self.packets.pop() {
                // Past on any real device; one that gives sound faster than time goes is held back.
                self.clock.wait_until(at);
                return Ok(Some(Samples { timestamp: self.clock.at(at), samples }));
            }
            match self.queue.take(deadline.saturating_duration_since(Instant::now())) {
                Taken::Chunk(chunk) => self.packets.push(&chunk),
                Taken::Nothing => return Err(broke("it has been giving no sound for five seconds")),
                Taken::Broken(reason) => return Err(broke(&reason)),
            }
            self.tell_of_losses();
        }
    }
}

/// Sound that waits at most; the oldest is let go where more comes in.
const CAPACITY: Duration = Duration::from_secs(1);
/// A microphone that gives nothing for so long is broken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the device such that all it hears goes into the queue.
fn listen(
    device: &cpal::Device,
    config: &SupportedStreamConfig,
    queue: &Arc<Queue>,
    clock: &Arc<Clock>,
) -> Result<Stream, String> {
    let format = config.sample_format();
    if to_floats(format).is_none() {
        return Err(format!("its samples are {format}, which is not known here"));
    }
    let (hears, fails, clock) = (Arc::clone(queue), Arc::clone(queue), Arc::clone(clock));
    let heard = move |data: &Data, _: &cpal::InputCallbackInfo| {
        let end = clock.elapsed();
        let samples = to_floats(data.sample_format()).and_then(|convert| convert(data));
        if let Some(samples) = samples {
            hears.put(Chunk { end, samples });
        }
    };
    let failed = move |error: StreamError| match error {
        // Some sound is missing, and more comes.
        StreamError::BufferUnderrun => tracing::debug!("the microphone was read too late"),
        StreamError::DeviceNotAvailable
        | StreamError::StreamInvalidated
        | StreamError::BackendSpecific { .. } => fails.fail(error.to_string()),
    };
    device
        .build_input_stream_raw(&config.config(), format, heard, failed, None)
        .map_err(|error| error.to_string())
}

type Convert = fn(&Data) -> Option<Vec<f32>>;

/// What makes samples of this kind to numbers from -1 to 1.
fn to_floats(format: SampleFormat) -> Option<Convert> {
    fn convert<T: cpal::SizedSample>(data: &Data) -> Option<Vec<f32>>
    where
        f32: cpal::FromSample<T>,
    {
        let samples = data.as_slice::<T>()?;
        Some(samples.iter().map(|&sample| <f32 as cpal::FromSample<T>>::from_sample_(sample)).collect())
    }
    Some(match format {
        SampleFormat::I8 => convert::<i8>,
        SampleFormat::I16 => convert::<i16>,
        SampleFormat::I24 => convert::<cpal::I24>,
        SampleFormat::I32 => convert::<i32>,
        SampleFormat::I64 => convert::<i64>,
        SampleFormat::U8 => convert::<u8>,
        SampleFormat::U16 => convert::<u16>,
        SampleFormat::U24 => convert::<cpal::U24>,
        SampleFormat::U32 => convert::<u32>,
        SampleFormat::U64 => convert::<u64>,
        SampleFormat::F32 => convert::<f32>,
        SampleFormat::F64 => convert::<f64>,
        // One bit a sample, and what a later cpal knows.
        _ => return None,
    })
}
