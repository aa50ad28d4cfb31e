//! How much is taken in: of each viewer, of each address, and of the whole room.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use shared::room::{Refusal, Role, Say, Wall};

use crate::bucket::{Bucket, Rate};

/// Addresses that are watched at one time. Past it those that were quiet are forgotten; where none was, new ones
/// share one allowance.
const MAX_ADDRESSES: usize = 10_000;
/// What the whole room takes in a burst, in messages.
const ROOM_BURST: f64 = 1_000.0;
/// What it takes steadily, in messages a second.
const ROOM_STEADY: f64 = 500.0;

/// All that a viewer sends, whatever it is: past it nothing is even read.
const ATTENTION: Rate = Rate { burst: 200, micros: 10_000 };
/// The same for hosts and moderators.
const ATTENTION_OF_MODERATORS: Rate = Rate { burst: 2_000, micros: 1_000 };
/// All that comes from one address: a school behind one.
const ADDRESS: Rate = Rate { burst: 8_000, micros: 150 };

/// What one viewer may say of each sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Chat,
    Danmaku,
    Question,
    Like,
    Small,
}

impl Sort {
    /// The sort of what viewers say; `None` for what takes another role.
    fn of(say: &Say) -> Option<Self> {
        match say {
            Say::Chat(_) => Some(Self::Chat),
            Say::Danmaku(_) => Some(Self::Danmaku),
            Say::Ask(_) => Some(Self::Question),
            Say::React(_) => Some(Self::Like),
            Say::Upvote(_) | Say::Vote(_) | Say::Hand(_) | Say::Rename(_) => Some(Self::Small),
            Say::Delete(_)
            | Say::Mute(_)
            | Say::Ban(_)
            | Say::Unban(_)
            | Say::Mode(_)
            | Say::Approve(_)
            | Say::Question(_)
            | Say::Poll(_)
            | Say::Product(_)
            | Say::Notice(_)
            | Say::LowerHands(_) => None,
        }
    }

    fn rate(self) -> Rate {
        match self {
            Self::Chat | Self::Danmaku => Rate { burst: 5, micros: 1_000_000 },
            Self::Question => Rate { burst: 3, micros: 10_000_000 },
            // The page sends five a second.
            Self::Like => Rate { burst: 10, micros: 160_000 },
            Self::Small => Rate { burst: 20, micros: 500_000 },
        }
    }
}

/// Whether only hosts and moderators may say it.
pub(super) fn is_of_moderators(say: &Say) -> bool {
    Sort::of(say).is_none()
}

/// Who goes first where the room is full. The order is that in which they are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Likes.
    Like,
    /// Danmaku.
    Danmaku,
    /// Chat, votes, hands.
    Chat,
    /// Questions.
    Question,
    /// All of a moderator's.
    Moderator,
    /// All of a host's.
    Host,
}

impl Class {
    /// What somebody of this role says.
    pub(super) fn of(role: Role, say: &Say) -> Self {
        match (role, Sort::of(say)) {
            (Role::Host, _) => Self::Host,
            (Role::Moderator, _) | (Role::Viewer, None) => Self::Moderator,
            (Role::Viewer, Some(Sort::Like)) => Self::Like,
            (Role::Viewer, Some(Sort::Danmaku)) => Self::Danmaku,
            (Role::Viewer, Some(Sort::Chat | Sort::Small)) => Self::Chat,
            (Role::Viewer, Some(Sort::Question)) => Self::Question,
        }
    }

    /// What part of the room's burst is left to those before it.
    fn reserve(self) -> f64 {
        match self {
            Self::Like => 0.5,
            Self::Danmaku => 0.35,
            Self::Chat => 0.2,
            Self::Question => 0.1,
            Self::Moderator => 0.02,
            Self::Host => 0.0,
        }
    }

    /// What it costs of the room's allowance: likes are told to nobody one by one.
    fn cost(self) -> f64 {
        match self {
            Self::Like => 0.05,
            Self::Danmaku | Self::Chat | Self::Question | Self::Moderator | Self::Host => 1.0,
        }
    }
}

fn micros(now: Wall) -> u64 {
    now.0.saturating_mul(1_000)
}

/// One viewer's allowances.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Personal {
    attention: Bucket,
    chat: Bucket,
    danmaku: Bucket,
    question: Bucket,
    like: Bucket,
    small: Bucket,
}

impl Personal {
    /// Whether what it sends is read at all.
    pub(super) fn is_heard(&mut self, now: Wall, role: Role) -> bool {
        let rate = if role.moderates() { ATTENTION_OF_MODERATORS } else { ATTENTION };
        self.attention.take(micros(now), rate).is_ok()
    }

    /// Takes a saying off its allowance, unless its role is exempt.
    pub(super) fn take(&mut self, now: Wall, role: Role, say: &Say) -> Result<(), Refusal> {
        let Some(sort) = Sort::of(say).filter(|_| !role.moderates()) else { return Ok(()) };
        let bucket = match sort {
            Sort::Chat => &mut self.chat,
            Sort::Danmaku => &mut self.danmaku,
            Sort::Question => &mut self.question,
            Sort::Like => &mut self.like,
            Sort::Small => &mut self.small,
        };
        let wait = |wait: Duration| Refusal::TooFast { seconds: wait.as_secs_f64() };
        bucket.take(micros(now), sort.rate()).map_err(wait)
    }
}

