//! Message parameters as bytes (draft-18 §10.2).

use bytes::{Bytes, BytesMut};
use moq_transport::message::{parameter_type as id, wire_id};

use super::{
    Parameters, WireError,
    field::{Fields, put_bytes, put_integer, put_location, put_millis, put_namespace},
};
use crate::moqt::{Filter, GroupId, GroupOrder, Location, Priority};

/// SUBGROUP_DELIVERY_TIMEOUT, which moq-transport does not list.
const SUBGROUP_DELIVERY_TIMEOUT: u64 = 0x06;
/// FILL_TIMEOUT, which moq-transport does not list.
const FILL_TIMEOUT: u64 = 0x0a;
/// TRACK_NAMESPACE_PREFIX, which moq-transport does not list.
const TRACK_NAMESPACE_PREFIX: u64 = 0x34;

/// Filter types (draft-18 §5.1.2).
mod filter {
    pub(super) const NEXT_GROUP_START: u64 = 1;
    pub(super) const LARGEST_OBJECT: u64 = 2;
    pub(super) const ABSOLUTE_START: u64 = 3;
    pub(super) const ABSOLUTE_RANGE: u64 = 4;
}

/// Whether parameter `parameter` may stand in a message of type `message` (draft-18 §10.2.1).
/// What REQUEST_OK answers is not known here, so it may hold what any of its uses may.
/// TRACK_STATUS has SUBSCRIBE's format and is read as that.
fn is_allowed(parameter: u64, message: u64) -> bool {
    use wire_id::{
        Fetch, Publish, PublishNamespace, RequestOk, RequestUpdate, Subscribe, SubscribeNamespace,
        SubscribeOk, SubscribeTracks, TrackStatus,
    };
    let message = if message == TrackStatus { Subscribe } else { message };
    let allowed: &[u64] = match parameter {
        id::DELIVERY_TIMEOUT | SUBGROUP_DELIVERY_TIMEOUT => &[Subscribe, RequestUpdate, RequestOk],
        id::AUTHORIZATION_TOKEN => {
            &[Publish, Subscribe, RequestUpdate, SubscribeNamespace, SubscribeTracks, PublishNamespace, Fetch]
        }
        id::RENDEZVOUS_TIMEOUT => &[Subscribe],
        id::EXPIRES | id::LARGEST_OBJECT => &[SubscribeOk, Publish, RequestOk],
        FILL_TIMEOUT => &[Fetch],
        id::FORWARD => &[Subscribe, RequestUpdate, Publish, RequestOk, SubscribeTracks],
        id::SUBSCRIBER_PRIORITY => &[Subscribe, Fetch, RequestUpdate, RequestOk],
        id::SUBSCRIPTION_FILTER | id::NEW_GROUP_REQUEST => &[Subscribe, RequestUpdate, RequestOk],
        id::GROUP_ORDER => &[Subscribe, RequestOk, Fetch],
        TRACK_NAMESPACE_PREFIX => &[RequestUpdate],
        _ => &[],
    };
    allowed.contains(&message)
}

impl Parameters {
    /// Reads the parameters of a message of type `message`.
    pub(super) fn decode(message: u64, fields: &mut Fields) -> Result<Self, WireError> {
        let count = fields.integer("number of parameters")?;
        let mut parameters = Self::default();
        let mut previous = None;
        for _ in 0..count {
            let delta = fields.integer("parameter type")?;
            let parameter = previous
                .unwrap_or(0u64)
                .checked_add(delta)
                .ok_or_else(|| fields.violation("a parameter's type is over 2^64-1"))?;
            if previous == Some(parameter) && parameter != id::AUTHORIZATION_TOKEN {
                return Err(fields.violation(format_args!("parameter {parameter:#x} comes twice")));
            }
            if !is_allowed(parameter, message) {
                return Err(fields.violation(format_args!("parameter {parameter:#x} has no place in it")));
            }
            parameters.decode_value(parameter, fields)?;
            previous = Some(parameter);
        }
        Ok(parameters)
    }

