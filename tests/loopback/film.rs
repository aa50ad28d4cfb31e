//! A film that ffmpeg made, from its file to the player's recording.

use std::path::Path;

use anyhow::{Context, Result};
use tests::{
    film,
    process::Process,
    recording::{Video, loudness, psnr, sound},
    world::{Over, PATIENCE, World},
};

#[test]
fn a_film_with_b_frames_arrives_as_its_source() -> Result<()> {
    let world = World::new()?;
    let (film, decoded) = (world.path("film.mp4"), world.path("film.y4m"));
    film::with_b_frames(8, &film)?;
    film::decode(Path::new(&film), &decoded)?;
    let source = Video::read(&decoded)?;
    assert_eq!(source.frames.len(), 200);

    let (pictures, wav) = (world.path("seen.y4m"), world.path("heard.wav"));
    let record = ["--wait", "--record", &pictures, "--record-audio", &wav];
    let mut player = world.player(Over::Quic, "film", &record)?;
    let from = format!("file:{film}");
    let air = ["--source", &from, "--rendition", "320x240@25:3M"];
    let mut publisher = world.publisher(Over::Quic, "film", &air)?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, PATIENCE)?;

    compare(&source, &Video::read(&pictures)?)?;
    let heard = sound(&wav)?;
    let seconds = heard.len() as f64 / 48_000.0;
    assert!((5.0..=9.0).contains(&seconds), "{seconds} s of sound");
    assert!(loudness(&heard[heard.len() / 4..heard.len() / 2]) > 0.02, "the tone is heard");
    Ok(())
}

#[test]
fn a_fit_film_goes_out_as_it_is() -> Result<()> {
    let world = World::new()?;
    let (film, decoded) = (world.path("film.mp4"), world.path("film.y4m"));
    let make = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=6 -c:v libx264 -profile:v baseline -bf 0 \
                -g 25 -crf 12 -pix_fmt yuv420p";
    film::make(make, &film)?;
    film::decode(Path::new(&film), &decoded)?;
    let pictures = world.path("seen.y4m");
    let mut player = world.player(Over::Quic, "film", &["--wait", "--record", &pictures])?;
    let from = format!("file:{film}");
    let mut publisher = world.publisher(Over::Quic, "film", &["--source", &from, "--passthrough"])?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, PATIENCE)?;
    let (source, seen) = (Video::read(&decoded)?, Video::read(&pictures)?);
    let first = offset(&source, &seen)?;
    for (index, frame) in seen.frames.iter().enumerate() {
        assert_eq!(Some(frame), source.frames.get(first + index), "picture {index} is the film's own");
    }
    Ok(())
}

#[test]
fn a_film_that_breaks_off_is_played_up_to_there_and_named() -> Result<()> {
    let world = World::new()?;
    let (film, broken) = (world.path("film.mp4"), world.path("broken.mp4"));
    // The index stands first, so that the file is a film up to where it ends.
    let make = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=6 -c:v libx264 -g 25 -pix_fmt yuv420p \
                -movflags +faststart";
    film::make(make, &film)?;
    let whole = std::fs::read(&film)?;
    std::fs::write(&broken, &whole[..whole.len() * 2 / 3])?;
    let from = format!("file:{broken}");
    let mut publisher = world.publisher(Over::Quic, "film", &["--source", &from])?;
    publisher.wait_for(1, PATIENCE)?;
    assert!(publisher.errors().contains("breaks off"), "{}", publisher.errors());
    Ok(())
}

#[test]
fn a_pipe_from_ffmpeg_goes_on_air() -> Result<()> {
    let world = World::new()?;
    let y4m = world.path("pipe.y4m");
    film::make(
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=5 -pix_fmt yuv420p -f yuv4mpegpipe",
        &y4m,
    )?;
    let pictures = world.path("seen.y4m");
    let mut player = world.player(Over::Quic, "pipe", &["--wait", "--record", &pictures])?;
    let (url, hash) = (world.url(Over::Quic), world.hash().to_owned());
    let air =
        ["--relay", &url, "--cert-hash", &hash, "--room", "pipe", "--source", "y4m:-", "--audio", "none"];
    let token = world.token("pipe", "host", &[])?;
    let air = [&air[..], &["--rendition", "320x240@25:3M", "--token", &token]].concat();
    let mut publisher = Process::start_with_input("publisher", &air, std::fs::read(&y4m)?)?;
    publisher.wait_for(0, PATIENCE)?;
    player.wait_for(0, PATIENCE)?;
    compare(&Video::read(&y4m)?, &Video::read(&pictures)?)
}

/// Checks that `seen` is a run of `source`'s pictures, none twice, each above 30 dB. Pictures that were
/// left out on a busy machine are few.
fn compare(source: &Video, seen: &Video) -> Result<()> {
    anyhow::ensure!((source.width, source.height) == (seen.width, seen.height), "the size is kept");
    let mut at = offset(source, seen)?;
    let (begin, mut worst) = (at, f64::MAX);
    for (index, frame) in seen.frames.iter().enumerate() {
        let near = source.frames.iter().enumerate().skip(at).take(4);
        let (place, quality) = near
            .map(|(place, original)| (place, psnr(original, frame)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .with_context(|| format!("picture {index} has no place in the film"))?;
        worst = worst.min(quality);
        anyhow::ensure!(quality > 30.0, "picture {index} is picture {place} of the film at {quality:.1} dB");
        at = place + 1;
    }
    let (span, count) = (at - begin, seen.frames.len());
    eprintln!("{count} pictures from {begin} on, the worst at {worst:.1} dB");
    anyhow::ensure!(count * 100 >= span * 97, "{count} pictures of {span}");
    anyhow::ensure!(at * 10 >= source.frames.len() * 9, "the film ends at picture {at}");
    anyhow::ensure!(count * 2 > source.frames.len(), "only {count} pictures were seen");
    Ok(())
}

/// Which picture of the film was seen first.
fn offset(source: &Video, seen: &Video) -> Result<usize> {
    let first = seen.frames.first().context("nothing was seen")?;
    let best =
        source.frames.iter().map(|frame| psnr(frame, first)).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    Ok(best.context("an empty film")?.0)
}
