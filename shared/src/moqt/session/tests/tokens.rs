//! The token caches of both directions.

use super::*;
use crate::moqt::{
    ResetCode, TokenType,
    session::tokens::Given,
    wire::{PublishNamespace, RequestError, RequestOk, Token, TokenAlias},
};

const STREAM: Stream = Stream(0);

fn token(value: &'static str) -> AuthToken {
    AuthToken { kind: TokenType(1), value: value.into() }
}

fn register(alias: u64, value: &'static str) -> Token {
    Token::Register(TokenAlias(alias), token(value))
}

fn alias(alias: u64) -> Token {
    Token::UseAlias(TokenAlias(alias))
}

fn delete(alias: u64) -> Token {
    Token::Delete(TokenAlias(alias))
}

fn value(value: &'static str) -> Token {
    Token::UseValue(token(value))
}

/// A server that keeps so many bytes, before the peer's SETUP.
fn server(limit: u64) -> Lone {
    let now = Instant::now();
    let config = Config { max_auth_token_cache_bytes: limit, ..Config::new(Role::Server) };
    Lone { now, core: Core::new(now, &config, false) }
}

fn set_up(limit: u64) -> Lone {
    let mut lone = server(limit);
    lone.control(&Message::Setup(Setup::default()));
    lone.outputs();
    lone
}

/// The peer announces with these tokens.
fn announce(lone: &mut Lone, number: u64, tokens: Vec<Token>) {
    let (request, namespace) = (RequestId(2 * number), namespace(&["a"]));
    let parameters = Parameters { tokens, ..Parameters::default() };
    let message = PublishNamespace { request, namespace, parameters };
    lone.open(Stream(number), &Message::PublishNamespace(message));
}

#[test]
fn a_registered_token_is_good_in_later_requests_until_it_is_deleted() {
    let mut lone = set_up(100);
    announce(&mut lone, 0, vec![register(5, "a"), value("b")]);
    announce(&mut lone, 1, vec![alias(5)]);
    announce(&mut lone, 2, vec![delete(5), register(5, "c")]);
    announce(&mut lone, 3, vec![alias(5)]);
    let tokens: Vec<_> = (0..4).map(|n| lone.core.take_tokens(Stream(n))).collect();
    assert_eq!(tokens, [vec![token("a"), token("b")], vec![token("a")], vec![token("c")], vec![token("c")]]);
    assert_eq!(lone.core.take_tokens(STREAM), []);
    assert_eq!(lone.closed(), None);
}

#[test]
fn a_registration_counts_even_where_its_request_is_refused() {
    let mut lone = set_up(100);
    lone.core.goaway(lone.now, "", Duration::ZERO);
    announce(&mut lone, 0, vec![register(1, "a")]);
    assert!(lone.said(STREAM).1, "refused");
    announce(&mut lone, 1, vec![register(1, "b")]);
    assert_eq!(lone.closed(), Some(SessionCode::DuplicateAuthTokenAlias));
}

#[test]
fn a_token_costs_its_value_and_sixteen_bytes() {
    for (limit, code) in [(37, None), (36, Some(SessionCode::AuthTokenCacheOverflow))] {
        let mut lone = set_up(limit);
        announce(&mut lone, 0, vec![register(1, "aa"), register(2, "bbb")]);
        assert_eq!(lone.closed(), code, "{limit}");
    }
    let mut lone = set_up(18);
    for number in 0..10 {
        announce(&mut lone, number, vec![register(number, "aa"), delete(number)]);
    }
    assert_eq!(lone.closed(), None);
}

#[test]
fn what_cannot_be_done_with_an_alias_closes_the_session_with_its_code() {
    for (limit, tokens, code) in [
        (100, vec![alias(1)], SessionCode::UnknownAuthTokenAlias),
        (100, vec![delete(1)], SessionCode::UnknownAuthTokenAlias),
        (100, vec![register(1, "a"), delete(1), alias(1)], SessionCode::UnknownAuthTokenAlias),
        (100, vec![register(1, "a"), register(1, "b")], SessionCode::DuplicateAuthTokenAlias),
        (0, vec![register(1, "")], SessionCode::AuthTokenCacheOverflow),
    ] {
        let mut lone = set_up(limit);
        announce(&mut lone, 0, tokens.clone());
        assert_eq!(lone.closed(), Some(code), "{tokens:?}");
    }
}

