//! Control messages as JSON (draft-pardue-moq-qlog-moq-events-07, MOQTControlMessage). What that draft does not
//! know yet of draft-18 is named in its manner.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::moqt::{
    Filter, GroupOrder, Location, Namespace, Properties, TrackName,
    wire::{Message, Parameters, Property, RequestError, Setup, Token, WireFetchRange},
};

/// A message.
pub(super) fn json(message: &Message) -> Value {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| {
        data.insert(name.to_owned(), value);
    };
    let (kind, parameters, track_properties) = match message {
        Message::Setup(setup) => {
            put("setup_options", setup_options(setup));
            ("setup", None, None)
        }
        Message::Goaway(goaway) => {
            put(
                "new_session_uri",
                json!({ "length": goaway.uri.len(), "value": without_query(&goaway.uri) }),
            );
            put("timeout", millis(goaway.timeout));
            if let Some(request) = goaway.request {
                put("request_id", request.0.into());
            }
            ("goaway", None, None)
        }
        Message::Subscribe(message) => {
            put("request_id", message.request.0.into());
            put_track(&mut put, &message.track);
            ("subscribe", Some(&message.parameters), None)
        }
        Message::SubscribeOk(message) => {
            put("track_alias", message.alias.0.into());
            ("subscribe_ok", Some(&message.parameters), Some(&message.properties))
        }
        Message::RequestUpdate(message) => {
            put("request_id", message.request.0.into());
            ("request_update", Some(&message.parameters), None)
        }
        Message::Publish(message) => {
            put("request_id", message.request.0.into());
            put_track(&mut put, &message.track);
            put("track_alias", message.alias.0.into());
            ("publish", Some(&message.parameters), Some(&message.properties))
        }
        Message::PublishDone(message) => {
            put("status_code", message.code.0.into());
            put("stream_count", message.streams.into());
            put("reason", message.reason.clone().into());
            ("publish_done", None, None)
        }
        Message::Fetch(message) => {
            put("request_id", message.request.0.into());
            put_range(&mut put, &message.range);
            ("fetch", Some(&message.parameters), None)
        }
        Message::FetchOk(message) => {
            put("end_of_track", u8::from(message.end_of_track).into());
            put("end_location", location(message.end));
            ("fetch_ok", Some(&message.parameters), Some(&message.properties))
        }
        Message::TrackStatus(message) => {
            put("request_id", message.request.0.into());
            put_track(&mut put, &message.track);
            ("track_status", Some(&message.parameters), None)
        }
        Message::PublishNamespace(message) => {
            put("request_id", message.request.0.into());
            put("track_namespace", namespace(&message.namespace));
            ("publish_namespace", Some(&message.parameters), None)
        }
        Message::Namespace(suffix) => {
            put("track_namespace_suffix", namespace(suffix));
            ("namespace", None, None)
        }
        Message::NamespaceDone(suffix) => {
            put("track_namespace_suffix", namespace(suffix));
            ("namespace_done", None, None)
        }
        Message::SubscribeNamespace(message) => {
            put("request_id", message.request.0.into());
            put("track_namespace_prefix", namespace(&message.prefix));
            ("subscribe_namespace", Some(&message.parameters), None)
        }
        Message::SubscribeTracks(message) => {
            put("request_id", message.request.0.into());
            put("track_namespace_prefix", namespace(&message.prefix));
            ("subscribe_tracks", Some(&message.parameters), None)
        }
        Message::PublishBlocked(message) => {
            put("track_namespace_suffix", namespace(&message.suffix));
            put("track_name", text(&message.name));
            ("publish_blocked", None, None)
        }
        Message::RequestOk(message) => {
            let properties = Some(&message.properties).filter(|properties| !properties.0.is_empty());
            ("request_ok", Some(&message.parameters), properties)
        }
        Message::RequestError(error) => {
            put_error(&mut put, error);
            ("request_error", None, None)
        }
    };
    if let Some(parameters) = parameters {
        let all = parameters_of(parameters);
        put("number_of_parameters", all.len().into());
        put("parameters", all.into());
    }
    if let Some(known) = track_properties {
        put("track_properties", properties(known));
    }
    let mut whole = Map::from_iter([("type".to_owned(), kind.into())]);
    whole.append(&mut data);
    Value::Object(whole)
}

/// Properties of a track or an object; `null` where they cannot be read.
pub(super) fn properties(properties: &Properties) -> Value {
    let pair = |pair: Property| match pair {
        Property::Number(kind, value) => json!({ "type": kind, "value": value }),
        Property::Bytes(kind, bytes) => json!({ "type": kind, "length": bytes.len() }),
    };
    properties.pairs().map_or(Value::Null, |pairs| pairs.into_iter().map(pair).collect())
}

fn put_track(put: &mut impl FnMut(&str, Value), track: &TrackName) {
    put("track_namespace", namespace(&track.namespace));
    put("track_name", text(&track.name));
}

