//! What the host allows: features, who may speak and how often; and what moderators do to viewers.

use serde::{Deserialize, Serialize};

use super::ViewerId;

/// Words that may be blocked.
pub const MAX_BLOCKED_WORDS: usize = 500;
/// Characters of one.
pub const MAX_BLOCKED_CHARS: usize = 50;
/// Slow mode: seconds between two messages of a viewer, at most.
pub const MAX_SLOW_SECONDS: u32 = 120;

/// Sets of features that suit a kind of room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Preset {
    /// Chat, questions with approval, quizzes, raised hands, reactions.
    Teaching,
    /// Chat, danmaku, likes, product cards.
    Selling,
    /// Chat, danmaku, reactions, polls.
    Gaming,
    /// Everything but products and raised hands.
    #[default]
    Talk,
}

/// What there is in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Features {
    /// Chat.
    pub chat: bool,
    /// Bullet comments.
    pub danmaku: bool,
    /// Likes and reactions.
    pub reactions: bool,
    /// Questions.
    pub questions: bool,
    /// Polls and quizzes.
    pub polls: bool,
    /// Product cards.
    pub products: bool,
    /// Raised hands.
    pub hands: bool,
}

impl Features {
    /// Those of a preset.
    pub const fn of(preset: Preset) -> Self {
        let all = Self {
            chat: true,
            danmaku: true,
            reactions: true,
            questions: true,
            polls: true,
            products: true,
            hands: true,
        };
        match preset {
            Preset::Teaching => Self { danmaku: false, products: false, ..all },
            Preset::Selling => Self { questions: false, polls: false, hands: false, ..all },
            Preset::Gaming => Self { questions: false, products: false, hands: false, ..all },
            Preset::Talk => Self { products: false, hands: false, ..all },
        }
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::of(Preset::default())
    }
}

/// Who may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Speakers {
    /// Everybody.
    #[default]
    Everybody,
    /// Members: whoever has a token that was made for them.
    Members,
    /// Hosts and moderators.
    Moderators,
}

/// What becomes of a new message or question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approval {
    /// It is shown at once.
    #[default]
    None,
    /// Questions wait for a moderator.
    Questions,
    /// Everything waits.
    All,
}

/// What messages may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// Text, without links.
    #[default]
    Text,
    /// Text and links.
    Links,
    /// Emoji only.
    Emotes,
}

/// The rules of the room, as everybody sees them. Blocked words are on the desk only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Mode {
    /// The preset that was chosen last.
    pub preset: Preset,
    /// What there is.
    pub features: Features,
    /// Seconds between two messages of one viewer; 0 for no slow mode.
    pub slow_seconds: u32,
    /// Who may speak.
    pub speakers: Speakers,
    /// What waits for approval.
    pub approval: Approval,
    /// What messages may hold.
    pub content: Content,
}

/// A change of the rules: what is not named stays. A preset is applied first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Change {
    /// Features of a preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Features one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Slow mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_seconds: Option<u32>,
    /// Who may speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speakers: Option<Speakers>,
    /// What waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What messages may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// All blocked words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_words: Option<Vec<String>>,
}

/// Silences a viewer for chat, danmaku and questions; 0 seconds let it speak again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Whom.
    pub viewer: ViewerId,
    /// For how long.
    pub seconds: u32,
}

/// How far a ban goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// The viewer's ID.
    #[default]
    Viewer,
    /// And the addresses that it comes from.
    Address,
}

/// Sends a viewer away, with all that it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Whom.
    pub viewer: ViewerId,
    /// How far.
    #[serde(default)]
    pub reach: Reach,
}

/// Lets a viewer come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unban {
    /// Whom.
    pub viewer: ViewerId,
}
