//! The token caches of both directions (draft-18 §10.2.2, §10.3.1.3).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Core, Stream};
use crate::moqt::{
    AuthToken, RequestCode, SessionCode,
    wire::{Message, Token, TokenAlias, WireError},
};

/// What a token costs beside its value (draft-18 §10.3.1.3).
const OVERHEAD: u64 = 16;
/// Tokens of ours that the peer keeps, whatever it allows for.
const MAX_GIVEN: usize = 64;

/// The tokens of a session.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) known: Known,
    pub(super) given: Given,
    /// What the next request carries.
    pub(super) carried: Vec<AuthToken>,
}

impl Tokens {
    /// The peer may register so many bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { known: Known::new(limit), given: Given::default(), carried: Vec::new() }
    }
}

/// What the peer registered.
#[derive(Debug)]
pub(super) struct Known {
    limit: u64,
    used: u64,
    tokens: HashMap<TokenAlias, AuthToken>,
}

/// The tokens of a message, or why it is to be refused.
pub(super) type Resolved = Result<Vec<AuthToken>, (RequestCode, &'static str)>;

impl Known {
    fn new(limit: u64) -> Self {
        Self { limit, used: 0, tokens: HashMap::new() }
    }

    /// Takes what stands in SETUP. A token that does not fit is used and not kept (draft-18 §10.3.1.4).
    pub(super) fn take_setup(&mut self, tokens: Vec<Token>) -> Result<Vec<AuthToken>, WireError> {
        let fits = tokens.into_iter().map(|token| match token {
            Token::Register(alias, token) if !self.has_room(&token) => {
                self.check_free(alias)?;
                Ok(token)
            }
            Token::Register(alias, token) => {
                self.register(alias, token.clone())?;
                Ok(token)
            }
            Token::UseValue(token) => Ok(token),
            Token::Delete(alias) | Token::UseAlias(alias) => Err(unknown(alias)),
        });
        fits.collect()
    }

    /// Takes what stands in a message. All of it counts, even where the message is refused.
    pub(super) fn take(&mut self, tokens: Vec<Token>) -> Result<Resolved, WireError> {
        let mut resolved = Vec::new();
        for token in tokens {
            match token {
                Token::Delete(alias) => {
                    let token = self.tokens.remove(&alias).ok_or_else(|| unknown(alias))?;
                    self.used = self.used.saturating_sub(size(&token));
                }
                Token::Register(alias, token) => {
                    self.register(alias, token.clone())?;
                    resolved.push(token);
                }
                Token::UseAlias(alias) => {
                    resolved.push(self.tokens.get(&alias).ok_or_else(|| unknown(alias))?.clone());
                }
                Token::UseValue(token) => resolved.push(token),
            }
        }
        let different: HashSet<&AuthToken> = resolved.iter().collect();
        if different.len() < resolved.len() {
            return Ok(Err((RequestCode::MalformedAuthToken, "one token stands in it twice")));
        }
        Ok(Ok(resolved))
    }

    fn has_room(&self, token: &AuthToken) -> bool {
        self.used.saturating_add(size(token)) <= self.limit
    }

    fn check_free(&self, alias: TokenAlias) -> Result<(), WireError> {
        if self.tokens.contains_key(&alias) {
            let code = SessionCode::DuplicateAuthTokenAlias;
            return Err(WireError { code, reason: format!("token alias {} is registered already", alias.0) });
        }
        Ok(())
    }

    fn register(&mut self, alias: TokenAlias, token: AuthToken) -> Result<(), WireError> {
        self.check_free(alias)?;
        if !self.has_room(&token) {
            let (code, limit) = (SessionCode::AuthTokenCacheOverflow, self.limit);
            let reason = format!("registered tokens would take more than the {limit} bytes allowed for");
            return Err(WireError { code, reason });
        }
        self.used += size(&token);
        self.tokens.insert(alias, token);
        Ok(())
    }
}

fn size(token: &AuthToken) -> u64 {
    (token.value.len() as u64).saturating_add(OVERHEAD)
}

fn unknown(alias: TokenAlias) -> WireError {
    let code = SessionCode::UnknownAuthTokenAlias;
    WireError { code, reason: format!("token alias {} is not registered", alias.0) }
}

/// What we registered with the peer. An alias counts for other streams once the message that registered
/// it is answered, and is deleted only when no message that uses it waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Given {
    limit: u64,
    used: u64,
    next: u64,
    /// Least recently used first.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    alias: TokenAlias,
    token: AuthToken,
    state: State,
    /// Requests that use it and wait for an answer.
    uses: BTreeSet<Stream>,
    deletes: Deletes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// This request's message registers it.
    Registering(Stream),
    /// The peer has it.
    Registered,
    /// This request's message deletes it.
    Deleting(Stream),
    /// A message that said so was cancelled: whether the peer has it is not known.
    Lost,
}

