//! What a script says, one thing after the other, and what it prints.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use shared::room::{Refusal, Say, chat::Line, speaker::Outcome};
use tokio::sync::mpsc;

use super::{Heard, reason};
use crate::{
    clock,
    config::chat::{Format, Script},
};

/// A cooldown that is longer is not waited for.
const MOST_COOLDOWN: f64 = 30.0;

/// Says all, then listens as long as asked for.
pub(super) async fn run(
    script: Script,
    says: mpsc::Sender<Say>,
    mut heard: mpsc::Receiver<Heard>,
) -> anyhow::Result<()> {
    let until = script.watch.map(|time| Instant::now() + time);
    let mut left = script.says.into_iter();
    let mut under_way = None;
    let mut again: Option<(Instant, Say)> = None;
    let mut failures: Vec<String> = Vec::new();
    let mut is_there = false;
    loop {
        if under_way.is_none() && again.is_none() && is_there {
            under_way = left.next();
            if let Some(say) = &under_way {
                says.send(say.clone()).await.ok().context("the session is over")?;
            }
        }
        let is_done = is_there && under_way.is_none() && again.is_none() && left.len() == 0;
        if is_done && until.is_none_or(|until| Instant::now() >= until) {
            break;
        }
        let wake = match &again {
            Some((at, _)) => Some(*at),
            None if is_done => until,
            None => None,
        };
        let event = tokio::select! {
            event = heard.recv() => event,
            () = clock::until(wake) => {
                if let Some((_, say)) = again.take() {
                    says.send(say.clone()).await.ok().context("the session is over")?;
                    under_way = Some(say);
                }
                continue;
            }
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some(event) = event else { break };
        print(script.format, &event)?;
        match event {
            Heard::Connected => is_there = true,
            Heard::End(reason) if reason.is_empty() => break,
            Heard::End(reason) => bail!(reason),
            Heard::Outcome(outcome) => {
                under_way = None;
                match outcome {
                    Outcome::Accepted { .. } => {}
                    Outcome::Refused {
                        say,
                        why: Refusal::TooFast { seconds } | Refusal::Busy { seconds },
                        ..
                    } if seconds <= MOST_COOLDOWN => {
                        let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
                        again = Some((Instant::now() + Duration::from_secs_f64(seconds + 0.05), say));
                    }
                    Outcome::Refused { say, why, .. } => {
                        failures.push(format!("{}: {}", brief(&say), reason(&why)));
                    }
                    Outcome::GivenUp { say, .. } => {
                        failures.push(format!("{}: the room gave no answer for 30 s", brief(&say)));
                    }
                }
            }
            Heard::Full(_)
            | Heard::Lost(_)
            | Heard::You(_)
            | Heard::State(_)
            | Heard::Line(_)
            | Heard::Bullet(_)
            | Heard::Tally(_)
            | Heard::Complaint(_) => {}
        }
    }
    if !failures.is_empty() {
        bail!("not all was accepted: {}", failures.join("; "));
    }
    if under_way.is_some() || again.is_some() || left.len() > 0 {
        bail!("left before all was said");
    }
    Ok(())
}

/// What was said, as a person would name it.
fn brief(say: &Say) -> String {
    serde_json::to_string(say).unwrap_or_default()
}

fn print(format: Format, heard: &Heard) -> anyhow::Result<()> {
    let line = match format {
        Format::Json => json_of(heard).to_string(),
        Format::Text => match text_of(heard) {
            Some(text) => text,
            None => return Ok(()),
        },
    };
    writeln!(std::io::stdout().lock(), "{line}").context("standard output cannot be written")
}

fn json_of(heard: &Heard) -> Value {
    match heard {
        Heard::Connected => json!({"heard": "connected"}),
        Heard::Lost(reason) => json!({"heard": "lost", "reason": reason}),
        Heard::You(you) => json!({"heard": "you", "you": you}),
        Heard::State(state) => json!({"heard": "state", "state": state}),
        Heard::Line(line) => json!({"heard": "chat", "chat": line}),
        Heard::Bullet(bullet) => json!({"heard": "danmaku", "danmaku": bullet}),
        Heard::Tally(tally) => json!({"heard": "reactions", "reactions": tally}),
        Heard::Outcome(Outcome::Accepted { id, say, message }) => {
            json!({"heard": "accepted", "id": id, "say": say, "message": message})
        }
        Heard::Outcome(Outcome::Refused { id, say, why }) => {
            json!({"heard": "refused", "id": id, "say": say, "refusal": why, "reason": reason(why)})
        }
        Heard::Outcome(Outcome::GivenUp { id, say }) => json!({"heard": "givenUp", "id": id, "say": say}),
        Heard::Full(say) => json!({"heard": "full", "say": say}),
        Heard::Complaint(why) => json!({"heard": "complaint", "refusal": why, "reason": reason(why)}),
        Heard::End(reason) => json!({"heard": "end", "reason": reason}),
    }
}

fn text_of(heard: &Heard) -> Option<String> {
    Some(match heard {
        Heard::Line(Line::Message(message)) => {
            format!("{}: {}", printable(&message.from.name), printable(&message.text))
        }
        Heard::Line(Line::Deleted { message }) => format!("(message {} was deleted)", message.0),
        Heard::Line(Line::Cleared { viewer }) => format!("(all messages of {viewer} were deleted)"),
        Heard::Bullet(bullet) => {
            format!("{} -> {}", printable(&bullet.from.name), printable(&bullet.text))
        }
        Heard::Outcome(Outcome::Refused { say, why, .. }) => {
            format!("refused: {}: {}", brief(say), reason(why))
        }
        Heard::Outcome(Outcome::GivenUp { say, .. }) => format!("no answer: {}", brief(say)),
        Heard::Complaint(why) => format!("the room says: {}", reason(why)),
        Heard::Lost(reason) => format!("connection lost ({}): trying again", printable(reason)),
        Heard::Connected
        | Heard::You(_)
        | Heard::State(_)
        | Heard::Tally(_)
        | Heard::Full(_)
        | Heard::End(_)
        | Heard::Outcome(Outcome::Accepted { .. }) => return None,
    })
}

/// Without what a terminal would obey.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}
