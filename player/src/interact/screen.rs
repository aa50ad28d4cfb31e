//! The room in a terminal: draws a [`Desk`], reads keys. The terminal is as before afterwards, also when
//! something breaks.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::{
    DefaultTerminal, Frame,
    layout::{Constraint, Layout, Position, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Paragraph},
};
use shared::room::{Role, Say};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{
    Heard,
    desk::{Desk, Key, Link, stage_of, wrap},
    script::printable,
};
use crate::config::chat::Config;

/// What is heard is drawn this often.
const FRAME: Duration = Duration::from_millis(50);
/// A side column needs this many columns in all.
const SIDE_FROM: u16 = 70;
/// What keys do, the most needed first and last.
const HELP: [&str; 8] = [
    "Enter send",
    "/ask /d /name",
    "^L like",
    "Alt+1-9 vote",
    "Tab question",
    "^U upvote",
    "PgUp/PgDn back",
    "^C leave",
];
/// Lines that help may take, where the terminal is high enough.
const HELP_LINES: usize = 3;

/// Shows the room until the person leaves.
pub(super) fn run(
    config: &Config,
    says: &mpsc::Sender<Say>,
    mut heard: mpsc::Receiver<Heard>,
) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn in")?;
    let mut desk = Desk::new(config.name.clone());
    let result = show(&mut terminal, config, &mut desk, says, &mut heard);
    ratatui::restore();
    result
}

fn show(
    terminal: &mut DefaultTerminal,
    config: &Config,
    desk: &mut Desk,
    says: &mpsc::Sender<Say>,
    heard: &mut mpsc::Receiver<Heard>,
) -> anyhow::Result<()> {
    let paint = Paint::chosen();
    loop {
        loop {
            match heard.try_recv() {
                Ok(Heard::End(reason)) if !reason.is_empty() => bail!(reason),
                Ok(heard) => {
                    if let Some(say) = desk.hear(Instant::now(), heard) {
                        let _ = says.try_send(say);
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        terminal.draw(|frame| draw(frame, &config.room.to_string(), desk, paint))?;
        if !event::poll(FRAME)? {
            continue;
        }
        // Pasted text is many keys: all that wait are taken before the next picture.
        while event::poll(Duration::ZERO)? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match key_of(key) {
                Pressed::Leave => return Ok(()),
                Pressed::Nothing => {}
                Pressed::Key(key) => {
                    if let Some(say) = desk.key(Instant::now(), key)
                        && let Err(mpsc::error::TrySendError::Full(say)) = says.try_send(say)
                    {
                        desk.hear(Instant::now(), Heard::Full(say));
                    }
                }
            }
        }
    }
}

enum Pressed {
    Leave,
    Nothing,
    Key(Key),
}

fn key_of(key: KeyEvent) -> Pressed {
    let has = |modifier| key.modifiers.contains(modifier);
    Pressed::Key(match key.code {
        KeyCode::Char('c' | 'd') if has(KeyModifiers::CONTROL) => return Pressed::Leave,
        KeyCode::Esc => return Pressed::Leave,
        KeyCode::Char('l') if has(KeyModifiers::CONTROL) => Key::Like,
        KeyCode::Char('u') if has(KeyModifiers::CONTROL) => Key::Upvote,
        KeyCode::Char('e') if has(KeyModifiers::CONTROL) => Key::Bottom,
        KeyCode::Char(digit @ '1'..='9') if has(KeyModifiers::ALT) => {
            Key::Choice(usize::from(digit as u8 - b'1'))
        }
        KeyCode::Char(_) if has(KeyModifiers::CONTROL) || has(KeyModifiers::ALT) => return Pressed::Nothing,
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Tab => Key::NextQuestion,
        _ => return Pressed::Nothing,
    })
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    Colours,
    Plain,
}

impl Paint {
    /// As NO_COLOR wants it.
    fn chosen() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Plain,
            _ => Self::Colours,
        }
    }

    fn of(self, color: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(color),
            Self::Plain => Style::new(),
        }
    }
}