/// Whether an alias may be deleted at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletes {
    May,
    /// A message that used it never gets an answer.
    Never,
}

impl Given {
    /// The peer said how many bytes it keeps.
    pub(super) fn allow(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The tokens as a message on `stream` is to say them.
    pub(super) fn write(&mut self, stream: Stream, tokens: &[AuthToken]) -> Vec<Token> {
        let mut said: HashSet<&AuthToken> = HashSet::new();
        let mut written = Vec::new();
        for token in tokens.iter().filter(|token| said.insert(token)) {
            written.extend(self.write_one(stream, token, tokens));
        }
        written
    }

    /// One token, and before it the end of another where that makes room for later.
    fn write_one(&mut self, stream: Stream, token: &AuthToken, all: &[AuthToken]) -> Vec<Token> {
        if let Some(index) = self.entries.iter().position(|entry| entry.token == *token) {
            let mut entry = self.entries.remove(index);
            let is_usable = entry.state == State::Registered || entry.state == State::Registering(stream);
            let written = if is_usable {
                entry.uses.insert(stream);
                Token::UseAlias(entry.alias)
            } else {
                Token::UseValue(token.clone())
            };
            self.entries.push(entry);
            return vec![written];
        }
        let size = size(token);
        if self.entries.len() < MAX_GIVEN && self.used.saturating_add(size) <= self.limit {
            let alias = TokenAlias(self.next);
            self.next += 1;
            self.used += size;
            self.entries.push(Entry {
                alias,
                token: token.clone(),
                state: State::Registering(stream),
                uses: BTreeSet::new(),
                deletes: Deletes::May,
            });
            return vec![Token::Register(alias, token.clone())];
        }
        let idle = self.entries.iter_mut().find(|entry| {
            let is_idle = entry.state == State::Registered && entry.uses.is_empty();
            is_idle && entry.deletes == Deletes::May && !all.contains(&entry.token)
        });
        let deleted = idle.filter(|_| size <= self.limit).map(|entry| {
            entry.state = State::Deleting(stream);
            Token::Delete(entry.alias)
        });
        deleted.into_iter().chain([Token::UseValue(token.clone())]).collect()
    }

    /// All messages of ours on `stream` are answered.
    pub(super) fn answered(&mut self, stream: Stream) {
        for entry in &mut self.entries {
            entry.uses.remove(&stream);
            if entry.state == State::Registering(stream) {
                entry.state = State::Registered;
            }
        }
        let used = &mut self.used;
        self.entries.retain(|entry| {
            let is_deleted = entry.state == State::Deleting(stream);
            *used -= if is_deleted { size(&entry.token) } else { 0 };
            !is_deleted
        });
    }

    /// `stream` is over; what of it was not answered never will be.
    pub(super) fn gone(&mut self, stream: Stream) {
        for entry in &mut self.entries {
            if entry.uses.remove(&stream) {
                entry.deletes = Deletes::Never;
            }
            if entry.state == State::Registering(stream) || entry.state == State::Deleting(stream) {
                entry.state = State::Lost;
            }
        }
    }
}

impl Core {
    /// What the next request of ours carries.
    pub(crate) fn carry(&mut self, tokens: Vec<AuthToken>) {
        self.tokens.carried = tokens;
    }

    /// Puts tokens into a message of ours.
    pub(super) fn put_tokens(&mut self, stream: Stream, message: &mut Message, tokens: &[AuthToken]) {
        if let Some(parameters) = message.parameters_mut().filter(|_| !tokens.is_empty()) {
            parameters.tokens = self.tokens.given.write(stream, tokens);
        }
    }

    /// Takes the tokens out of a message of the peer's.
    pub(super) fn take_message_tokens(&mut self, message: &mut Message) -> Result<Resolved, WireError> {
        match message.parameters_mut() {
            Some(parameters) => self.tokens.known.take(std::mem::take(&mut parameters.tokens)),
            None => Ok(Ok(Vec::new())),
        }
    }

    /// The tokens that came with a request of the peer's, once.
    pub(crate) fn take_tokens(&mut self, stream: Stream) -> Vec<AuthToken> {
        self.requests.get_mut(&stream).map(|request| std::mem::take(&mut request.tokens)).unwrap_or_default()
    }
}
