//! What lets a server that comes back after a crash end its earlier connections at once: stateless resets
//! (RFC 9000 §10.3) that it can still make. Its peers would wait for their idle timeout otherwise.

use std::{sync::Arc, time::Duration};

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};

use super::tls::Identity;

/// Resets are at most sent so often, whatever packets of no connection come.
const RESET_INTERVAL: Duration = Duration::from_millis(2);

/// For a server with this certificate on this port. Its reset tokens stay the same as long as both do.
pub(super) fn endpoint_config(identity: &Identity, port: u16) -> EndpointConfig {
    let secret = identity.secret(format!("stateless reset, port {port}").as_bytes());
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)));
    config.cid_generator(|| Box::new(Random(SystemRandom::new()))).min_reset_interval(RESET_INTERVAL);
    config
}

/// Connection IDs that any run of a server takes for possible ones. quinn's own are signed with a key of
/// the run, and packets of an earlier run are then ignored.
struct Random(SystemRandom);

impl ConnectionIdGenerator for Random {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; LENGTH];
        self.0.fill(&mut bytes).expect("the system gives random numbers");
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

const LENGTH: usize = 8;