#[test]
fn one_token_twice_in_a_message_is_refused_as_malformed() {
    for tokens in [vec![value("a"), value("a")], vec![register(1, "a"), alias(1)]] {
        let mut lone = set_up(100);
        announce(&mut lone, 0, tokens);
        let (said, is_finished) = lone.said(STREAM);
        assert!(is_finished);
        assert!(matches!(&said[..], [Message::RequestError(e)] if e.code == RequestCode::MalformedAuthToken));
    }
}

#[test]
fn a_token_in_setup_that_does_not_fit_is_used_and_not_kept() {
    let mut lone = server(17);
    let tokens = vec![register(1, "a"), register(2, "b"), value("c")];
    lone.control(&Message::Setup(Setup { tokens, ..Setup::default() }));
    assert_eq!(lone.core.peer().tokens, [token("a"), token("b"), token("c")]);
    announce(&mut lone, 0, vec![alias(1)]);
    assert_eq!(lone.core.take_tokens(STREAM), [token("a")]);
    announce(&mut lone, 1, vec![alias(2)]);
    assert_eq!(lone.closed(), Some(SessionCode::UnknownAuthTokenAlias));

    for limit in [17, 100] {
        let mut twice = server(limit);
        let tokens = vec![register(1, "a"), register(1, "b")];
        twice.control(&Message::Setup(Setup { tokens, ..Setup::default() }));
        assert_eq!(twice.closed(), Some(SessionCode::DuplicateAuthTokenAlias));
    }
}

#[test]
fn our_setup_says_our_tokens_and_what_is_kept_of_theirs() {
    let now = Instant::now();
    let tokens = vec![token("a"), token("b"), token("a")];
    let config = Config { tokens, max_auth_token_cache_bytes: 99, ..Config::new(Role::Client) };
    let mut client = Core::new(now, &config, false);
    let Some(Output::Control(bytes)) = client.poll() else { panic!("no SETUP") };
    let Ok(Some(Message::Setup(setup))) = Message::decode(&mut BytesMut::from(&bytes[..])) else {
        panic!("no SETUP")
    };
    assert_eq!(setup.tokens, [value("a"), value("b")]);
    assert_eq!(setup.max_auth_token_cache_size, 99);
    let mut server = server(0);
    server.control(&Message::Setup(setup));
    assert_eq!(server.core.peer().tokens, [token("a"), token("b")]);
}

/// What a request of ours says of its tokens.
fn said_tokens(lone: &mut Lone, stream: Stream) -> Vec<Token> {
    match lone.said(stream).0.pop() {
        Some(Message::PublishNamespace(message)) => message.parameters.tokens,
        other => panic!("{other:?}"),
    }
}

