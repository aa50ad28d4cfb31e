//! Bullets over the picture: each begins when playback is where its writer was, and runs at the display's pace.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shared::{media::Timestamp, room::danmaku::Mode};

use super::{
    feed::{Bullets, Ready},
    lanes::{Candidate, Lanes, Stage as Area},
    sprite::Sprite,
};

/// Height of a lane, as a factor of its letters'.
const LINE: f32 = 1.45;
const CROSSING: Duration = Duration::from_secs(9);
const STANDING: Duration = Duration::from_millis(4500);
/// Playback that is further behind than this waits for nothing.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// Bullets that wait for their moment; past it the oldest is shown at once.
const MAX_EARLY: usize = 256;
/// Between two frames while bullets run.
pub(crate) const FRAME: Duration = Duration::from_micros(16_667);

/// The bullets of one window.
#[derive(Debug)]
pub(crate) struct Stage {
    bullets: Bullets,
    /// Those whose moment has not come, and when they came.
    early: VecDeque<(Instant, Ready)>,
    lanes: Lanes<Sprite>,
}

impl Stage {
    pub(crate) fn new(bullets: Bullets) -> Self {
        let area = Area { width: 0.0, lanes: 0, crossing: CROSSING, standing: STANDING };
        Self { bullets, early: VecDeque::new(), lanes: Lanes::new(area) }
    }

    /// Shows them or does not.
    pub(crate) fn toggle(&mut self) {
        self.bullets.settings.is_on = !self.bullets.settings.is_on;
    }

    /// Takes in what came and places what is due. `shown` is the capture time of the picture on the screen.
    /// Whether there is something to draw, now or soon.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        shown: Option<Timestamp>,
        width: usize,
        height: usize,
    ) -> bool {
        let settings = &self.bullets.settings;
        let letters = (height as f32 / 20.0).clamp(15.0, 34.0) * settings.size;
        self.bullets.letters.set(letters as u32);
        let lanes = ((height as f32 * settings.area) / (letters * LINE)).floor().max(1.0) as usize;
        let crossing = CROSSING.div_f32(settings.speed.max(0.1));
        self.lanes.restage(Area { width: width as f32, lanes, crossing, standing: STANDING });
        while let Ok(ready) = self.bullets.ready.try_recv() {
            if settings.is_on {
                self.early.push_back((now, ready));
            }
        }
        // Nothing overtakes what came before it.
        while let Some((came, ready)) = self.early.front()
            && (self.early.len() > MAX_EARLY || is_due(now, *came, ready.media, shown))
        {
            let Some((_, Ready { sprite, mode, rank, .. })) = self.early.pop_front() else { break };
            let width = sprite.width as f32;
            self.lanes.put(now, Candidate { bullet: sprite, width, mode, rank });
        }
        self.lanes.poll(now);
        settings.is_on && !(self.lanes.is_empty() && self.early.is_empty())
    }

    /// Draws those that are on stage into a frame.
    pub(crate) fn draw(&self, now: Instant, pixels: &mut [u32], width: usize, height: usize) {
        let settings = &self.bullets.settings;
        if !settings.is_on {
            return;
        }
        let line = (height as f32 / 20.0).clamp(15.0, 34.0) * settings.size * LINE;
        for (placed, left) in self.lanes.placed(now) {
            let top = match placed.candidate.mode {
                Mode::Bottom => height as f32 - (self.lanes.lanes() - placed.lane) as f32 * line,
                Mode::Scroll | Mode::Top => placed.lane as f32 * line,
            };
            placed.candidate.bullet.blend(
                pixels,
                width,
                left.round() as i64,
                top.round() as i64,
                settings.opacity,
            );
        }
    }
}

/// Whether a bullet's moment has come, or waiting for it makes no sense.
fn is_due(now: Instant, came: Instant, media: Option<Timestamp>, shown: Option<Timestamp>) -> bool {
    let (Some(media), Some(shown)) = (media, shown) else { return true };
    let ahead = Duration::from_micros(media.0.saturating_sub(shown.0));
    ahead.is_zero() || ahead > MAX_WAIT || now.saturating_duration_since(came) >= MAX_WAIT
}

#[cfg(test)]
mod tests {
    use shared::room::danmaku::Color;

    use super::*;
    use crate::danmaku::{Settings, feed::Letters, lanes::Rank};

    #[test]
    fn a_bullet_waits_for_its_moment_and_is_drawn_then() {
        let (send, ready) = std::sync::mpsc::sync_channel(4);
        let settings = Settings { opacity: 1.0, ..Settings::default() };
        let mut stage = Stage::new(Bullets { ready, letters: Letters::default(), settings });
        let sprite = Sprite::block(40, 20, Color(0x00ff_0000));
        let media = Some(Timestamp(5_000_000));
        send.send(Ready { sprite, mode: Mode::Top, rank: Rank::Viewer, media }).expect("taken");
        let (now, size) = (Instant::now(), (320, 180));
        let frame = |stage: &mut Stage, now, shown: u64| {
            let mut pixels = vec![0; size.0 * size.1];
            let runs = stage.advance(now, Some(Timestamp(shown)), size.0, size.1);
            stage.draw(now, &mut pixels, size.0, size.1);
            (runs, pixels.contains(&0x00ff_0000))
        };
        assert_eq!(frame(&mut stage, now, 4_000_000), (true, false));
        assert_eq!(frame(&mut stage, now, 5_000_000), (true, true));
        stage.toggle();
        assert_eq!(frame(&mut stage, now, 5_000_000), (false, false));
        stage.toggle();
        assert_eq!(frame(&mut stage, now + STANDING, 9_000_000), (false, false));
    }

    #[test]
    fn what_is_far_ahead_or_waited_long_is_shown() {
        let now = Instant::now();
        let at = |micros| Some(Timestamp(micros));
        assert!(is_due(now, now, None, at(1)) && is_due(now, now, at(1), None));
        assert!(!is_due(now, now, at(1_000_000), at(0)));
        assert!(is_due(now, now, at(9_000_000), at(0)));
        assert!(is_due(now + MAX_WAIT, now, at(1_000_000), at(0)));
    }
}
