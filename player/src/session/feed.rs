//! A media track that is subscribed to: at one relay, and while the player goes from one to another, at both.

use shared::moqt::{Received, Subscription};

use super::{
    FeedId,
    merge::{Merge, Source},
};

/// A subscription to a media track, with the one before it as long as that has something to give.
pub(super) struct Feed {
    pub(super) id: FeedId,
    pub(super) name: String,
    subscription: Subscription,
    /// The same track at the relay that is left.
    former: Option<Subscription>,
    merge: Merge,
    /// The relay that is left had time enough to give what it has.
    is_former_spent: bool,
}

impl Feed {
    pub(super) fn new(id: FeedId, name: String, subscription: Subscription) -> Self {
        Self { id, name, subscription, former: None, merge: Merge::default(), is_former_spent: false }
    }

    /// The subscription that is to last.
    pub(super) fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// The next thing of the track, whichever relay it comes from. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Option<Received> {
        loop {
            let (source, received) = match &mut self.former {
                Some(former) => tokio::select! {
                    biased;
                    received = former.recv() => (Source::Former, received),
                    received = self.subscription.recv() => (Source::Latter, received),
                },
                None => (Source::Latter, self.subscription.recv().await),
            };
            match (source, received) {
                (_, Some(Received::Item(item))) => {
                    if self.merge.take(source, &item) {
                        return Some(Received::Item(item));
                    }
                }
                (Source::Former, Some(Received::Done { .. }) | None) => self.forget_former(),
                (Source::Latter, done) => return done,
            }
        }
    }

    /// Goes on with a subscription to the same track elsewhere.
    pub(super) fn move_to(&mut self, subscription: Subscription) {
        self.former = Some(std::mem::replace(&mut self.subscription, subscription));
        self.merge.moved();
        self.is_former_spent = false;
    }

    /// Called now and then: lets go of the relay that is left some time after the other has taken over.
    /// Whether it is still needed.
    pub(super) fn needs_former(&mut self) -> bool {
        if self.former.is_some()
            && self.merge.is_taken_over()
            && std::mem::replace(&mut self.is_former_spent, true)
        {
            self.forget_former();
        }
        self.former.is_some()
    }

    fn forget_former(&mut self) {
        self.former = None;
        self.merge.former_is_gone();
    }
}
