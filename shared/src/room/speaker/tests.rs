use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::room::{chat, danmaku, questions};

fn chat(text: &(impl ToString + ?Sized)) -> Say {
    Say::Chat(chat::Draft { text: text.to_string(), reply_to: None, media: None })
}

fn bullet(text: &(impl ToString + ?Sized)) -> Say {
    let text = text.to_string();
    Say::Danmaku(danmaku::Draft { text, color: Default::default(), mode: Default::default(), media: None })
}

fn like(count: u32) -> Say {
    Say::React(Taps { reaction: Reaction::Like, count })
}

fn accepted(id: SayId) -> Reply {
    Reply::Accepted { id, message: None }
}

fn sent(speaker: &mut Speaker, now: Instant) -> Vec<Transmit> {
    std::iter::from_fn(|| speaker.poll(now)).collect()
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn chat_goes_one_at_a_time_and_bullets_overtake() {
    let (mut speaker, now) = (Speaker::new(SayId(7)), Instant::now());
    let first = speaker.say(now, chat("one")).expect("taken");
    let second = speaker.say(now, chat("two")).expect("taken");
    let third = speaker.say(now, bullet("three")).expect("taken");
    let ids: Vec<SayId> = sent(&mut speaker, now).iter().map(|transmit| transmit.id).collect();
    assert_eq!(ids, [first, third]);
    speaker.heard(now + 10 * MS, &accepted(second));
    assert_eq!(speaker.outcome(), None, "what was never sent cannot be answered");
    speaker.heard(now + 10 * MS, &accepted(first));
    assert_eq!(speaker.outcome().map(|outcome| outcome.id()), Some(first));
    let ids: Vec<SayId> = sent(&mut speaker, now + 10 * MS).iter().map(|transmit| transmit.id).collect();
    assert_eq!(ids, [second]);
}

#[test]
fn it_waits_as_long_as_round_trips_take_and_twice_as_long_each_time() {
    let (mut speaker, now) = (Speaker::new(SayId(0)), Instant::now());
    speaker.say(now, chat("one")).expect("taken");
    let mut times = Vec::new();
    let mut at = now;
    while let Some(next) = speaker.deadline().filter(|next| *next < now + 10_000 * MS) {
        at = next;
        times.extend(sent(&mut speaker, at).iter().map(|_| at.duration_since(now).as_millis()));
    }
    assert_eq!(times, [0, 200, 600, 1400, 3000, 5000, 7000, 9000]);
    speaker.heard(at, &accepted(SayId(0)));
    assert_eq!(speaker.round_trip(), None, "which sending was answered is not known");
    let id = speaker.say(at, chat("two")).expect("taken");
    assert_eq!(sent(&mut speaker, at).len(), 1);
    speaker.heard(at + 80 * MS, &accepted(id));
    assert_eq!(speaker.round_trip(), Some(80 * MS));
    speaker.say(at, chat("three")).expect("taken");
    assert_eq!(sent(&mut speaker, at).len(), 1);
    assert_eq!(speaker.deadline(), Some(at + 240 * MS));
}

#[test]
fn taps_are_sent_five_times_a_second_however_fast_they_come() {
    let (mut speaker, now) = (Speaker::new(SayId(0)), Instant::now());
    let (mut counts, mut sends) = (0, 0);
    for step in 0..4000 {
        let now = now + step * MS;
        if step < 1000 {
            speaker.say(now, like(1)).expect("taken");
        }
        while let Some(transmit) = speaker.poll(now) {
            let saying: Saying = serde_json::from_slice(&transmit.payload).expect("a saying");
            let Say::React(taps) = saying.say else { panic!("taps") };
            assert!(taps.count <= MAX_TAPS);
            counts += taps.count;
            sends += 1;
            speaker.heard(now, &accepted(transmit.id));
        }
    }
    // One at once, nine full ones, the rest.
    assert_eq!((counts, sends), (1000, 11));
}

#[test]
fn what_is_too_much_is_refused_and_what_is_not_answered_is_given_up() {
    let (mut speaker, now) = (Speaker::new(SayId(NUMBERS - 1)), Instant::now());
    for number in 0..MAX_WAITING {
        speaker.say(now, chat(&number)).expect("taken");
        speaker.say(now, bullet(&number)).expect("taken");
    }
    assert_eq!(speaker.say(now, chat("more")), Err(Full));
    assert_eq!(speaker.say(now, bullet("more")), Err(Full));
    assert_eq!(speaker.say(now, like(MAX_WAITING_TAPS + 1)), Err(Full));
    speaker.disconnected();
    assert_eq!(speaker.poll(now), None);
    let over = speaker.deadline().expect("the end of patience");
    assert_eq!((over, speaker.poll(over)), (now + PATIENCE, None));
    let outcomes: Vec<Outcome> = std::iter::from_fn(|| speaker.outcome()).collect();
    assert_eq!(outcomes.len(), 2 * MAX_WAITING);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::GivenUp { .. })));
    assert_eq!((speaker.unanswered(), speaker.deadline()), (0, None));
    assert_eq!((speaker.stats().given_up, speaker.stats().full), (2 * MAX_WAITING as u64, 3));
}

