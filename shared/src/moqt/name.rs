//! Namespaces, track names and the IDs inside a track (draft-18 §2).

use std::{fmt, sync::Arc};

use bytes::Bytes;

/// Most fields that a namespace may have (draft-18 §2.4.1).
pub const MAX_NAMESPACE_FIELDS: usize = 32;
/// Most bytes that a namespace and a track name may have together (draft-18 §2.4.1).
pub const MAX_FULL_NAME_BYTES: usize = 4096;

/// A track namespace: a tuple of byte strings. Cloning counts a reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<[Bytes]>);

impl Namespace {
    /// A namespace of these fields. Limits are the wire's to check, since there they can be broken.
    pub fn new<F: Into<Bytes>>(fields: impl IntoIterator<Item = F>) -> Self {
        Self(fields.into_iter().map(Into::into).collect())
    }

    /// The fields in order.
    pub fn fields(&self) -> &[Bytes] {
        &self.0
    }

    /// Whether it belongs to the session and not to the application (draft-18 §3.2.1, §3.2.2): its first
    /// field is `.` or `.session`. No extension that defines one is known here, so that none exists.
    pub fn is_of_the_session(&self) -> bool {
        self.0.first().is_some_and(|first| *first == b"."[..] || *first == b".session"[..])
    }

    /// Whether `prefix` is this namespace or one above it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// This namespace and those above it, the longest first: what a publisher of it may have announced
    /// (draft-18 §9.5).
    pub fn upwards(&self) -> impl Iterator<Item = Self> {
        (1..=self.0.len()).rev().map(|fields| Self(self.0[..fields].into()))
    }

    /// The fields after `prefix`; `None` where it is no prefix.
    pub fn suffix_of(&self, prefix: &Self) -> Option<Self> {
        self.0.strip_prefix(&*prefix.0).map(|rest| Self(rest.into()))
    }

    /// This namespace with `suffix` appended.
    pub fn join(&self, suffix: &Self) -> Self {
        Self(self.0.iter().chain(suffix.0.iter()).cloned().collect())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            write!(f, "{}", field.escape_ascii())?;
        }
        Ok(())
    }
}

/// The full name of a track.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackName {
    /// The namespace that the track is in.
    pub namespace: Namespace,
    /// The name inside the namespace.
    pub name: Bytes,
}

impl fmt::Display for TrackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name.escape_ascii())
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A group in a track; later groups have larger IDs (draft-18 §3.3).
    GroupId
}
id! {
    /// A subgroup in a group: one QUIC stream (draft-18 §3.2).
    SubgroupId
}
id! {
    /// An object in a group (draft-18 §3.1).
    ObjectId
}

/// How urgent something is: lower is more urgent (draft-18 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u8);

impl Default for Priority {
    /// 128, the draft's default for subscribers and publishers.
    fn default() -> Self {
        Self(128)
    }
}

/// A place in a track: a group and an object in it (draft-18 §1.4.2). Ordered by group, then object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Location {
    /// The group.
    pub group: GroupId,
    /// The object in the group.
    pub object: ObjectId,
}

impl Location {
    /// Object `object` of group `group`.
    pub const fn new(group: u64, object: u64) -> Self {
        Self { group: GroupId(group), object: ObjectId(object) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.group, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_fields() {
        let stage = Namespace::new(["room", "demo", "stage"]);
        let room = Namespace::new(["room", "demo"]);
        assert!(stage.starts_with(&room) && stage.starts_with(&stage));
        assert!(!stage.starts_with(&Namespace::new(["room", "de"])));
        assert_eq!(stage.suffix_of(&room).map(|s| room.join(&s)), Some(stage.clone()));
        assert_eq!(room.suffix_of(&stage), None);
        let upwards = [stage.clone(), room, Namespace::new(["room"])];
        assert_eq!(stage.upwards().collect::<Vec<_>>(), upwards);
    }

    #[test]
    fn only_two_first_fields_are_the_sessions() {
        for (fields, is_of_the_session) in [
            (&["."][..], true),
            (&[".", "a"], true),
            (&[".session"], true),
            (&[".session", "a"], true),
            (&[], false),
            (&[".other"], false),
            (&[".sessions"], false),
            (&["a", ".session"], false),
        ] {
            let namespace = Namespace::new(fields.iter().copied());
            assert_eq!(namespace.is_of_the_session(), is_of_the_session, "{namespace}");
        }
    }

    #[test]
    fn names_print_as_one_reads_them() {
        let name =
            TrackName { namespace: Namespace::new(["room", "a b"]), name: Bytes::from_static(b"\xff") };
        assert_eq!(name.to_string(), r"room/a b/\xff");
    }
}
