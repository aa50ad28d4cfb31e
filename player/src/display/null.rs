//! No display: pictures count as shown when they are due.

use std::sync::Arc;

use shared::media::Picture;

use super::{Display, Reporter};
use crate::{state::State, stats::Report};

/// Shows nothing.
#[derive(Debug)]
pub(crate) struct Null {
    reporter: Reporter,
}

impl Null {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self { reporter }
    }
}

impl Display for Null {
    fn show(&mut self, picture: &Arc<Picture>) {
        self.reporter.shown(picture);
    }

    fn state(&mut self, state: State) {
        tracing::info!("{}", state.text());
    }

    fn report(&mut self, _: &Report) {}

    fn close(&mut self) {}
}