#[test]
fn a_refusal_gives_the_text_back() {
    let (mut speaker, now) = (Speaker::new(SayId(0)), Instant::now());
    let say = Say::Ask(questions::Draft { text: "why?".into() });
    let id = speaker.say(now, say.clone()).expect("taken");
    assert_eq!(sent(&mut speaker, now).len(), 1);
    let why = Refusal::TooFast { seconds: 2.5 };
    speaker.heard(now, &Reply::Refused { id: None, why: Refusal::Empty });
    speaker.heard(now, &Reply::Refused { id: Some(id), why: why.clone() });
    assert_eq!(speaker.outcome(), Some(Outcome::Refused { id, say, why }));
    assert_eq!(speaker.outcome(), None);
}

/// The room as the contract has it: each number of a viewer is applied once and answered always.
#[derive(Default)]
struct Room {
    known: BTreeSet<SayId>,
    chat: Vec<String>,
    bullets: Vec<String>,
    likes: u32,
}

impl Room {
    fn take(&mut self, payload: &[u8]) -> Reply {
        let saying: Saying = serde_json::from_slice(payload).expect("a saying");
        if self.known.insert(saying.id) {
            match saying.say {
                Say::Chat(draft) => self.chat.push(draft.text),
                Say::Danmaku(draft) => self.bullets.push(draft.text),
                Say::React(taps) => self.likes += taps.count,
                other => panic!("not said: {other:?}"),
            }
        }
        accepted(saying.id)
    }
}

/// A network that loses, repeats and reorders in both directions, the same way for the same seed.
struct Weather {
    seed: u64,
    loss: u64,
    up: BTreeMap<(Instant, u64), Bytes>,
    down: BTreeMap<(Instant, u64), Reply>,
    number: u64,
}

impl Weather {
    fn dice(&mut self, sides: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % sides
    }

    fn arrivals(&mut self, now: Instant) -> Vec<(Instant, u64)> {
        let copies = if self.dice(100) < self.loss { 0 } else { 1 + u64::from(self.dice(5) == 0) };
        (0..copies)
            .map(|_| {
                self.number += 1;
                let delay = u32::try_from(5 + self.dice(300)).expect("small");
                (now + delay * MS, self.number)
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_network_does_all_is_applied_once_and_in_order(
        seed in 1_u64..,
        loss in 0_u64..40,
        breaks in 0_u64..4,
    ) {
        let start = Instant::now();
        let mut speaker = Speaker::new(SayId(seed % NUMBERS));
        let mut room = Room::default();
        let mut weather =
            Weather { seed, loss, up: BTreeMap::new(), down: BTreeMap::new(), number: 0 };
        let mut outcomes = BTreeMap::new();
        let mut broken_until = None;
        let mut ids = BTreeSet::new();
        for step in 0..60_000_u32 {
            let now = start + step * MS;
            if step < 2000 && step % 100 == 0 {
                ids.insert(speaker.say(now, chat(&step)).expect("taken"));
                ids.insert(speaker.say(now, bullet(&step)).expect("taken"));
                ids.insert(speaker.say(now, like(30)).expect("taken"));
            }
            if u64::from(step) < breaks * 1000 && step % 1000 == 500 {
                speaker.disconnected();
                weather.down.clear();
                broken_until = Some(now + 400 * MS);
            }
            if broken_until.is_some_and(|until| now >= until) {
                broken_until = None;
                speaker.reconnected();
            }
            while let Some(transmit) = speaker.poll(now) {
                for arrival in weather.arrivals(now) {
                    weather.up.insert(arrival, transmit.payload.clone());
                }
            }
            while let Some(entry) = weather.up.first_entry().filter(|entry| entry.key().0 <= now) {
                let reply = room.take(&entry.remove());
                for arrival in weather.arrivals(now) {
                    weather.down.insert(arrival, reply.clone());
                }
            }
            while let Some(entry) = weather.down.first_entry().filter(|entry| entry.key().0 <= now) {
                speaker.heard(now, &entry.remove());
            }
            while let Some(outcome) = speaker.outcome() {
                let is_accepted = matches!(outcome, Outcome::Accepted { .. });
                prop_assert!(outcomes.insert(outcome.id(), is_accepted).is_none(), "one outcome each");
            }
            if step > 2000 && speaker.unanswered() == 0 {
                break;
            }
        }
        let said: Vec<String> = (0..2000).step_by(100).map(|step: u32| step.to_string()).collect();
        let number = |text: &String| text.parse::<u32>().expect("a number");
        let is_rising = |texts: &[String]| texts.windows(2).all(|pair| number(&pair[0]) < number(&pair[1]));
        room.bullets.sort_by_key(number);
        // What was given up may arrive after what followed it.
        let is_ordered = is_rising(&room.chat) || outcomes.values().any(|is_accepted| !is_accepted);
        prop_assert!(is_ordered, "in order: {:?}", room.chat);
        prop_assert_eq!(room.chat.iter().collect::<BTreeSet<_>>().len(), room.chat.len(), "each once");
        prop_assert!(is_rising(&room.bullets), "each once: {:?}", room.bullets);
        // What was given up after 30 s may have been applied or not.
        let given_up = outcomes.values().filter(|is_accepted| !**is_accepted).count();
        prop_assert!(said.len() - room.chat.len() <= given_up && said.len() - room.bullets.len() <= given_up);
        if given_up == 0 {
            prop_assert_eq!(room.likes, 600);
        }
        prop_assert!(loss > 0 || given_up == 0);
        prop_assert_eq!(speaker.unanswered(), 0);
        prop_assert!(ids.iter().all(|id| outcomes.contains_key(id)), "each has an outcome");
    }
}