    fn decode_value(&mut self, parameter: u64, fields: &mut Fields) -> Result<(), WireError> {
        match parameter {
            id::DELIVERY_TIMEOUT => self.object_timeout = Some(fields.millis("object delivery timeout")?),
            SUBGROUP_DELIVERY_TIMEOUT => {
                self.subgroup_timeout = Some(fields.millis("subgroup delivery timeout")?);
            }
            id::AUTHORIZATION_TOKEN => self.tokens.push(fields.token()?),
            id::RENDEZVOUS_TIMEOUT => self.rendezvous_timeout = Some(fields.millis("rendezvous timeout")?),
            id::EXPIRES => {
                // Zero says the same as no parameter.
                self.expires = Some(fields.millis("expiry")?).filter(|expires| !expires.is_zero());
            }
            id::LARGEST_OBJECT => self.largest = Some(fields.location("largest object")?),
            FILL_TIMEOUT => self.fill_timeout = Some(fields.millis("fill timeout")?),
            id::FORWARD => {
                self.forward = Some(match fields.byte("FORWARD")? {
                    0 => false,
                    1 => true,
                    other => return Err(fields.violation(format_args!("FORWARD is {other}, not 0 or 1"))),
                });
            }
            id::SUBSCRIBER_PRIORITY => {
                self.priority = Some(Priority(fields.byte("subscriber priority")?));
            }
            id::SUBSCRIPTION_FILTER => {
                self.filter = Some(decode_filter(fields.bytes("filter", usize::from(u16::MAX))?)?);
            }
            id::GROUP_ORDER => {
                self.order = Some(match fields.byte("group order")? {
                    1 => GroupOrder::Ascending,
                    2 => GroupOrder::Descending,
                    other => return Err(fields.violation(format_args!("GROUP_ORDER is {other}, not 1 or 2"))),
                });
            }
            id::NEW_GROUP_REQUEST => {
                self.new_group = Some(GroupId(fields.integer("new group request")?));
            }
            TRACK_NAMESPACE_PREFIX => self.prefix = Some(fields.namespace()?),
            other => return Err(fields.violation(format_args!("parameter {other:#x} is not known"))),
        }
        Ok(())
    }

    /// Appends the parameters of a message of type `message`.
    ///
    /// # Errors
    /// [`WireError`] for one that has no place in that message or cannot be written.
    pub(super) fn encode(&self, message: u64, output: &mut BytesMut) -> Result<(), WireError> {
        let mut writer = Writer { message, count: 0, previous: 0, bytes: BytesMut::new() };
        if let Some(timeout) = self.object_timeout {
            put_millis(timeout, writer.at(id::DELIVERY_TIMEOUT)?);
        }
        for token in &self.tokens {
            put_bytes(&token.encode(), writer.at(id::AUTHORIZATION_TOKEN)?);
        }
        if let Some(timeout) = self.rendezvous_timeout {
            put_millis(timeout, writer.at(id::RENDEZVOUS_TIMEOUT)?);
        }
        if let Some(timeout) = self.subgroup_timeout {
            put_millis(timeout, writer.at(SUBGROUP_DELIVERY_TIMEOUT)?);
        }
        if let Some(expires) = self.expires.filter(|expires| !expires.is_zero()) {
            put_millis(expires, writer.at(id::EXPIRES)?);
        }
        if let Some(largest) = self.largest {
            put_location(largest, writer.at(id::LARGEST_OBJECT)?);
        }
        if let Some(timeout) = self.fill_timeout {
            put_millis(timeout, writer.at(FILL_TIMEOUT)?);
        }
        if let Some(forward) = self.forward {
            writer.at(id::FORWARD)?.extend_from_slice(&[u8::from(forward)]);
        }
        if let Some(Priority(priority)) = self.priority {
            writer.at(id::SUBSCRIBER_PRIORITY)?.extend_from_slice(&[priority]);
        }
        if let Some(filter) = self.filter
            && let Some(filter) = encode_filter(filter, message)?
        {
            put_bytes(&filter, writer.at(id::SUBSCRIPTION_FILTER)?);
        }
        if let Some(order) = self.order {
            let order = match order {
                GroupOrder::Ascending => 1,
                GroupOrder::Descending => 2,
            };
            writer.at(id::GROUP_ORDER)?.extend_from_slice(&[order]);
        }
        if let Some(GroupId(group)) = self.new_group {
            put_integer(group, writer.at(id::NEW_GROUP_REQUEST)?);
        }
        if let Some(prefix) = &self.prefix {
            put_namespace(prefix, writer.at(TRACK_NAMESPACE_PREFIX)?)?;
        }
        put_integer(writer.count, output);
        output.extend_from_slice(&writer.bytes);
        Ok(())
    }
}