/// The help in lines of a width.
fn help_lines(width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in HELP {
        match lines.last_mut() {
            Some(line) if line.len() + 2 + item.len() <= width => *line = format!("{line}  {item}"),
            _ => lines.push(item.to_owned()),
        }
    }
    lines
}

fn draw(frame: &mut Frame<'_>, room: &str, desk: &Desk, paint: Paint) {
    let now = Instant::now();
    let notice = u16::from(desk.state.notice.is_some());
    let helps = help_lines(usize::from(frame.area().width));
    let lines = if frame.area().height < 16 { 1 } else { helps.len().min(HELP_LINES) };
    let [head, above, middle, word, input, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(notice),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(lines as u16),
    ])
    .areas(frame.area());
    let link = match &desk.link {
        Link::Connecting => "connecting".to_owned(),
        Link::Up => "live".to_owned(),
        Link::Down(reason) => format!("reconnecting ({})", printable(reason)),
    };
    let name = desk.you.as_ref().map_or(String::new(), |you| format!(" as {}", printable(&you.name)));
    let presence = desk.state.presence;
    let text = format!(
        "{room}{name} | {link} | {} watching, {} here | {} likes",
        presence.watching,
        presence.present,
        desk.likes()
    );
    frame.render_widget(Paragraph::new(text).style(paint.of(Color::Cyan).add_modifier(Modifier::BOLD)), head);
    if let Some(notice) = &desk.state.notice {
        let text = format!("! {}", printable(&notice.text));
        frame.render_widget(Paragraph::new(text).style(paint.of(Color::Yellow)), above);
    }
    let side = if middle.width >= SIDE_FROM && has_side(desk) { middle.width / 3 } else { 0 };
    let [chat, panel] = Layout::horizontal([Constraint::Min(10), Constraint::Length(side)]).areas(middle);
    draw_chat(frame, chat, desk, paint);
    if side > 0 {
        draw_side(frame, panel, desk, paint);
    }
    frame.render_widget(Paragraph::new(printable(&desk.word)).style(paint.of(Color::Magenta)), word);
    let title = match desk.cooldown(now) {
        Some(left) => format!(" again in {:.1} s ", left.as_secs_f64()),
        None => " say something ".to_owned(),
    };
    let block = Block::new().borders(Borders::ALL).title(title);
    let inner = block.inner(input);
    let (shown, column) = desk.input.view(usize::from(inner.width));
    frame.render_widget(Paragraph::new(shown).block(block), input);
    if inner.width > 0 && inner.height > 0 {
        let column = u16::try_from(column).unwrap_or(u16::MAX).min(inner.width - 1);
        frame.set_cursor_position(Position { x: inner.x + column, y: inner.y });
    }
    frame.render_widget(
        Paragraph::new(helps.join("\n")).style(Style::new().add_modifier(Modifier::DIM)),
        help,
    );
}

fn has_side(desk: &Desk) -> bool {
    desk.shown_product().is_some() || desk.open_poll().is_some() || !desk.questions().is_empty()
}

