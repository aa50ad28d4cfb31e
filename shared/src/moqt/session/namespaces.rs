//! Announcements on both sides (draft-18 §6, §10.15 to §10.18).

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Asked, Core, Event, Kind, Stream, violation};
use crate::moqt::{
    Namespace, NamespaceEvent, Refused, RequestCode, ResetCode,
    name::{MAX_FULL_NAME_BYTES, MAX_NAMESPACE_FIELDS},
    wire::{self, Message, Parameters, RequestOk, WireError},
};

/// The peer learns of namespaces.
#[derive(Debug)]
pub(super) struct Telling {
    prefix: Namespace,
    pub(super) is_granted: bool,
    told: BTreeSet<Namespace>,
}

/// We learn of namespaces.
#[derive(Debug)]
pub(super) struct Learning {
    prefix: Namespace,
    pub(super) is_granted: bool,
    known: BTreeSet<Namespace>,
}

/// What is subscribed to below a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// SUBSCRIBE_NAMESPACE.
    Namespaces,
    /// SUBSCRIBE_TRACKS.
    Tracks,
}

impl Telling {
    /// What is told from now on is below `prefix`; what was told outside of it is as if it never was.
    pub(super) fn set_prefix(&mut self, prefix: Namespace) {
        self.told.retain(|namespace| namespace.starts_with(&prefix));
        self.prefix = prefix;
    }
}

impl Learning {
    /// What is told from now on is below `prefix`; gives what was known outside of it.
    pub(super) fn set_prefix(&mut self, prefix: Namespace) -> Vec<Namespace> {
        let (kept, gone) =
            std::mem::take(&mut self.known).into_iter().partition(|namespace| namespace.starts_with(&prefix));
        self.known = kept;
        self.prefix = prefix;
        BTreeSet::into_iter(gone).collect()
    }
}

impl Core {
    /// Announces.
    pub(crate) fn announce(&mut self, stream: Stream, namespace: Namespace) -> Result<(), Refused> {
        self.ask(stream, Kind::Announcing { granted: false }, |request| {
            let parameters = Parameters::default();
            Message::PublishNamespace(wire::PublishNamespace { request, namespace, parameters })
        })
    }

    /// Asks to be told of namespaces.
    pub(crate) fn learn(&mut self, stream: Stream, prefix: Namespace) -> Result<(), Refused> {
        let kind =
            Kind::Learning(Learning { prefix: prefix.clone(), is_granted: false, known: BTreeSet::new() });
        self.ask(stream, kind, |request| {
            let parameters = Parameters::default();
            Message::SubscribeNamespace(wire::SubscribeNamespace { request, prefix, parameters })
        })
    }

