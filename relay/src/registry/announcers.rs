//! Who announced a namespace (draft-18 §9.5): of several sessions one is used, the others stand by.

use std::{collections::BTreeMap, sync::Arc};

use shared::moqt::Namespace;

use super::source::Source;

/// Sessions that may have announced one namespace at one time; past it the one that stands by longest is
/// forgotten.
const MAX_EACH: usize = 8;

/// The announced namespaces, each with its publishers: the one that is used is last, which is the newest
/// until it fails.
#[derive(Debug, Default)]
pub(super) struct Announcers(BTreeMap<Namespace, Vec<Arc<Source>>>);

/// What became of one that left.
#[derive(Debug)]
pub(super) enum Left {
    /// It was none of them, or stood by.
    Unused,
    /// It was used; whoever stood by is used now.
    Used(Option<Arc<Source>>),
}

impl Announcers {
    /// Namespaces that are announced.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Who is asked for what is in a namespace.
    pub(super) fn used(&self, namespace: &Namespace) -> Option<&Arc<Source>> {
        self.0.get(namespace)?.last()
    }

    /// Whoever is used of each namespace.
    pub(super) fn all_used(&self) -> impl Iterator<Item = (&Namespace, &Arc<Source>)> {
        self.0.iter().filter_map(|(namespace, sources)| Some((namespace, sources.last()?)))
    }

    /// All who announced a namespace, whoever is used last.
    pub(super) fn of(&self, namespace: &Namespace) -> &[Arc<Source>] {
        self.0.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// All of all.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.0.values().flatten()
    }

    /// Has this one used from now on; gives the one that was, where it was another.
    pub(super) fn prefer(&mut self, namespace: &Namespace, source: &Arc<Source>) -> Option<Arc<Source>> {
        let sources = self.0.entry(namespace.clone()).or_default();
        let before = sources.last().filter(|before| !Arc::ptr_eq(before, source)).cloned();
        sources.retain(|other| !Arc::ptr_eq(other, source));
        if sources.len() >= MAX_EACH {
            sources.remove(0);
        }
        sources.push(Arc::clone(source));
        before
    }

    /// One has failed: it is used last of all. Gives who is used instead; `None` where it was not used, or
    /// nobody stands by.
    pub(super) fn demote(&mut self, namespace: &Namespace, failed: &Arc<Source>) -> Option<Arc<Source>> {
        let sources = self.0.get_mut(namespace)?;
        if sources.len() < 2 || !Arc::ptr_eq(sources.last()?, failed) {
            return None;
        }
        sources.rotate_right(1);
        sources.last().cloned()
    }

    /// One has left.
    pub(super) fn remove(&mut self, namespace: &Namespace, source: &Arc<Source>) -> Left {
        let Some(sources) = self.0.get_mut(namespace) else { return Left::Unused };
        let was_used = sources.last().is_some_and(|used| Arc::ptr_eq(used, source));
        sources.retain(|other| !Arc::ptr_eq(other, source));
        let now = sources.last().cloned();
        if sources.is_empty() {
            self.0.remove(namespace);
        }
        if was_used { Left::Used(now) } else { Left::Unused }
    }
}