/// The newest messages that fit, the last of them where one reads.
fn draw_chat(frame: &mut Frame<'_>, area: Rect, desk: &Desk, paint: Paint) {
    let title = match desk.unread {
        0 => " chat ".to_owned(),
        unread => format!(" chat - {unread} new, ^E goes there "),
    };
    let block = Block::new().borders(Borders::ALL).title(title);
    let inner = block.inner(area);
    let mut rows: Vec<Line<'_>> = Vec::new();
    for message in desk.lines.iter().rev().skip(desk.scroll) {
        if rows.len() >= usize::from(inner.height) {
            break;
        }
        let color = match message.from.role {
            Role::Host => Color::Red,
            Role::Moderator => Color::Green,
            Role::Viewer => Color::Blue,
        };
        let name = printable(&message.from.name);
        let quoted = message.reply_to.as_ref().map_or(String::new(), |to| format!("@{} ", to.name));
        let all = wrap(&format!("{name}: {quoted}{}", message.text), usize::from(inner.width));
        for (index, row) in all.into_iter().enumerate().rev() {
            rows.push(match row.strip_prefix(&format!("{name}:")) {
                Some(rest) if index == 0 => Line::from(vec![
                    Span::styled(format!("{name}:"), paint.of(color).add_modifier(Modifier::BOLD)),
                    Span::raw(rest.to_owned()),
                ]),
                _ => Line::raw(row),
            });
        }
    }
    rows.truncate(usize::from(inner.height));
    rows.reverse();
    if desk.lines.is_empty() {
        rows.push(Line::styled("Nobody has said anything yet.", Style::new().add_modifier(Modifier::DIM)));
    }
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

fn draw_side(frame: &mut Frame<'_>, area: Rect, desk: &Desk, paint: Paint) {
    let block = Block::new().borders(Borders::ALL).title(" room ");
    let width = usize::from(block.inner(area).width);
    let mut rows: Vec<Line<'_>> = Vec::new();
    if let Some(card) = desk.shown_product() {
        for text in [&card.title, &card.price, &card.link] {
            rows.extend(wrap(text, width).into_iter().map(|row| Line::styled(row, paint.of(Color::Cyan))));
        }
        rows.push(Line::raw(""));
    }
    if let Some(poll) = desk.open_poll() {
        let head = format!("Poll {} ({}): {}", poll.poll.0, stage_of(poll), poll.question);
        rows.extend(wrap(&head, width).into_iter().map(|row| Line::styled(row, paint.of(Color::Yellow))));
        let mine = desk.you.as_ref().and_then(|you| you.votes.iter().find(|vote| vote.poll == poll.poll));
        for (index, choice) in poll.choices.iter().enumerate() {
            let votes = poll.votes.as_ref().and_then(|votes| votes.get(index)).copied();
            let share = match (votes, poll.voters) {
                (Some(votes), voters @ 1..) => {
                    format!(" {} ({}%)", votes, u64::from(votes) * 100 / u64::from(voters))
                }
                (Some(_), 0) | (None, _) => String::new(),
            };
            let mark = match (poll.correct == Some(index), mine.is_some_and(|vote| vote.choice == index)) {
                (true, _) => '+',
                (false, true) => '*',
                (false, false) => ' ',
            };
            rows.extend(
                wrap(&format!("{mark}{} {choice}{share}", index + 1), width).into_iter().map(Line::raw),
            );
        }
        rows.push(Line::raw(""));
    }
    for (index, question) in desk.questions().into_iter().enumerate() {
        let mark = if index == desk.chosen { '>' } else { ' ' };
        let text = format!("{mark}[{}] {}", question.votes, question.text);
        rows.extend(wrap(&text, width).into_iter().map(Line::raw));
    }
    frame.render_widget(Paragraph::new(rows).block(block), area);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};
    use shared::room::{
        Wall,
        polls::{Poll, PollId, Stage},
        products::{Card, Pin, Product, ProductId},
    };

    use super::*;

    #[test]
    fn help_is_cut_at_its_items() {
        for width in [20, 50, 90, 200] {
            let lines = help_lines(width);
            assert!(lines.iter().all(|line| line.len() <= width), "{lines:?}");
            assert_eq!(lines.join("  "), HELP.join("  "));
        }
    }

    #[test]
    fn the_room_is_drawn_in_any_size() {
        let mut desk = Desk::default();
        desk.state.polls.push(Poll {
            poll: PollId(1),
            at: Wall(0),
            question: "哪一个?".into(),
            choices: vec!["one".into(), "two".into()],
            votes: Some(vec![1, 3]),
            voters: 4,
            is_quiz: false,
            correct: None,
            stage: Stage::Open,
        });
        desk.hear(Instant::now(), Heard::Connected);
        let card = Card {
            title: "灯 lamp".into(),
            price: "99".into(),
            link: "https://a.example".into(),
            picture: None,
        };
        desk.state.products.push(Product { product: ProductId(1), card });
        desk.state.pin = Some(Pin { product: ProductId(1), media: None });
        for (width, height) in [(100, 30), (30, 10), (8, 4), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
            terminal.draw(|frame| draw(frame, "demo", &desk, Paint::Colours)).expect("drawn");
            let text = terminal.backend().to_string();
            assert_eq!(text.contains("75%"), width >= SIDE_FROM, "{text}");
            assert_eq!(text.contains("live"), width >= 30, "{text}");
        }
    }
}
