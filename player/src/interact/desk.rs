//! What a person sees of the room and types, without the terminal. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shared::room::{
    Refusal, Say, Snapshot,
    chat::{Line, Message},
    polls::{Poll, Stage, Vote},
    presence::{Hand, Raised, Rename},
    products::Card,
    questions::{Question, Upvote},
    reactions::{Reaction, Tally, Taps},
    say::You,
    speaker::Outcome,
};
use unicode_width::UnicodeWidthChar as _;

use super::{Heard, reason, script::printable};
use crate::config::chat::{say_ask, say_chat, say_danmaku};

/// Messages that are kept; past it the oldest go.
const MOST_LINES: usize = 1000;
/// Characters that may be typed.
const MOST_TYPED: usize = 600;

/// The room as one person has it before them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) lines: VecDeque<Message>,
    pub(super) state: Snapshot,
    pub(super) tally: Tally,
    pub(super) you: Option<You>,
    pub(super) link: Link,
    /// Lines between the last one shown and the newest; 0 sticks to the bottom.
    pub(super) scroll: usize,
    /// Messages that came while it was scrolled up.
    pub(super) unread: usize,
    pub(super) input: Input,
    /// The last word about something that was said.
    pub(super) word: String,
    /// Which of the questions is chosen.
    pub(super) chosen: usize,
    /// What was typed and is not answered yet.
    waiting: Option<(String, Say)>,
    cooldown: Option<Instant>,
    wanted_name: Option<String>,
}

/// Whether the room is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Link {
    #[default]
    Connecting,
    Up,
    Down(String),
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Backspace,
    Delete,
    Left,
    Right,
    Home,
    End,
    Enter,
    Up,
    Down,
    PageUp,
    PageDown,
    /// To the newest message.
    Bottom,
    /// Chooses the next question.
    NextQuestion,
    Upvote,
    Like,
    /// A choice of the open poll, from 0.
    Choice(usize),
}

impl Desk {
    pub(super) fn new(name: Option<String>) -> Self {
        Self { wanted_name: name, ..Self::default() }
    }

    /// Takes what was heard; what it makes one say.
    pub(super) fn hear(&mut self, now: Instant, heard: Heard) -> Option<Say> {
        match heard {
            Heard::Connected => self.link = Link::Up,
            Heard::Lost(reason) | Heard::End(reason) => self.link = Link::Down(reason),
            Heard::You(you) => {
                let wanted = self.wanted_name.take().filter(|name| *name != you.name);
                self.you = Some(you);
                return wanted.map(|name| Say::Rename(Rename { name }));
            }
            Heard::State(state) => self.state = *state,
            Heard::Line(Line::Message(message)) => self.add(message),
            Heard::Line(Line::Deleted { message }) => self.lines.retain(|line| line.message != message),
            Heard::Line(Line::Cleared { viewer }) => self.lines.retain(|line| line.from.viewer != viewer),
            Heard::Bullet(bullet) => {
                self.word = format!("{} -> {}", printable(&bullet.from.name), printable(&bullet.text));
            }
            Heard::Tally(tally) => self.tally = tally,
            Heard::Outcome(outcome) => self.settle(now, outcome),
            Heard::Full(say) => {
                self.give_back(&say);
                self.word = "too much waits to be said: wait a moment".into();
            }
            Heard::Complaint(why) => self.word = reason(&why),
        }
        None
    }

    /// Takes a key; what it makes one say.
    pub(super) fn key(&mut self, now: Instant, key: Key) -> Option<Say> {
        match key {
            Key::Letter(letter) => self.input.insert(letter),
            Key::Backspace => self.input.backspace(),
            Key::Delete => self.input.delete(),
            Key::Left => self.input.at = self.input.at.saturating_sub(1),
            Key::Right => self.input.at = (self.input.at + 1).min(self.input.letters.len()),
            Key::Home => self.input.at = 0,
            Key::End => self.input.at = self.input.letters.len(),
            Key::Up => self.scroll(1),
            Key::PageUp => self.scroll(10),
            Key::Down => self.scroll(-1),
            Key::PageDown => self.scroll(-10),
            Key::Bottom => self.scroll(isize::MIN),
            Key::NextQuestion => self.chosen = (self.chosen + 1) % self.questions().len().max(1),
            Key::Enter => return self.enter(now),
            Key::Like => return Some(Say::React(Taps { reaction: Reaction::Like, count: 1 })),
            Key::Upvote => {
                let question = self.questions().get(self.chosen)?.question;
                return Some(Say::Upvote(Upvote { question }));
            }
            Key::Choice(choice) => {
                let poll = self.open_poll().filter(|poll| choice < poll.choices.len())?.poll;
                return Some(Say::Vote(Vote { poll, choice }));
            }
        }
        None
    }

