//! A full room on a bad network: whatever is said reaches everybody, in order, exactly once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use player::{config::chat::Config, interact};
use shared::{
    room::{
        Refusal, Say,
        chat::{Draft, Line},
        reactions::{Reaction, Taps},
        speaker::Outcome,
    },
    transport::tls::{CertHash, Trust},
};
use tests::{
    impair::{Conditions, Impair},
    world::World,
};
use tokio::{sync::watch, task::JoinSet};

const VIEWERS: usize = 200;
/// What each says in chat, and how often it taps.
const LINES: usize = 2;
const TAPS: u32 = 3;
/// Of the packets of each direction.
const LOSS: f64 = 0.1;
/// How long it may all take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// How far the crowd is.
#[derive(Debug, Default)]
struct Crowd {
    connected: AtomicUsize,
    complete: AtomicUsize,
}

/// When to do what; later ones hold all before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Gather,
    Speak,
    Leave,
}

/// What one viewer heard.
#[derive(Debug, Default)]
struct Ear {
    texts: Vec<String>,
    likes: u64,
}

#[test]
fn two_hundred_viewers_hear_all_of_it_once_though_a_tenth_of_the_packets_is_lost() -> Result<()> {
    let world = World::with(&["--open"])?;
    let network = Impair::start(world.moqt(), Conditions { loss: LOSS, seed: 7, ..Conditions::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ears = runtime.block_on(fill(&world, &network))?;
    let lost = network.counters();
    ensure!(lost.up.lost > 1_000 && lost.down.lost > 1_000, "the network is bad: {lost:?}");

    let (first, others) = ears.split_first().context("somebody was there")?;
    assert_eq!(first.texts.len(), VIEWERS * LINES, "each line once");
    for viewer in 0..VIEWERS {
        let said: Vec<String> = (0..LINES).map(|line| text(viewer, line)).collect();
        let heard: Vec<&String> = first.texts.iter().filter(|text| said.contains(text)).collect();
        assert_eq!(heard, said.iter().collect::<Vec<_>>(), "each viewer's own order");
    }
    for other in others {
        assert_eq!(other.texts, first.texts, "the same order for everybody");
    }
    let likes: BTreeMap<u64, usize> = ears.iter().fold(BTreeMap::new(), |mut counts, ear| {
        *counts.entry(ear.likes).or_default() += 1;
        counts
    });
    assert_eq!(likes, BTreeMap::from([(VIEWERS as u64 * u64::from(TAPS), VIEWERS)]), "each tap counted once");
    Ok(())
}

fn text(viewer: usize, line: usize) -> String {
    format!("viewer {viewer} says {line}")
}

/// Lets all come in, speak, and hear what everybody said.
async fn fill(world: &World, network: &Impair) -> Result<Vec<Ear>> {
    let crowd = Arc::new(Crowd::default());
    let (phase, phases) = watch::channel(Phase::Gather);
    let mut viewers = JoinSet::new();
    for number in 0..VIEWERS {
        let config = Config {
            relay: format!("moqt://{}", network.local_addr()).parse()?,
            room: "crowd".parse()?,
            token: None,
            viewer: format!("viewer-{number}").parse()?,
            name: None,
            trust: Trust::Hashes(vec![world.hash().parse::<CertHash>()?]),
            script: None,
        };
        viewers.spawn(take_part(number, config, Arc::clone(&crowd), phases.clone()));
        // Not all at the same moment: that is what a relay refuses.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = Instant::now();
    for (count, next) in [(&crowd.connected, Phase::Speak), (&crowd.complete, Phase::Leave)] {
        while count.load(Ordering::Relaxed) < VIEWERS {
            if let Some(over) = viewers.try_join_next() {
                over??;
                bail!("a viewer left early");
            }
            ensure!(began.elapsed() < PATIENCE, "{crowd:?} of {VIEWERS} after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Whatever would come twice has come by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
        phase.send(next)?;
    }
    let mut ears = Vec::new();
    while let Some(ear) = viewers.join_next().await {
        ears.push(ear??);
    }
    Ok(ears)
}

async fn take_part(
    number: usize,
    config: Config,
    crowd: Arc<Crowd>,
    mut phases: watch::Receiver<Phase>,
) -> Result<Ear> {
    let (says, mut heard) = interact::join(config);
    let (mut ear, mut is_connected, mut is_complete) = (Ear::default(), false, false);
    loop {
        tokio::select! {
            changed = phases.changed() => {
                changed?;
                if *phases.borrow() == Phase::Leave {
                    return Ok(ear);
                }
                for line in 0..LINES {
                    let draft = Draft { text: text(number, line), reply_to: None, media: None };
                    says.send(Say::Chat(draft)).await?;
                }
                says.send(Say::React(Taps { reaction: Reaction::Like, count: TAPS })).await?;
            }
            event = heard.recv() => match event.context("the driver ended")? {
                interact::Heard::Connected if !is_connected => {
                    is_connected = true;
                    crowd.connected.fetch_add(1, Ordering::Relaxed);
                }
                interact::Heard::Line(Line::Message(message)) => ear.texts.push(message.text),
                interact::Heard::Tally(tally) => {
                    ear.likes = tally.totals.get(&Reaction::Like).copied().unwrap_or_default();
                }
                interact::Heard::Outcome(Outcome::Refused {
                    say,
                    why: Refusal::TooFast { seconds } | Refusal::Busy { seconds },
                    ..
                }) => {
                    let says = says.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs_f64(seconds.clamp(0.05, 5.0))).await;
                        let _ = says.send(say).await;
                    });
                }
                interact::Heard::Outcome(Outcome::Accepted { .. }) => {}
                interact::Heard::Outcome(other) => bail!("viewer {number}: {other:?}"),
                interact::Heard::End(reason) => bail!("viewer {number}: {reason}"),
                _ => {}
            },
        }
        let all = VIEWERS as u64 * u64::from(TAPS);
        if !is_complete && ear.texts.len() >= VIEWERS * LINES && ear.likes >= all {
            is_complete = true;
            crowd.complete.fetch_add(1, Ordering::Relaxed);
        }
    }
}
