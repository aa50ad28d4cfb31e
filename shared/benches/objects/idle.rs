//! What a session holds that does nothing.

use shared::{
    moqt::{self, Config, Role},
    transport::memory,
};

use crate::count;

/// Pairs of sessions.
const PAIRS: usize = 200;
/// Bytes that a session may hold.
const TARGET: i64 = 8 << 10;

/// Prints the bytes of a session, those of its connection left out.
pub(crate) fn run(runtime: &tokio::runtime::Runtime) {
    runtime.block_on(async {
        let before = count::live();
        let connections: Vec<_> = (0..PAIRS).map(|_| memory::pair()).collect();
        let alone = count::live() - before;
        let mut sessions = Vec::with_capacity(PAIRS);
        let before = count::live();
        for (client, server) in connections {
            let (client, server) = tokio::join!(
                moqt::start(client, Config::new(Role::Client)),
                moqt::start(server, Config::new(Role::Server))
            );
            sessions.push((client.expect("set up"), server.expect("set up")));
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let each = (count::live() - before) / (2 * PAIRS) as i64;
        let connection = alone / (2 * PAIRS) as i64;
        println!(
            "an idle session: {each} bytes beside the {connection} of its connection in memory (target {TARGET})"
        );
    });
}
