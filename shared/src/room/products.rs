//! Product cards for live selling.

use serde::{Deserialize, Serialize};

use crate::media::Timestamp;

/// Characters of a title.
pub const MAX_TITLE_CHARS: usize = 120;
/// Characters of a price, which is text: currencies are written in many ways.
pub const MAX_PRICE_CHARS: usize = 40;
/// Characters of an address.
pub const MAX_URL_CHARS: usize = 2048;
/// Products that a room keeps.
pub const MAX_PRODUCTS: usize = 100;

/// Number of a product within its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProductId(pub u64);

/// What is on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its title.
    pub title: String,
    /// Its price, as it is to be read.
    pub price: String,
    /// Where it is sold: http or https.
    pub link: String,
    /// Its picture: http or https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

/// A product of the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its number.
    pub product: ProductId,
    /// What is on its card.
    #[serde(flatten)]
    pub card: Card,
}

/// The card that is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Which.
    pub product: ProductId,
    /// Where in the broadcast it was pinned: a viewer shows it when its playhead is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Timestamp>,
}

/// What the host does with products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "camelCase")]
pub enum Act {
    /// A new one, at the end.
    Add(Card),
    /// Other words on a card.
    Edit(Product),
    /// Takes it away.
    Remove {
        /// Which.
        product: ProductId,
    },
    /// All of them, in this order.
    Reorder {
        /// The numbers.
        products: Vec<ProductId>,
    },
    /// Puts a card up.
    Pin(Pin),
    /// Takes the card down.
    Unpin,
}
