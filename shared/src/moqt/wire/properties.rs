//! Properties of tracks and objects (draft-18 §2.5, §12).

use std::time::Duration;

use bytes::Bytes;
use moq_transport::{
    coding::{KeyValuePair, KeyValuePairs, Value},
    message::extension_type as id,
};

use super::{
    WireError,
    field::{Fields, millis},
};
use crate::moqt::{GroupOrder, Priority, Properties};

/// SUBGROUP_DELIVERY_TIMEOUT, which moq-transport does not list.
const SUBGROUP_DELIVERY_TIMEOUT: u64 = 0x06;
/// Properties without which a track must not be passed on (draft-18 §2.5.1).
pub(super) const MANDATORY: std::ops::RangeInclusive<u64> = 0x4000..=0x7fff;

/// Track properties that the engine itself heeds (draft-18 §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackProperties {
    /// OBJECT_DELIVERY_TIMEOUT.
    pub object_timeout: Option<Duration>,
    /// SUBGROUP_DELIVERY_TIMEOUT.
    pub subgroup_timeout: Option<Duration>,
    /// MAX_CACHE_DURATION.
    pub max_cache: Option<Duration>,
    /// DEFAULT_PUBLISHER_PRIORITY.
    pub priority: Option<Priority>,
    /// DEFAULT_PUBLISHER_GROUP_ORDER.
    pub order: Option<GroupOrder>,
    /// DYNAMIC_GROUPS: whether NEW_GROUP_REQUEST is heeded.
    pub dynamic_groups: bool,
}

impl TrackProperties {
    /// As they stand on the wire.
    pub fn encode(&self) -> Properties {
        let mut pairs = Vec::new();
        let mut number = |key: u64, value: Option<u64>| {
            pairs.extend(value.map(|value| Property::Number(key, value)));
        };
        number(id::DELIVERY_TIMEOUT, self.object_timeout.map(millis));
        number(id::MAX_CACHE_DURATION, self.max_cache.map(millis));
        number(SUBGROUP_DELIVERY_TIMEOUT, self.subgroup_timeout.map(millis));
        number(id::DEFAULT_PUBLISHER_PRIORITY, self.priority.map(|priority| priority.0.into()));
        let order = self.order.map(|order| match order {
            GroupOrder::Ascending => 1,
            GroupOrder::Descending => 2,
        });
        number(id::DEFAULT_PUBLISHER_GROUP_ORDER, order);
        number(id::DYNAMIC_GROUPS, self.dynamic_groups.then_some(1));
        Properties::from_pairs(&pairs)
    }

    /// Reads those that the engine heeds, among the immutable ones too, skipping others.
    ///
    /// # Errors
    /// [`WireError`] where they cannot be read.
    pub fn decode(properties: &Properties) -> Result<Self, WireError> {
        let mut track = Self::default();
        for pair in properties.pairs()? {
            match pair {
                Property::Number(key, value) => track.heed(key, value)?,
                Property::Bytes(id::IMMUTABLE_EXTENSIONS, bytes) => {
                    for inner in Properties(bytes).pairs()? {
                        if let Property::Number(key, value) = inner {
                            track.heed(key, value)?;
                        }
                    }
                }
                Property::Bytes(..) => {}
            }
        }
        Ok(track)
    }

    fn heed(&mut self, key: u64, value: u64) -> Result<(), WireError> {
        let invalid = |name: &str, allowed: &str| {
            WireError::violation(format!("track property {name} is {value}, not {allowed}"))
        };
        match key {
            id::DELIVERY_TIMEOUT => self.object_timeout = Some(Duration::from_millis(value)),
            id::MAX_CACHE_DURATION => self.max_cache = Some(Duration::from_millis(value)),
            SUBGROUP_DELIVERY_TIMEOUT => self.subgroup_timeout = Some(Duration::from_millis(value)),
            id::DEFAULT_PUBLISHER_PRIORITY => {
                let priority =
                    u8::try_from(value).map_err(|_| invalid("DEFAULT_PUBLISHER_PRIORITY", "0 to 255"))?;
                self.priority = Some(Priority(priority));
            }
            id::DEFAULT_PUBLISHER_GROUP_ORDER => {
                self.order = Some(match value {
                    1 => GroupOrder::Ascending,
                    2 => GroupOrder::Descending,
                    _ => return Err(invalid("DEFAULT_PUBLISHER_GROUP_ORDER", "1 or 2")),
                });
            }
            id::DYNAMIC_GROUPS => {
                self.dynamic_groups = match value {
                    0 => false,
                    1 => true,
                    _ => return Err(invalid("DYNAMIC_GROUPS", "0 or 1")),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

/// One key-value pair of [`Properties`]: an even type has a number, an odd one bytes (draft-18 §1.4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// Even type.
    Number(u64, u64),
    /// Odd type.
    Bytes(u64, Bytes),
}

impl Properties {
    /// Writes pairs, which are in ascending order of type.
    ///
    /// # Panics
    /// Where a number has an odd type, or bytes have an even type or are 64 KiB or more.
    pub fn from_pairs(pairs: &[Property]) -> Self {
        let pairs = pairs.iter().map(|pair| match pair {
            Property::Number(key, value) => KeyValuePair::new_int(*key, *value),
            Property::Bytes(key, value) => KeyValuePair::new_bytes(*key, value.to_vec()),
        });
        let bytes = KeyValuePairs(pairs.collect())
            .encode_bounded()
            .expect("types fit their values, which are shorter than 64 KiB");
        Self(bytes.into())
    }

    /// Reads all pairs.
    ///
    /// # Errors
    /// [`WireError`] where they cannot be read.
    pub fn pairs(&self) -> Result<Vec<Property>, WireError> {
        let pairs = Fields::new("properties", self.0.clone()).pairs()?;
        Ok(pairs
            .into_iter()
            .map(|KeyValuePair { key, value }| match value {
                Value::IntValue(value) => Property::Number(key, value),
                Value::BytesValue(value) => Property::Bytes(key, value.into()),
            })
            .collect())
    }

    /// The first Mandatory Track Property among these properties of a track. The engine knows none of
    /// them, so a track that has one is to be let go with UNSUPPORTED_EXTENSION (draft-18 §2.5.1).
    ///
    /// # Errors
    /// [`WireError`] where they cannot be read.
    pub fn unsupported(&self) -> Result<Option<u64>, WireError> {
        let key = |pair: &Property| match pair {
            Property::Number(key, _) | Property::Bytes(key, _) => *key,
        };
        for pair in self.pairs()? {
            if MANDATORY.contains(&key(&pair)) {
                return Ok(Some(key(&pair)));
            }
            if let Property::Bytes(id::IMMUTABLE_EXTENSIONS, inner) = pair
                && let Some(found) = Self(inner).pairs()?.iter().map(key).find(|key| MANDATORY.contains(key))
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