    /// Time until one may speak again.
    pub(super) fn cooldown(&self, now: Instant) -> Option<Duration> {
        self.cooldown.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// The newest poll, while it is up.
    pub(super) fn open_poll(&self) -> Option<&Poll> {
        self.state.polls.last()
    }

    /// The product whose card is up.
    pub(super) fn shown_product(&self) -> Option<&Card> {
        let shown = self.state.pin?.product;
        self.state.products.iter().find(|product| product.product == shown).map(|product| &product.card)
    }

    /// Questions that are open, most votes first.
    pub(super) fn questions(&self) -> Vec<&Question> {
        use shared::room::questions::Stage::{Answered, Approved, Asked, Hidden, OnScreen};
        let mut all: Vec<&Question> = self
            .state
            .questions
            .iter()
            .filter(|question| match question.stage {
                Approved | OnScreen => true,
                Asked | Answered | Hidden => false,
            })
            .collect();
        all.sort_by_key(|question| (std::cmp::Reverse(question.votes), question.question));
        all
    }

    /// Likes so far.
    pub(super) fn likes(&self) -> u64 {
        let count = |tally: &Tally| tally.totals.get(&Reaction::Like).copied().unwrap_or(0);
        count(&self.tally).max(count(&self.state.reactions))
    }

    fn add(&mut self, message: Message) {
        self.lines.push_back(message);
        if self.scroll > 0 {
            self.unread += 1;
            self.scroll += 1;
        }
        if self.lines.len() > MOST_LINES {
            self.lines.pop_front();
            self.scroll = self.scroll.min(MOST_LINES - 1);
        }
    }

    fn scroll(&mut self, by: isize) {
        let most = self.lines.len().saturating_sub(1);
        self.scroll = self.scroll.saturating_add_signed(by).min(most);
        if self.scroll == 0 {
            self.unread = 0;
        }
    }

    /// What was typed becomes a saying; during a cooldown it stays.
    fn enter(&mut self, now: Instant) -> Option<Say> {
        let text = self.input.text();
        let trimmed = text.trim();
        if trimmed.is_empty() || self.waiting.is_some() || self.cooldown(now).is_some() {
            return None;
        }
        let say = match trimmed.split_once(' ').unwrap_or((trimmed, "")) {
            ("/ask", question) => say_ask(question.into()),
            ("/d" | "/danmaku", bullet) => say_danmaku(bullet.into()),
            ("/name", name) => Say::Rename(Rename { name: name.into() }),
            ("/hand", place) => {
                let hand = if place.trim() == "down" { Raised::Down } else { Raised::Up };
                Say::Hand(Hand { hand })
            }
            (command, _) if command.starts_with('/') => {
                self.word = format!("{command} is no command: /ask, /d, /name, /hand [down]");
                return None;
            }
            _ => say_chat(trimmed.into()),
        };
        self.input = Input::default();
        self.word.clear();
        self.waiting = Some((text, say.clone()));
        Some(say)
    }

    fn settle(&mut self, now: Instant, outcome: Outcome) {
        match outcome {
            Outcome::Accepted { say, .. } => {
                if self.waiting.as_ref().is_some_and(|(_, waiting)| *waiting == say) {
                    self.waiting = None;
                }
                if let (Say::Vote(_), Some(_)) = (&say, &self.you) {
                    self.word = "your vote is counted".into();
                }
            }
            Outcome::Refused { say, why, .. } => {
                if let (Refusal::TooFast { seconds } | Refusal::Busy { seconds }, false) =
                    (&why, matches!(say, Say::React(_)))
                {
                    let seconds = if seconds.is_finite() { seconds.clamp(0.0, 3600.0) } else { 0.0 };
                    self.cooldown = Some(now + Duration::from_secs_f64(seconds));
                }
                self.word = reason(&why);
                if why == Refusal::Waiting {
                    self.waiting = None;
                } else {
                    self.give_back(&say);
                }
            }
            Outcome::GivenUp { say, .. } => {
                self.word = "no answer for 30 s: it may not have been heard".into();
                self.give_back(&say);
            }
        }
    }

    /// Puts the text back where it was typed, before what was typed since.
    fn give_back(&mut self, say: &Say) {
        if self.waiting.as_ref().is_none_or(|(_, waiting)| waiting != say) {
            return;
        }
        if let Some((text, _)) = self.waiting.take() {
            let since = self.input.text();
            let all = if since.is_empty() { text } else { format!("{text} {since}") };
            self.input = Input::of(&all);
        }
    }
}

/// One line that is typed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Input {
    letters: Vec<char>,
    /// The cursor stands before this letter.
    at: usize,
}

impl Input {
    fn of(text: &str) -> Self {
        let letters: Vec<char> = text.chars().take(MOST_TYPED).collect();
        Self { at: letters.len(), letters }
    }

