//! The room as viewers and moderators see it.

use shared::room::{Role, Speaker};

/// Somebody for tests of the kinds.
pub(super) fn speaker(viewer: &str) -> Speaker {
    let role = Role::Viewer;
    Speaker { viewer: viewer.parse().expect("a viewer"), name: viewer.to_uppercase(), role }
}