fn put_range(put: &mut impl FnMut(&str, Value), range: &WireFetchRange) {
    let joining = |joining: u64, start: u64| json!({ "joining_request_id": joining, "joining_start": start });
    match range {
        WireFetchRange::Standalone { track, start, end } => {
            put("fetch_type", "standalone".into());
            let range = json!({
                "track_namespace": namespace(&track.namespace),
                "track_name": text(&track.name),
                "start_location": location(*start),
                "end_location": location(*end),
            });
            put("standalone_fetch", range);
        }
        WireFetchRange::Relative { joining: request, groups } => {
            put("fetch_type", "relative_joining".into());
            put("joining_fetch", joining(request.0, *groups));
        }
        WireFetchRange::Absolute { joining: request, group } => {
            put("fetch_type", "absolute_joining".into());
            put("joining_fetch", joining(request.0, group.0));
        }
    }
}

fn put_error(put: &mut impl FnMut(&str, Value), error: &RequestError) {
    put("error_code", error.code.0.into());
    put("retry_interval", error.retry_after.map_or(0.into(), millis));
    put("reason", error.reason.clone().into());
    if let Some(to) = &error.redirect {
        let redirect = json!({
            "connect_uri": without_query(&to.uri),
            "track_namespace": namespace(&to.track.namespace),
            "track_name": text(&to.track.name),
        });
        put("redirect", redirect);
    }
}

fn setup_options(setup: &Setup) -> Value {
    let mut options = Vec::new();
    let mut put = |name: &str, value: Value| options.push(json!({ "name": name, "value": value }));
    let words = |bytes: &[u8]| without_query(&String::from_utf8_lossy(bytes)).into();
    if let Some(path) = &setup.path {
        put("path", words(path));
    }
    if let Some(authority) = &setup.authority {
        put("authority", words(authority));
    }
    if setup.max_auth_token_cache_size > 0 {
        put("max_auth_token_cache_size", setup.max_auth_token_cache_size.into());
    }
    if let Some(implementation) = &setup.implementation {
        put("implementation", String::from_utf8_lossy(implementation).into());
    }
    options.extend(setup.tokens.iter().map(token));
    options.into()
}

/// A token without its value, of which only the length is told.
fn token(token: &Token) -> Value {
    let mut data = Map::from_iter([("name".to_owned(), "authorization_token".into())]);
    let (kind, alias, value) = match token {
        Token::Delete(alias) => ("delete", Some(alias), None),
        Token::Register(alias, value) => ("register", Some(alias), Some(value)),
        Token::UseAlias(alias) => ("use_alias", Some(alias), None),
        Token::UseValue(value) => ("use_value", None, Some(value)),
    };
    data.insert("alias_type".into(), kind.into());
    data.extend(alias.map(|alias| ("token_alias".to_owned(), alias.0.into())));
    if let Some(value) = value {
        data.insert("token_type".into(), value.kind.0.into());
        data.insert("token_value".into(), json!({ "length": value.value.len() }));
    }
    Value::Object(data)
}

fn parameters_of(parameters: &Parameters) -> Vec<Value> {
    let Parameters {
        object_timeout,
        subgroup_timeout,
        tokens,
        rendezvous_timeout,
        expires,
        largest,
        fill_timeout,
        forward,
        priority,
        filter,
        order,
        new_group,
        prefix,
    } = parameters;
    let order = order.map(|order| match order {
        GroupOrder::Ascending => 1,
        GroupOrder::Descending => 2,
    });
    let named = [
        ("delivery_timeout", object_timeout.map(millis)),
        ("subgroup_delivery_timeout", subgroup_timeout.map(millis)),
        ("rendezvous_timeout", rendezvous_timeout.map(millis)),
        ("expires", expires.map(millis)),
        ("largest_object", largest.map(location)),
        ("fill_timeout", fill_timeout.map(millis)),
        ("forward", forward.map(|forward| u8::from(forward).into())),
        ("subscriber_priority", priority.map(|priority| priority.0.into())),
        ("subscription_filter", filter.map(filter_json)),
        ("group_order", order.map(Value::from)),
        ("new_group_request", new_group.map(|group| group.0.into())),
        ("track_namespace_prefix", prefix.as_ref().map(namespace)),
    ];
    let present =
        named.into_iter().filter_map(|(name, value)| Some(json!({ "name": name, "value": value? })));
    present.chain(tokens.iter().map(token)).collect()
}

fn filter_json(filter: Filter) -> Value {
    match filter {
        Filter::Unfiltered => json!({ "filter_type": 0 }),
        Filter::NextGroupStart => json!({ "filter_type": 1 }),
        Filter::LargestObject => json!({ "filter_type": 2 }),
        Filter::AbsoluteStart(start) => json!({ "filter_type": 3, "start_location": location(start) }),
        Filter::AbsoluteRange(start, end) => json!({
            "filter_type": 4,
            "start_location": location(start),
            "end_group_delta": end.0.saturating_sub(start.group.0),
        }),
    }
}

fn location(location: Location) -> Value {
    json!({ "group": location.group.0, "object": location.object.0 })
}

fn namespace(namespace: &Namespace) -> Value {
    namespace.fields().iter().map(|field| text(field)).collect()
}

/// A byte string: as text where it is UTF-8, else in hexadecimal digits.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "value": text }),
        Err(_) => {
            let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
                // A String takes all.
                let _ = write!(digits, "{byte:02x}");
                digits
            });
            json!({ "value_bytes": digits })
        }
    }
}

fn millis(duration: std::time::Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).into()
}

/// A path or URI without its query, where tokens stand.
fn without_query(text: &str) -> String {
    match text.split_once('?') {
        Some((front, _)) => format!("{front}?…"),
        None => text.to_owned(),
    }
}
