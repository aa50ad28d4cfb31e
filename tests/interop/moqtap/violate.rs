//! What the draft forbids: the relay ends the session with the draft's code and says why.
//!
//! The client would refuse to say most of it: its transport and its codec are used without its session.

use anyhow::{Context, Result, ensure};
use moqtap_client::transport::{RecvStream, SendStream, Transport};
use moqtap_codec::{
    draft18::{
        error_codes::SessionErrorCode as Code,
        message::{ControlMessage, Publish, PublishNamespace, RequestOk, Setup, Subscribe},
    },
    kvp::KeyValuePair,
};
use tests::world::{Over, World};

use super::{
    client::{TRANSPORTS, dial, end_of},
    wire::{bytes, namespace, number, var},
};

/// Where something is said.
enum Said {
    /// First of all, instead of SETUP.
    First(Vec<u8>),
    /// On the control stream, after SETUP.
    Control(Vec<u8>),
    /// Each on a bidirectional stream of its own.
    Requests(Vec<Vec<u8>>),
    /// On a unidirectional stream.
    Stream(Vec<u8>),
    /// In a datagram.
    Datagram(Vec<u8>),
    /// The control stream ends.
    End,
}

use Said::{Control, Datagram, End, First, Requests, Stream};

fn encoded(message: &ControlMessage) -> Vec<u8> {
    let mut output = Vec::new();
    message.encode(&mut output).expect("what the codec writes");
    output
}

fn setup(options: Vec<KeyValuePair>) -> Vec<u8> {
    encoded(&ControlMessage::Setup(Setup { options }))
}

fn subscribe(id: u64, parameters: Vec<KeyValuePair>) -> Vec<u8> {
    let (track_namespace, track_name) = (namespace("lab"), b"notes".to_vec());
    encoded(&ControlMessage::Subscribe(Subscribe {
        request_id: var(id),
        track_namespace,
        track_name,
        parameters,
    }))
}

/// SUBSCRIBE with its parameters as bytes: their number, and each.
fn subscribe_with(parameters: &[u8]) -> Vec<u8> {
    framed(0x03, &[b"\x00\x01\x03lab\x05notes", parameters].concat())
}

fn publish(id: u64, track: &str) -> Vec<u8> {
    encoded(&ControlMessage::Publish(Publish {
        request_id: var(id),
        track_namespace: namespace("lab"),
        track_name: track.into(),
        track_alias: var(9),
        parameters: Vec::new(),
        track_properties: Vec::new(),
    }))
}

/// PUBLISH_NAMESPACE with an authorization token.
fn authorized(token: &[u8]) -> Vec<u8> {
    let (request_id, track_namespace) = (var(0), namespace("lab"));
    let parameters = vec![bytes(0x03, token)];
    encoded(&ControlMessage::PublishNamespace(PublishNamespace { request_id, track_namespace, parameters }))
}

/// PUBLISH_NAMESPACE with a namespace as bytes.
fn publish_namespace(namespace: &[u8]) -> Vec<u8> {
    framed(0x06, &[b"\x00", namespace, b"\x00"].concat())
}

/// A message of a type below 0x80.
fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short message");
    [&[kind], &length.to_be_bytes()[..], payload].concat()
}

