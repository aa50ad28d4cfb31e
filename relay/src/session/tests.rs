use super::*;

#[test]
fn a_broadcast_that_was_replaced_is_withdrawn_first() {
    let [a, b, c] = ["a", "b", "c"].map(|name| Namespace::new(["room", name]));
    let told = BTreeMap::from([(a.clone(), BroadcastId(1)), (b.clone(), BroadcastId(2))]);
    let now = BTreeMap::from([(b.clone(), BroadcastId(3)), (c.clone(), BroadcastId(4))]);
    use NamespaceEvent::{Published, Withdrawn};
    assert_eq!(difference(&told, &now), [Withdrawn(a), Withdrawn(b.clone()), Published(b), Published(c)]);
    assert_eq!(difference(&now, &now), []);
}
