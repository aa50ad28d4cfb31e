//! What the engine itself heeds of an object's properties (draft-18 §2.5, §12.7 to §12.9), read in place.

use super::{ObjectError, WireError, field::peek_integer, properties::MANDATORY};
use crate::moqt::{Properties, SessionCode};

/// IMMUTABLE_PROPERTIES (draft-18 §12.7): its value holds properties that no relay may touch.
pub const IMMUTABLE_PROPERTIES: u64 = 0x0b;
/// PRIOR_GROUP_ID_GAP (draft-18 §12.8).
pub const PRIOR_GROUP_ID_GAP: u64 = 0x3c;
/// PRIOR_OBJECT_ID_GAP (draft-18 §12.9).
pub const PRIOR_OBJECT_ID_GAP: u64 = 0x3e;

/// Longest value of an odd type (draft-18 §1.4.3).
const MAX_VALUE_BYTES: u64 = 0xffff;

/// Object properties that a receiver acts on, whether they stand among the mutable or the immutable ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ObjectProperties<'a> {
    /// PRIOR_GROUP_ID_GAP: so many groups before this one never exist.
    pub group_gap: Option<u64>,
    /// PRIOR_OBJECT_ID_GAP: so many objects before this one never exist.
    pub object_gap: Option<u64>,
    /// The value of IMMUTABLE_PROPERTIES; `None` where the object has none.
    pub immutable: Option<&'a [u8]>,
}

impl<'a> ObjectProperties<'a> {
    /// Reads an object's properties. Nothing is copied.
    ///
    /// # Errors
    /// [`ObjectError::Malformed`] for what makes a track malformed: a property that is there twice and must
    /// not be, IMMUTABLE_PROPERTIES inside of itself, a Mandatory Track Property on an object, a pair that
    /// cannot be parsed. [`ObjectError::Wire`] for what closes the session: a type or a length over its
    /// limit, and a value of a known type that is cut short.
    pub fn decode(properties: &'a Properties) -> Result<Self, ObjectError> {
        let mut found = Self::default();
        if !properties.0.is_empty() {
            found.read(&properties.0, Level::Outer)?;
        }
        Ok(found)
    }

    fn read(&mut self, bytes: &'a [u8], level: Level) -> Result<(), ObjectError> {
        let mut rest = bytes;
        let mut kind = 0_u64;
        while !rest.is_empty() {
            let delta = take(&mut rest).ok_or_else(|| cut_short(kind))?;
            kind = kind
                .checked_add(delta)
                .ok_or_else(|| WireError::violation("an object property's type is over 2^64-1"))?;
            let number = take(&mut rest).ok_or_else(|| cut_short(kind))?;
            if MANDATORY.contains(&kind) {
                return Err(malformed(format!("an object has the mandatory track property {kind:#x}")));
            }
            let value = if kind.is_multiple_of(2) {
                &[]
            } else if number > MAX_VALUE_BYTES {
                let reason = format!("object property {kind:#x} has {number} bytes, over {MAX_VALUE_BYTES}");
                return Err(WireError::violation(reason).into());
            } else {
                let (value, after) = rest.split_at_checked(number as usize).ok_or_else(|| cut_short(kind))?;
                rest = after;
                value
            };
            match (kind, level) {
                (PRIOR_GROUP_ID_GAP, _) => once(&mut self.group_gap, number, "PRIOR_GROUP_ID_GAP")?,
                (PRIOR_OBJECT_ID_GAP, _) => once(&mut self.object_gap, number, "PRIOR_OBJECT_ID_GAP")?,
                (IMMUTABLE_PROPERTIES, Level::Outer) => {
                    once(&mut self.immutable, value, "IMMUTABLE_PROPERTIES")?;
                    self.read(value, Level::Immutable)?;
                }
                (IMMUTABLE_PROPERTIES, Level::Immutable) => {
                    return Err(malformed("IMMUTABLE_PROPERTIES stands inside of itself"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Outer,
    Immutable,
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let (value, length) = peek_integer(rest)?;
    *rest = rest.get(length..)?;
    Some(value)
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), ObjectError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed(format!("an object has {name} twice"))),
    }
}

fn cut_short(kind: u64) -> ObjectError {
    let reason = format!("object property {kind:#x} is cut short");
    match kind {
        PRIOR_GROUP_ID_GAP | PRIOR_OBJECT_ID_GAP | IMMUTABLE_PROPERTIES => {
            WireError::new(SessionCode::KeyValueFormattingError, reason).into()
        }
        _ => ObjectError::Malformed(reason),
    }
}

fn malformed(reason: impl Into<String>) -> ObjectError {
    ObjectError::Malformed(reason.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{super::Property, *};

    fn decode(pairs: &[Property]) -> Result<(Option<u64>, Option<u64>), ObjectError> {
        let properties = Properties::from_pairs(pairs);
        ObjectProperties::decode(&properties).map(|found| (found.group_gap, found.object_gap))
    }

    fn immutable(pairs: &[Property]) -> Property {
        Property::Bytes(IMMUTABLE_PROPERTIES, Properties::from_pairs(pairs).0)
    }

    #[test]
    fn gaps_are_found_among_mutable_and_immutable_properties() {
        let group = Property::Number(PRIOR_GROUP_ID_GAP, 3);
        let object = Property::Number(PRIOR_OBJECT_ID_GAP, 70_000);
        let other = Property::Bytes(0x21, Bytes::from_static(b"other"));
        assert_eq!(decode(&[]), Ok((None, None)));
        assert_eq!(decode(&[other.clone(), group.clone(), object.clone()]), Ok((Some(3), Some(70_000))));
        assert_eq!(decode(&[immutable(&[group]), other, object]), Ok((Some(3), Some(70_000))));
    }

    #[test]
    fn what_makes_a_track_malformed_is_told_from_what_closes_the_session() {
        let gap = Property::Number(PRIOR_GROUP_ID_GAP, 3);
        let nested = immutable(&[immutable(&[])]);
        let mandatory = Property::Number(0x4000, 1);
        let malformed: [&[Property]; 6] = [
            &[gap.clone(), gap.clone()],
            &[immutable(std::slice::from_ref(&gap)), gap.clone()],
            &[immutable(&[]), immutable(&[])],
            &[nested],
            std::slice::from_ref(&mandatory),
            &[immutable(std::slice::from_ref(&mandatory))],
        ];
        for pairs in malformed {
            assert!(matches!(decode(pairs), Err(ObjectError::Malformed(_))), "{pairs:?}");
        }
        let raw: [(&[u8], Option<SessionCode>); 5] = [
            (&[0x21, 4, 1], None),
            (&[0x0b, 2, 0x21, 9], None),
            (&[0x3c], Some(SessionCode::KeyValueFormattingError)),
            (&[0x21, 0xc1, 0x00, 0x00], Some(SessionCode::ProtocolViolation)),
            (
                &[0x02, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
                Some(SessionCode::ProtocolViolation),
            ),
        ];
        for (bytes, code) in raw {
            let properties = Properties(Bytes::from_static(bytes));
            match ObjectProperties::decode(&properties) {
                Err(ObjectError::Malformed(_)) => assert_eq!(code, None, "{bytes:?}"),
                Err(ObjectError::Wire(error)) => assert_eq!(Some(error.code), code, "{bytes:?}"),
                other => panic!("{bytes:?}: {other:?}"),
            }
        }
    }
}
