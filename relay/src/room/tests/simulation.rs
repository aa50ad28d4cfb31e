//! Evenings in a room over a network that loses, repeats and reorders what is said and what is answered, with
//! reconnects and restarts. Whatever happens: each saying is applied once or refused, each sender's in the order
//! in which it was said, and whoever comes late sees what everybody sees.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::room::Said;

/// Luck that a seed repeats (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A viewer that says its next only once the last is answered, and says it again until then.
struct Client {
    name: String,
    session: SessionId,
    said: u64,
    answered: BTreeMap<u64, Reply>,
    say_at: u64,
}

/// Sayings on their way, with when they arrive.
type Network = VecDeque<(u64, SessionId, Vec<u8>)>;

fn text(client: &Client, number: u64) -> String {
    format!("{} {number}", client.name)
}

fn evening(seed: u64) {
    let mut dice = Dice(seed);
    let loss = dice.below(40);
    let mut stage = Stage::new();
    let mut sessions = 0;
    let mut clients: Vec<Client> = (0..2 + dice.below(4))
        .map(|n| {
            sessions += 1;
            let name = format!("v{n}");
            let session = stage.comes(sessions, &name, Role::Viewer);
            Client { name, session, said: 0, answered: BTreeMap::new(), say_at: 0 }
        })
        .collect();
    let mut network = Network::new();
    let mut all: Vec<Publication> = Vec::new();
    let until = stage.now + 60_000;
    while stage.now < until {
        for client in &mut clients {
            if dice.chance(1) {
                // A new connection; what was on its way is lost, or not.
                stage.handle(Input::Left(client.session));
                sessions += 1;
                client.session = stage.comes(sessions, &client.name, Role::Viewer);
            }
            if stage.now < client.say_at || client.said >= 12 && client.answered.contains_key(&client.said) {
                continue;
            }
            if client.said == 0 || client.answered.contains_key(&client.said) {
                client.said += 1;
            }
            client.say_at = stage.now + 250;
            let say = chat(&text(client, client.said));
            let bytes = serde_json::to_vec(&Saying { id: SayId(client.said), say }).expect("JSON");
            for _ in 0..1 + u64::from(dice.chance(20)) {
                if !dice.chance(loss) {
                    network.push_back((stage.now + dice.below(600), client.session, bytes.clone()));
                }
            }
        }
        let (arrived, later): (Vec<_>, Vec<_>) = network.drain(..).partition(|(at, ..)| *at <= stage.now);
        network = later.into();
        for (_, session, bytes) in arrived {
            stage.utters(session, &bytes);
        }
        for (session, reply) in std::mem::take(&mut stage.replies) {
            let (Reply::Accepted { id, .. } | Reply::Refused { id: Some(id), .. }) = &reply else { continue };
            let client = clients.iter_mut().find(|client| client.session == session);
            if let Some(client) = client.filter(|_| !dice.chance(loss)) {
                let before = client.answered.insert(id.0, reply.clone());
                assert!(before.is_none_or(|before| before == reply), "seed {seed}: answered in two ways");
            }
        }
        if dice.chance(1) && dice.chance(30) {
            all.append(&mut stage.published);
            stage = restart(stage, &all);
            for client in &mut clients {
                sessions += 1;
                client.session = stage.comes(sessions, &client.name, Role::Viewer);
            }
        }
        stage.pass(1 + dice.below(60));
    }
    all.append(&mut stage.published);
    judge(seed, &stage, &all, &clients);
}

/// A relay that was killed once all was written down, and starts again a while later.
fn restart(stage: Stage, published: &[Publication]) -> Stage {
    let answered = stage.kept.iter().filter_map(|kept| match kept {
        Kept::Said(Said { from, say: Some(say), subject, .. }) => {
            Some((from.clone(), *say, subject.map(shared::room::MessageId)))
        }
        _ => None,
    });
    let mut chats = unique(seen(published));
    chats.drain(..chats.len().saturating_sub(chat::HISTORY));
    let restored =
        Restored { saved: stage.room.saved(), chats, answered: answered.collect(), ..Restored::default() };
    let mut again = Stage::restored(stage.now + 700, restored);
    again.kept = stage.kept;
    again
}

/// As clients show them: a message that comes again is the same one.
fn unique(messages: Vec<Message>) -> Vec<Message> {
    let by_number: BTreeMap<u64, Message> =
        messages.into_iter().map(|message| (message.message.0, message)).collect();
    by_number.into_values().collect()
}

fn judge(seed: u64, stage: &Stage, all: &[Publication], clients: &[Client]) {
    let messages = unique(seen(all));
    for client in clients {
        let theirs: Vec<&str> = messages
            .iter()
            .filter(|message| message.from.viewer == viewer(&client.name))
            .map(|message| message.text.as_str())
            .collect();
        let accepted: Vec<String> = (1..=client.said)
            .filter(|id| matches!(client.answered.get(id), Some(Reply::Accepted { .. })))
            .map(|id| text(client, id))
            .collect();
        assert!(accepted.len() >= 5, "seed {seed}: an evening in which nobody says much shows nothing");
        let unanswered = text(client, client.said);
        let known: Vec<&str> = theirs
            .iter()
            .copied()
            .filter(|text| client.answered.contains_key(&client.said) || *text != unanswered)
            .collect();
        assert_eq!(known, accepted, "seed {seed}: {}: once each, in order", client.name);
    }
    assert!(messages.is_sorted_by_key(|message| message.message), "seed {seed}");
    assert_eq!(late(all), *stage.room.state(), "seed {seed}: whoever comes late sees what everybody sees");
}

#[test]
fn whatever_the_network_does_each_saying_is_applied_once_and_in_order() {
    for seed in 0..400 {
        evening(seed);
    }
}