/// What is said, and the code that answers it, of all that both transports know.
fn violations() -> Vec<(&'static str, Said, Code)> {
    use Code::{
        DuplicateTrackAlias, InvalidRequestId, KeyValueFormattingError, ProtocolViolation,
        UnknownAuthTokenAlias,
    };
    let ok =
        || encoded(&ControlMessage::RequestOk(RequestOk { parameters: vec![], track_properties: vec![] }));
    vec![
        ("SETUP twice", Control(setup(vec![])), ProtocolViolation),
        ("an answer on the control stream", Control(ok()), ProtocolViolation),
        ("a message that there is not", Control(framed(0x7e, b"what")), ProtocolViolation),
        ("a request on the control stream", Control(subscribe(0, vec![])), ProtocolViolation),
        (
            "GOAWAY that is longer than what stands in it",
            Control(framed(0x10, b"\x00\x00\x01xyz")),
            ProtocolViolation,
        ),
        ("the end of the control stream", End, ProtocolViolation),
        ("an answer as a request", Requests(vec![ok()]), ProtocolViolation),
        ("a request ID of the other side", Requests(vec![subscribe(1, vec![])]), InvalidRequestId),
        ("a request ID twice", Requests(vec![publish(0, "a"), subscribe(0, vec![])]), InvalidRequestId),
        ("an alias for two tracks", Requests(vec![publish(0, "a"), publish(2, "b")]), DuplicateTrackAlias),
        (
            "a parameter that there is not",
            Requests(vec![subscribe_with(b"\x01\x3d\x01x")]),
            ProtocolViolation,
        ),
        ("a parameter twice", Requests(vec![subscribe_with(b"\x02\x20\x05\x00\x06")]), ProtocolViolation),
        ("FORWARD 2", Requests(vec![subscribe_with(b"\x01\x10\x02")]), ProtocolViolation),
        ("GROUP_ORDER 3", Requests(vec![subscribe_with(b"\x01\x22\x03")]), ProtocolViolation),
        (
            "a filter that breaks off",
            Requests(vec![subscribe_with(b"\x01\x21\x02\x03\x01")]),
            ProtocolViolation,
        ),
        (
            "a token that breaks off",
            Requests(vec![subscribe_with(b"\x01\x03\x01\x02")]),
            KeyValueFormattingError,
        ),
        (
            "a namespace with an empty field",
            Requests(vec![publish_namespace(b"\x02\x03lab\x00")]),
            ProtocolViolation,
        ),
        (
            "a namespace of 33 fields",
            Requests(vec![publish_namespace(&[b"\x21", &b"\x01x".repeat(33)[..]].concat())]),
            ProtocolViolation,
        ),
        (
            "a token's alias that nobody registered",
            Requests(vec![authorized(b"\x02\x07")]),
            UnknownAuthTokenAlias,
        ),
        ("a stream of a type that there is not", Stream(vec![0x00, 0x00]), ProtocolViolation),
        ("a subgroup of the reserved mode", Stream(vec![0x16, 0x01, 0x01, 0x01]), ProtocolViolation),
        ("a datagram of a type that there is not", Datagram(vec![0x10, 0x00, 0x00, 0x00]), ProtocolViolation),
        (
            "a state that ends its group",
            Datagram(vec![0x22, 0x00, 0x00, 0x00, 0x40, 0x03]),
            ProtocolViolation,
        ),
    ]
}

/// As [`violations`], of what SETUP says of the URL: that is for raw QUIC alone.
fn setups(over: Over) -> Vec<(&'static str, Said, Code)> {
    let (path, authority) = (
        |value: &[u8]| First(setup(vec![bytes(0x01, value)])),
        |value: &[u8]| First(setup(vec![bytes(0x05, value)])),
    );
    match over {
        Over::Quic => vec![
            ("a PATH that is none", path(b"lab"), Code::MalformedPath),
            ("an AUTHORITY that is none", authority(b"a b"), Code::MalformedAuthority),
        ],
        Over::WebTransport => vec![
            ("PATH", path(b"/lab"), Code::InvalidPath),
            ("AUTHORITY", authority(b"localhost"), Code::InvalidAuthority),
        ],
    }
}

/// Says it. What is given has to be held: dropping a stream says something, too.
async fn say(transport: &Transport, said: Said) -> Result<Vec<(SendStream, Option<RecvStream>)>> {
    let mut held = Vec::new();
    let mut control = transport.open_uni().await?;
    let first = match &said {
        First(first) => first.clone(),
        _ => setup(vec![number(0x7f00, 1)]),
    };
    control.write_all(&first).await?;
    match said {
        First(_) => {}
        Control(message) => control.write_all(&message).await?,
        End => control.finish()?,
        Requests(requests) => {
            for request in requests {
                let (mut send, receive) = transport.open_bi().await?;
                send.write_all(&request).await?;
                held.push((send, Some(receive)));
            }
        }
        Stream(start) => {
            let mut send = transport.open_uni().await?;
            send.write_all(&start).await?;
            held.push((send, None));
        }
        Datagram(datagram) => transport.send_datagram(datagram.into())?,
    }
    held.push((control, None));
    Ok(held)
}

#[tokio::test]
async fn each_violation_ends_the_session_with_its_code() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        for (what, said, code) in violations().into_iter().chain(setups(over)) {
            let transport = dial(&world, over).await?;
            let closed = transport.closed().context("a future")?;
            let _held = say(&transport, said).await.with_context(|| format!("{over:?}: {what}"))?;
            let (got, said) = end_of(closed).await.with_context(|| format!("{over:?}: {what}"))?;
            let has_reason =
                said.split_once("by peer: ").is_some_and(|(_, why)| why.starts_with(char::is_alphabetic));
            ensure!(
                got == code as u64 && has_reason,
                "{over:?}: {what}: expected {code:?} and a reason: {got:#x}, {said:?}"
            );
        }
    }
    Ok(())
}