    /// Grants an announcement, a namespace subscription or a tracks subscription of the peer's.
    pub(crate) fn grant(&mut self, stream: Stream) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        match &mut request.kind {
            Kind::Hearing { granted } if !*granted => *granted = true,
            Kind::Telling(telling) if !telling.is_granted => telling.is_granted = true,
            Kind::Offering(offering) if !offering.is_granted => offering.is_granted = true,
            _ => return,
        }
        self.send(stream, &Message::RequestOk(RequestOk::default()));
        self.apply_held(stream);
    }

    /// Tells the peer of a namespace. One that it knows already, or does not know, changes nothing.
    pub(crate) fn tell_namespace(&mut self, stream: Stream, event: NamespaceEvent) {
        let Some(request) = self.requests.get_mut(&stream) else { return };
        let Kind::Telling(telling) = &mut request.kind else { return };
        let (NamespaceEvent::Published(named) | NamespaceEvent::Withdrawn(named)) = &event;
        if named.is_of_the_session() {
            return;
        }
        let message = match event {
            NamespaceEvent::Published(namespace) => {
                let Some(suffix) = namespace.suffix_of(&telling.prefix) else { return };
                telling.told.insert(namespace).then_some(Message::Namespace(suffix))
            }
            NamespaceEvent::Withdrawn(namespace) => {
                let Some(suffix) = namespace.suffix_of(&telling.prefix) else { return };
                telling.told.remove(&namespace).then_some(Message::NamespaceDone(suffix))
            }
        };
        if let Some(message) = message {
            self.send(stream, &message);
        }
    }

    pub(super) fn learn_asked(&mut self, stream: Stream, prefix: Namespace) {
        if let Some(other) = self.overlapping(stream, Below::Namespaces, &prefix) {
            let reason = format!("the prefix overlaps with the subscribed {other}");
            return self.refuse_now(stream, RequestCode::PrefixOverlap, &reason);
        }
        let telling = Telling { prefix: prefix.clone(), is_granted: false, told: BTreeSet::new() };
        self.put(stream, Kind::Telling(telling), Asked::Learn(prefix));
    }

    /// The prefix of another subscription of the peer's to the same, namespaces or tracks, that is above or
    /// below `prefix`, or is to be.
    pub(super) fn overlapping(&self, stream: Stream, below: Below, prefix: &Namespace) -> Option<&Namespace> {
        self.requests.iter().filter(|(other, _)| **other != stream).find_map(|(_, request)| {
            let known = match (&request.kind, below) {
                (Kind::Telling(telling), Below::Namespaces) => &telling.prefix,
                (Kind::Offering(offering), Below::Tracks) => offering.prefix(),
                _ => return None,
            };
            let mut prefixes = [Some(known), request.updates.asked()].into_iter().flatten();
            prefixes.find(|other| other.starts_with(prefix) || prefix.starts_with(other))
        })
    }

    fn learning(&mut self, stream: Stream) -> Option<&mut Learning> {
        match &mut self.requests.get_mut(&stream)?.kind {
            Kind::Learning(learning) => Some(learning),
            _ => None,
        }
    }

    pub(super) fn namespace_came(&mut self, stream: Stream, suffix: &Namespace) -> Result<(), WireError> {
        let limit = self.limits.namespaces;
        let Some(learning) = self.learning(stream) else { return Ok(()) };
        let namespace = learning.prefix.join(suffix);
        if namespace.is_of_the_session() {
            // None is known here, and they are not the application's.
            return Ok(());
        }
        let bytes: usize = namespace.fields().iter().map(Bytes::len).sum();
        if namespace.fields().len() > MAX_NAMESPACE_FIELDS || bytes > MAX_FULL_NAME_BYTES {
            return Err(violation("NAMESPACE and its prefix are over 32 fields or 4096 bytes together"));
        }
        let is_known = learning.known.contains(&namespace);
        if !is_known && learning.known.len() >= limit {
            self.all_namespaces_went(stream);
            self.tell_end(stream);
            self.cancel(stream, ResetCode::ExcessiveLoad);
        } else if learning.known.insert(namespace.clone()) {
            self.tell(stream, Event::Namespace(NamespaceEvent::Published(namespace)));
        }
        Ok(())
    }

    pub(super) fn namespace_went(&mut self, stream: Stream, suffix: &Namespace) -> Result<(), WireError> {
        let Some(learning) = self.learning(stream) else { return Ok(()) };
        let namespace = learning.prefix.join(suffix);
        if namespace.is_of_the_session() {
            return Ok(());
        }
        if !learning.known.remove(&namespace) {
            return Err(violation(&format!("NAMESPACE_DONE for {namespace}, which was not published")));
        }
        self.tell(stream, Event::Namespace(NamespaceEvent::Withdrawn(namespace)));
        Ok(())
    }

    /// The end of the subscription withdraws all that it told.
    pub(super) fn all_namespaces_went(&mut self, stream: Stream) {
        for namespace in self.take_known(stream) {
            self.tell(stream, Event::Namespace(NamespaceEvent::Withdrawn(namespace)));
        }
    }

    /// What a namespace subscription of ours was told of, which is as if it never was from now on.
    pub(crate) fn take_known(&mut self, stream: Stream) -> BTreeSet<Namespace> {
        self.learning(stream).map(|learning| std::mem::take(&mut learning.known)).unwrap_or_default()
    }
}