/// Parameters as they are written, in ascending order of type.
struct Writer {
    message: u64,
    count: u64,
    previous: u64,
    bytes: BytesMut,
}

impl Writer {
    /// Where the value of the next parameter goes.
    fn at(&mut self, parameter: u64) -> Result<&mut BytesMut, WireError> {
        if !is_allowed(parameter, self.message) {
            return Err(WireError::ours(format!(
                "parameter {parameter:#x} cannot be sent in a message of type {:#x}",
                self.message
            )));
        }
        put_integer(parameter - self.previous, &mut self.bytes);
        self.previous = parameter;
        self.count += 1;
        Ok(&mut self.bytes)
    }
}

fn decode_filter(bytes: Bytes) -> Result<Filter, WireError> {
    let mut fields = Fields::new("subscription filter", bytes);
    let decoded = match fields.integer("type")? {
        filter::NEXT_GROUP_START => Filter::NextGroupStart,
        filter::LARGEST_OBJECT => Filter::LargestObject,
        filter::ABSOLUTE_START => Filter::AbsoluteStart(fields.location("start")?),
        filter::ABSOLUTE_RANGE => {
            let start = fields.location("start")?;
            let delta = fields.integer("end group delta")?;
            let end = start
                .group
                .0
                .checked_add(delta)
                .ok_or_else(|| fields.violation("its end group is over 2^64-1"))?;
            Filter::AbsoluteRange(start, GroupId(end))
        }
        other => return Err(fields.violation(format_args!("type {other:#x} is not known"))),
    };
    fields.end()?;
    Ok(decoded)
}

/// The filter's bytes; `None` where it is said by leaving it out. That says no filter, except in an
/// update, where it says "unchanged" and the start of the track says no filter.
fn encode_filter(filter: Filter, message: u64) -> Result<Option<BytesMut>, WireError> {
    let mut output = BytesMut::new();
    match filter {
        Filter::Unfiltered if message == wire_id::RequestUpdate => {
            put_integer(filter::ABSOLUTE_START, &mut output);
            put_location(Location::new(0, 0), &mut output);
        }
        Filter::Unfiltered => return Ok(None),
        Filter::NextGroupStart => put_integer(filter::NEXT_GROUP_START, &mut output),
        Filter::LargestObject => put_integer(filter::LARGEST_OBJECT, &mut output),
        Filter::AbsoluteStart(start) => {
            put_integer(filter::ABSOLUTE_START, &mut output);
            put_location(start, &mut output);
        }
        Filter::AbsoluteRange(start, end) => {
            put_integer(filter::ABSOLUTE_RANGE, &mut output);
            put_location(start, &mut output);
            let delta = end.0.checked_sub(start.group.0).ok_or_else(|| {
                WireError::ours(format!("a filter cannot end in group {end}, before its start {start}"))
            })?;
            put_integer(delta, &mut output);
        }
    }
    Ok(Some(output))
}
