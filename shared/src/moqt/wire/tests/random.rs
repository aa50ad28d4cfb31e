//! Random messages and objects from a seed.

use std::time::Duration;

use bytes::Bytes;

use super::super::*;
use crate::moqt::{
    DoneCode, Filter, GroupId, GroupOrder, Location, Namespace, Object, ObjectId, Priority, Properties,
    RequestCode, Status, Subgroup, SubgroupId, TrackName,
};

/// A splitmix64 generator.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Of any length on the wire, as likely short as long.
    pub(super) fn integer(&mut self) -> u64 {
        self.next() >> self.below(64)
    }

    pub(super) fn bytes(&mut self, limit: u64) -> Bytes {
        let length = self.below(limit + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        (0..self.below(20)).map(|_| char::from(b' ' + self.below(90) as u8)).collect()
    }

    fn duration(&mut self) -> Duration {
        Duration::from_millis(1 + (self.integer() >> 1))
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flip() { Some(make(self)) } else { None }
    }

    fn location(&mut self) -> Location {
        Location::new(self.integer(), self.integer())
    }

    fn request(&mut self) -> RequestId {
        RequestId(self.integer())
    }

    fn namespace(&mut self) -> Namespace {
        let fields: Vec<Bytes> = (0..self.below(5))
            .map(|_| {
                let mut field = vec![b'f'];
                field.extend_from_slice(&self.bytes(20));
                field.into()
            })
            .collect();
        Namespace::new(fields)
    }

    fn track(&mut self) -> TrackName {
        TrackName { namespace: self.namespace(), name: self.bytes(20) }
    }

    pub(super) fn properties(&mut self) -> Properties {
        let mut pairs = Vec::new();
        let mut key = 0u64;
        for _ in 0..self.below(4) {
            key += self.below(300);
            pairs.push(match key % 2 {
                0 => Property::Number(key, self.integer()),
                _ => Property::Bytes(key, self.bytes(40)),
            });
        }
        Properties::from_pairs(&pairs)
    }

    fn order(&mut self) -> GroupOrder {
        if self.flip() { GroupOrder::Ascending } else { GroupOrder::Descending }
    }

    fn filter(&mut self) -> Filter {
        match self.below(4) {
            0 => Filter::LargestObject,
            1 => Filter::NextGroupStart,
            2 => Filter::AbsoluteStart(self.location()),
            _ => {
                let start = self.location();
                Filter::AbsoluteRange(start, GroupId(start.group.0.saturating_add(self.integer())))
            }
        }
    }

    /// A token with a value, registered or not: SETUP allows no other.
    fn token(&mut self) -> Token {
        let mut token = if self.flip() { vec![1, self.below(128) as u8] } else { vec![3] };
        token.push(self.below(128) as u8);
        token.extend_from_slice(&self.bytes(50));
        super::token(&token)
    }

    fn tokens(&mut self) -> Vec<Token> {
        (0..self.below(3)).map(|_| self.token()).collect()
    }

    /// Those of SUBSCRIBE, with or without the ones that REQUEST_OK cannot have.
    fn subscriber_parameters(&mut self) -> Parameters {
        Parameters {
            object_timeout: self.maybe(Self::duration),
            subgroup_timeout: self.maybe(Self::duration),
            forward: self.maybe(Self::flip),
            priority: self.maybe(|random| Priority(random.next() as u8)),
            filter: self.maybe(Self::filter),
            new_group: self.maybe(|random| GroupId(random.integer())),
            ..Parameters::default()
        }
    }

    fn publisher_parameters(&mut self) -> Parameters {
        Parameters {
            expires: self.maybe(Self::duration),
            largest: self.maybe(Self::location),
            ..Parameters::default()
        }
    }

    fn token_parameters(&mut self) -> Parameters {
        Parameters { tokens: self.tokens(), ..Parameters::default() }
    }

    pub(super) fn message(&mut self) -> Message {
        match self.below(18) {
            0 => Message::Setup(Setup {
                path: self.maybe(|random| random.bytes(20)),
                authority: self.maybe(|random| random.bytes(20)),
                max_auth_token_cache_size: self.integer(),
                tokens: self.tokens(),
                implementation: self.maybe(|random| random.bytes(20)),
                grease: None,
            }),
            1 => Message::Goaway(Goaway {
                uri: self.text(),
                timeout: self.duration(),
                request: self.maybe(Self::request),
            }),
            2 => Message::Subscribe(Subscribe {
                request: self.request(),
                track: self.track(),
                parameters: Parameters {
                    tokens: self.tokens(),
                    rendezvous_timeout: self.maybe(Self::duration),
                    order: self.maybe(Self::order),
                    ..self.subscriber_parameters()
                },
            }),
            3 => Message::SubscribeOk(SubscribeOk {
                alias: TrackAlias(self.integer()),
                parameters: self.publisher_parameters(),
                properties: self.properties(),
            }),
            4 => Message::RequestUpdate(RequestUpdate {
                request: self.request(),
                parameters: Parameters {
                    tokens: self.tokens(),
                    prefix: self.maybe(Self::namespace),
                    ..self.subscriber_parameters()
                },
            }),
            5 => Message::Publish(Publish {
                request: self.request(),
                track: self.track(),
                alias: TrackAlias(self.integer()),
                parameters: Parameters {
                    tokens: self.tokens(),
                    forward: self.maybe(Self::flip),
                    ..self.publisher_parameters()
                },
                properties: self.properties(),
            }),
            6 => Message::PublishDone(PublishDone {
                code: DoneCode(self.integer()),
                streams: self.integer(),
                reason: self.text(),
            }),
            7 => Message::Fetch(Fetch {
                request: self.request(),
                range: match self.below(3) {
                    0 => WireFetchRange::Standalone {
                        track: self.track(),
                        start: self.location(),
                        end: self.location(),
                    },
                    1 => WireFetchRange::Relative { joining: self.request(), groups: self.integer() },
                    _ => WireFetchRange::Absolute { joining: self.request(), group: GroupId(self.integer()) },
                },
                parameters: Parameters {
                    tokens: self.tokens(),
                    fill_timeout: self.maybe(Self::duration),
                    priority: self.maybe(|random| Priority(random.next() as u8)),
                    order: self.maybe(Self::order),
                    ..Parameters::default()
                },
            }),
            8 => Message::FetchOk(FetchOk {
                end_of_track: self.flip(),
                end: self.location(),
                parameters: Parameters::default(),
                properties: self.properties(),
            }),
            9 => Message::TrackStatus(TrackStatus {
                request: self.request(),
                track: self.track(),
                parameters: self.token_parameters(),
            }),
            10 => Message::PublishNamespace(PublishNamespace {
                request: self.request(),
                namespace: self.namespace(),
                parameters: self.token_parameters(),
            }),
            11 => Message::Namespace(self.namespace()),
            12 => Message::NamespaceDone(self.namespace()),
            13 => Message::SubscribeNamespace(SubscribeNamespace {
                request: self.request(),
                prefix: self.namespace(),
                parameters: self.token_parameters(),
            }),
            14 => Message::SubscribeTracks(SubscribeTracks {
                request: self.request(),
                prefix: self.namespace(),
                parameters: Parameters { forward: self.maybe(Self::flip), ..self.token_parameters() },
            }),
            15 => Message::PublishBlocked(PublishBlocked { suffix: self.namespace(), name: self.bytes(20) }),
            16 => Message::RequestOk(RequestOk {
                parameters: Parameters {
                    expires: self.maybe(Self::duration),
                    largest: self.maybe(Self::location),
                    order: self.maybe(Self::order),
                    ..self.subscriber_parameters()
                },
                properties: self.properties(),
            }),
            _ => {
                let code = RequestCode(self.below(0x40));
                Message::RequestError(RequestError {
                    code,
                    retry_after: self.maybe(Self::duration),
                    reason: self.text(),
                    redirect: (code == RequestCode::Redirect)
                        .then(|| Redirect { uri: self.text(), track: self.track() }),
                })
            }
        }
    }

    pub(super) fn subgroup_header(&mut self) -> SubgroupHeader {
        SubgroupHeader {
            alias: TrackAlias(self.integer()),
            group: GroupId(self.integer()),
            subgroup: match self.below(3) {
                0 => None,
                1 => Some(SubgroupId(0)),
                _ => Some(SubgroupId(self.integer())),
            },
            priority: self.maybe(|random| Priority(random.next() as u8)),
            ends_group: self.flip(),
            from_first: self.flip(),
            has_properties: self.flip(),
        }
    }

    /// Objects that a stream with this header can carry.
    pub(super) fn objects(&mut self, header: &SubgroupHeader, default: Priority) -> Vec<Object> {
        let mut objects: Vec<Object> = Vec::new();
        let mut id = self.below(1000);
        for index in 0..self.below(6) {
            let first = objects.first().map_or(id, |first| first.id.0);
            let status = match self.below(12) {
                0 => Status::EndOfGroup,
                1 => Status::EndOfTrack,
                _ => Status::Normal,
            };
            let is_normal = status == Status::Normal;
            let empty = index % 3 == 2;
            objects.push(Object {
                subgroup: Subgroup {
                    group: header.group,
                    id: header.subgroup.unwrap_or(SubgroupId(first)),
                    priority: header.priority.unwrap_or(default),
                    ends_group: header.ends_group,
                    from_first: header.from_first && index == 0,
                },
                id: ObjectId(id),
                status,
                properties: if is_normal && header.has_properties {
                    self.properties()
                } else {
                    Properties::default()
                },
                payload: if is_normal && !empty { self.bytes(3000) } else { Bytes::new() },
            });
            if !is_normal {
                break;
            }
            id += 1 + self.below(100);
        }
        objects
    }
}
