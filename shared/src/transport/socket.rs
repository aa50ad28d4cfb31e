//! UDP sockets with room for bursts.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, warn};

/// What the kernel is asked to hold: a keyframe to each of many viewers leaves at once. It grants what
/// its limits allow (on Linux `net.core.rmem_max` and `net.core.wmem_max`).
const BUFFER_BYTES: usize = 4 << 20;

/// A server's socket. `[::]` takes IPv4 as well, and becomes `0.0.0.0` where there is no IPv6.
pub(crate) fn server(listen: SocketAddr) -> io::Result<UdpSocket> {
    match bind(listen) {
        Err(error) if listen.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(&error) => {
            warn!(%error, "no IPv6 here: listening on IPv4 only");
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, listen.port())))
        }
        bound => bound,
    }
}

/// A client's socket, on any port, that reaches `peer`.
pub(crate) fn client(peer: SocketAddr) -> io::Result<UdpSocket> {
    bind(match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    })
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6()
        && let Err(error) = socket.set_only_v6(address.ip() != Ipv6Addr::UNSPECIFIED)
    {
        debug!(%error, "this system does not serve IPv4 and IPv6 on one socket");
    }
    // Smaller buffers still work, so a refusal is no failure.
    let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(BUFFER_BYTES);
    socket.bind(&address.into())?;
    let (receive, send) = (socket.recv_buffer_size().ok(), socket.send_buffer_size().ok());
    debug!(%address, receive, send, "UDP socket with buffers in bytes");
    Ok(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    // Whatever the system calls it: a wildcard address can only be refused for its port otherwise.
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}
