//! Padding that this side sends (draft-18 §11.5): what probes a path and carries nothing.

use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;

use super::{Session, Shared};
use crate::{
    moqt::{SessionError, priority, wire::padding},
    transport::StreamError,
};

/// Zeros handed over at once.
static ZEROS: [u8; 16 << 10] = [0; 16 << 10];

impl Session {
    /// Sends so many zeros on a stream of their own, which every other stream goes before, and waits until
    /// the connection has taken them. Dropping the future resets the stream. The peer may stop it; that is
    /// no error (draft-18 §11.5.1).
    ///
    /// # Errors
    /// [`SessionError`] where the session ended first.
    pub async fn send_padding(&self, bytes: u64) -> Result<(), SessionError> {
        let Shared { connection, .. } = Arc::as_ref(&self.shared);
        let mut stream = connection.open_uni().await.map_err(|_| self.shared.error())?;
        stream.set_order(priority::PADDING);
        let mut left = bytes;
        let mut chunks = [padding::stream_header(), Bytes::new()];
        loop {
            if chunks[1].is_empty() {
                let count = left.min(ZEROS.len() as u64);
                chunks[1] = Bytes::from_static(&ZEROS[..count as usize]);
                left -= count;
            }
            if chunks.iter().all(Bytes::is_empty) {
                stream.finish();
                return Ok(());
            }
            match poll_fn(|cx| stream.poll_write(cx, &mut chunks)).await {
                Ok(_) => {}
                Err(StreamError::Peer(_) | StreamError::Ended) => return Ok(()),
                Err(StreamError::Connection) => return Err(self.shared.error()),
            }
        }
    }

    /// Sends a datagram of so many bytes that carries nothing (draft-18 §11.5.2). One that the path does not
    /// take is let go.
    pub fn send_padding_datagram(&self, bytes: usize) {
        // It is there for the path: where it does not fit, the path has said what was asked.
        let _ = self.shared.connection.send_datagram(padding::datagram(bytes));
    }
}