    pub(super) fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// The part that fits into `width` columns, and the cursor's column in it.
    pub(super) fn view(&self, width: usize) -> (String, usize) {
        let columns =
            |letters: &[char]| -> usize { letters.iter().map(|letter| letter.width().unwrap_or(0)).sum() };
        let mut from = 0;
        while from < self.at && columns(&self.letters[from..self.at]) >= width.max(1) {
            from += 1;
        }
        let mut shown = String::new();
        let mut taken = 0;
        for letter in &self.letters[from..] {
            taken += letter.width().unwrap_or(0);
            if taken > width {
                break;
            }
            shown.push(*letter);
        }
        (shown, columns(&self.letters[from..self.at]))
    }

    fn insert(&mut self, letter: char) {
        if self.letters.len() < MOST_TYPED && !letter.is_control() {
            self.letters.insert(self.at, letter);
            self.at += 1;
        }
    }

    fn backspace(&mut self) {
        if self.at > 0 {
            self.at -= 1;
            self.letters.remove(self.at);
        }
    }

    fn delete(&mut self) {
        if self.at < self.letters.len() {
            self.letters.remove(self.at);
        }
    }
}

/// Breaks text into rows of at most `width` columns; Chinese letters take two.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut column = 0;
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let wide = letter.width().unwrap_or(0);
        if column + wide > width.max(2) {
            rows.push(String::new());
            column = 0;
        }
        column += wide;
        if let Some(row) = rows.last_mut() {
            row.push(letter);
        }
    }
    rows
}

/// How a poll's stage is told.
pub(super) fn stage_of(poll: &Poll) -> &'static str {
    match poll.stage {
        Stage::Open => "open",
        Stage::Locked => "locked",
        Stage::Revealed => "revealed",
    }
}

#[cfg(test)]
mod tests {
    use shared::room::{MessageId, Role, SayId, Speaker, Wall};

    use super::*;

    fn typed(desk: &mut Desk, now: Instant, text: &str) -> Option<Say> {
        for letter in text.chars() {
            desk.key(now, Key::Letter(letter));
        }
        desk.key(now, Key::Enter)
    }

    fn message(number: u64) -> Heard {
        Heard::Line(Line::Message(Message {
            message: MessageId(number),
            at: Wall(0),
            from: Speaker { viewer: "v".parse().expect("a viewer"), name: "V".into(), role: Role::Viewer },
            text: number.to_string(),
            reply_to: None,
            media: None,
        }))
    }

    #[test]
    fn a_text_that_is_refused_is_not_lost_and_waits_for_the_cooldown() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        let say = typed(&mut desk, now, "你好 all").expect("said");
        assert_eq!(desk.input.text(), "");
        desk.key(now, Key::Letter('x'));
        let outcome =
            Outcome::Refused { id: SayId(1), say: say.clone(), why: Refusal::TooFast { seconds: 2.0 } };
        desk.hear(now, Heard::Outcome(outcome));
        assert_eq!(desk.input.text(), "你好 all x");
        assert_eq!(desk.cooldown(now), Some(Duration::from_secs(2)));
        assert_eq!(desk.key(now, Key::Enter), None);
        assert!(desk.key(now + Duration::from_secs(2), Key::Enter).is_some());
    }

    #[test]
    fn it_sticks_to_the_bottom_unless_one_reads_above() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        for number in 0..5 {
            desk.hear(now, message(number));
        }
        assert_eq!((desk.scroll, desk.unread), (0, 0));
        desk.key(now, Key::Up);
        desk.hear(now, message(5));
        assert_eq!((desk.scroll, desk.unread), (2, 1));
        desk.key(now, Key::Bottom);
        assert_eq!((desk.scroll, desk.unread), (0, 0));
        desk.hear(now, Heard::Line(Line::Deleted { message: MessageId(5) }));
        assert_eq!(desk.lines.len(), 5);
    }

    #[test]
    fn commands_are_sayings_and_unknown_ones_stay() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        assert_eq!(typed(&mut desk, now, "/foo"), None);
        assert!(desk.word.contains("/foo"), "{}", desk.word);
        desk.input = Input::default();
        assert_eq!(typed(&mut desk, now, "/ask why"), Some(say_ask("why".into())));
        assert_eq!(desk.key(now, Key::Choice(0)), None, "no poll is open");
    }

    #[test]
    fn chinese_takes_two_columns() {
        assert_eq!(wrap("你好世界ab", 5), ["你好", "世界a", "b"]);
        let input = Input::of("你好世界");
        assert_eq!(input.view(80), ("你好世界".into(), 8));
        assert_eq!(input.view(5), ("世界".into(), 4));
    }
}