/// The allowances that viewers share.
#[derive(Debug)]
pub(super) struct Shared {
    left: f64,
    at: Wall,
    addresses: HashMap<IpAddr, Bucket>,
    others: Bucket,
}

impl Default for Shared {
    fn default() -> Self {
        Self { left: ROOM_BURST, at: Wall(0), addresses: HashMap::new(), others: Bucket::default() }
    }
}

impl Shared {
    /// Whether what comes from this address is read at all.
    pub(super) fn is_heard(&mut self, now: Wall, address: IpAddr) -> bool {
        let address = network(address);
        if !self.addresses.contains_key(&address) && self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.retain(|_, bucket| !bucket.is_full(micros(now)));
            if self.addresses.len() >= MAX_ADDRESSES {
                return self.others.take(micros(now), ADDRESS).is_ok();
            }
        }
        self.addresses.entry(address).or_default().take(micros(now), ADDRESS).is_ok()
    }

    /// Takes a saying off the room's allowance.
    pub(super) fn take(&mut self, now: Wall, class: Class) -> Result<(), Refusal> {
        #[expect(clippy::cast_precision_loss, reason = "it is filled long before")]
        let elapsed = now.0.saturating_sub(self.at.0) as f64 / 1e3;
        self.at = now;
        self.left = (self.left + elapsed * ROOM_STEADY).min(ROOM_BURST);
        let needed = ROOM_BURST * class.reserve() + class.cost();
        if class != Class::Host && self.left < needed {
            return Err(Refusal::Busy { seconds: ((needed - self.left) / ROOM_STEADY).max(1.0) });
        }
        self.left = (self.left - class.cost()).max(0.0);
        Ok(())
    }
}

/// A home or an office: one address of IPv4, a /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::room::{chat, reactions};

    use super::*;

    fn chat() -> Say {
        Say::Chat(chat::Draft { text: "hello".to_owned(), reply_to: None, media: None })
    }

    fn like() -> Say {
        Say::React(reactions::Taps { reaction: reactions::Reaction::Like, count: 1 })
    }

    #[test]
    fn a_viewer_may_burst_and_then_go_on_steadily() {
        let mut personal = Personal::default();
        let mut take = |now| personal.take(Wall(now), Role::Viewer, &chat());
        for _ in 0..5 {
            assert_eq!(take(10_000), Ok(()));
        }
        assert_eq!(take(10_000), Err(Refusal::TooFast { seconds: 1.0 }));
        assert_eq!(take(10_750), Err(Refusal::TooFast { seconds: 0.25 }));
        assert_eq!(take(11_000), Ok(()));
        assert_eq!(take(11_000), Err(Refusal::TooFast { seconds: 1.0 }));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut personal = Personal::default();
        assert_eq!(personal.take(Wall(10_000_000), Role::Viewer, &chat()), Ok(()));
        let Err(Refusal::TooFast { seconds }) = personal.take(Wall(1_000), Role::Viewer, &chat()) else {
            panic!("the bucket is empty")
        };
        assert!(seconds <= 5.0, "{seconds}");
    }

    #[test]
    fn moderators_are_exempt_and_even_they_are_not_read_without_end() {
        let mut personal = Personal::default();
        assert!((0..100).all(|_| personal.take(Wall(1), Role::Moderator, &chat()).is_ok()));
        let heard = (0..10_000).filter(|_| personal.is_heard(Wall(1), Role::Viewer)).count();
        assert_eq!(heard, 200);
    }

    #[test]
    fn where_the_room_is_full_the_least_important_is_dropped_first() {
        let mut room = Shared::default();
        let mut order = Vec::new();
        let all = [Class::Host, Class::Moderator, Class::Question, Class::Chat, Class::Danmaku, Class::Like];
        for _ in 0..2_000 {
            for class in all {
                if room.take(Wall(1), class).is_err() && !order.contains(&class) {
                    order.push(class);
                }
            }
        }
        assert_eq!(
            order,
            [Class::Like, Class::Danmaku, Class::Chat, Class::Question, Class::Moderator],
            "a host is never dropped"
        );
        assert!(matches!(room.take(Wall(1), Class::Chat), Err(Refusal::Busy { .. })));
        assert_eq!(room.take(Wall(2_001), Class::of(Role::Viewer, &like())), Ok(()));
    }

    #[test]
    fn an_address_is_one_network() {
        let mut shared = Shared::default();
        let of = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        let heard = (0..20_000).filter(|n| shared.is_heard(Wall(1), of(*n))).count();
        assert_eq!((heard, shared.addresses.len()), (8_000, 1));
    }

    #[test]
    fn addresses_are_bounded() {
        let mut shared = Shared::default();
        for n in 0..2 * MAX_ADDRESSES as u32 {
            shared.is_heard(Wall(1), IpAddr::V4(n.into()));
        }
        assert_eq!(shared.addresses.len(), MAX_ADDRESSES);
        shared.is_heard(Wall(10), IpAddr::V4(u32::MAX.into()));
        assert_eq!(shared.addresses.len(), 1);
    }
}