fn ask(lone: &mut Lone, number: u64, tokens: &[&'static str]) -> Vec<Token> {
    lone.core.carry(tokens.iter().map(|&value| token(value)).collect());
    lone.core.announce(Stream(number), namespace(&["a"])).expect("asked");
    said_tokens(lone, Stream(number))
}

/// A client whose peer keeps so many bytes.
fn client(limit: u64) -> Lone {
    let now = Instant::now();
    let mut lone = Lone { now, core: Core::new(now, &Config::new(Role::Client), false) };
    lone.control(&Message::Setup(Setup { max_auth_token_cache_size: limit, ..Setup::default() }));
    lone.outputs();
    lone
}

#[test]
fn a_token_is_sent_once_and_named_by_its_alias_after_the_answer() {
    let mut lone = client(100);
    assert_eq!(ask(&mut lone, 0, &["a", "a"]), [register(0, "a")]);
    // The peer may see this one first.
    assert_eq!(ask(&mut lone, 1, &["a"]), [value("a")]);
    lone.say(STREAM, &Message::RequestOk(RequestOk::default()));
    assert_eq!(ask(&mut lone, 2, &["b", "a"]), [register(1, "b"), alias(0)]);
    // A refusal is an answer too.
    let code = RequestCode::Unauthorized;
    let error = RequestError { code, retry_after: None, reason: String::new(), redirect: None };
    lone.say(Stream(2), &Message::RequestError(error));
    assert_eq!(ask(&mut lone, 3, &["b"]), [alias(1)]);
    // Without tokens a request has none.
    assert_eq!(ask(&mut lone, 4, &[]), []);
}

#[test]
fn nothing_is_registered_with_a_peer_that_keeps_nothing() {
    let mut lone = client(0);
    assert_eq!(ask(&mut lone, 0, &["a"]), [value("a")]);
    lone.say(STREAM, &Message::RequestOk(RequestOk::default()));
    assert_eq!(ask(&mut lone, 1, &["a"]), [value("a")]);
}

#[test]
fn an_idle_token_makes_room_and_one_in_use_does_not() {
    let mut given = Given::default();
    given.allow(34);
    let write =
        |given: &mut Given, stream: u64, value: &'static str| given.write(Stream(stream), &[token(value)]);
    assert_eq!(write(&mut given, 0, "a"), [register(0, "a")]);
    assert_eq!(write(&mut given, 1, "b"), [register(1, "b")]);
    // Neither is answered.
    assert_eq!(write(&mut given, 2, "c"), [value("c")]);
    given.answered(Stream(0));
    given.answered(Stream(1));
    assert_eq!(write(&mut given, 3, "a"), [alias(0)]);
    assert_eq!(write(&mut given, 4, "c"), [delete(1), value("c")]);
    // There is room only once the peer surely deleted it.
    assert_eq!(write(&mut given, 5, "c"), [value("c")]);
    given.answered(Stream(4));
    assert_eq!(write(&mut given, 6, "c"), [register(2, "c")]);
    given.answered(Stream(6));
    // Request 3 uses the other one still.
    assert_eq!(write(&mut given, 7, "d"), [delete(2), value("d")]);
    // A token that never fits drives out nothing.
    given.answered(Stream(3));
    assert_eq!(
        write(&mut given, 8, "a long one, which does not fit"),
        [value("a long one, which does not fit")]
    );
}

#[test]
fn what_a_cancelled_request_said_of_tokens_is_not_relied_on() {
    let mut given = Given::default();
    given.allow(34);
    given.write(Stream(0), &[token("a")]);
    given.gone(Stream(0));
    assert_eq!(given.write(Stream(1), &[token("a")]), [value("a")]);
    given.write(Stream(2), &[token("b")]);
    given.answered(Stream(2));
    assert_eq!(given.write(Stream(3), &[token("b")]), [alias(1)]);
    given.gone(Stream(3));
    // It may be used, and not deleted: a message that uses it may still arrive.
    assert_eq!(given.write(Stream(4), &[token("b")]), [alias(1)]);
    given.answered(Stream(4));
    assert_eq!(given.write(Stream(5), &[token("c")]), [value("c")]);
}

#[test]
fn aliases_of_both_sides_are_apart_and_tokens_arrive_whole() {
    let mut pair = Pair::new();
    for (number, expected) in [(1, vec![token("a")]), (2, vec![token("a"), token("b")])] {
        let stream = Stream(number);
        pair.client.carry(expected.clone());
        pair.client.announce(stream, namespace(&["a"])).expect("asked");
        pair.run();
        assert_eq!(pair.server.take_tokens(stream), expected);
        pair.server.grant(stream);
        pair.run();
    }
    pair.server.carry(vec![token("c")]);
    pair.server.announce(Stream(9), namespace(&["c"])).expect("asked");
    pair.run();
    assert_eq!(pair.client.take_tokens(Stream(9)), [token("c")]);
    pair.client.cancel(Stream(9), ResetCode::Cancelled);
    assert!(pair.run().server.iter().all(|output| !matches!(output, Output::Close(_))));
}
