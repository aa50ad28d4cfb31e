//! Our data streams and datagrams: from the outboxes to the connection.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use super::{
    bell::{Ring, Target},
    clock::now,
    handles::Handle,
    request_io::RequestIo,
    task::Task,
};
use crate::{
    moqt::{
        ResetCode,
        session::{
            Stream,
            outbox::{LaneId, Moves, Next},
        },
    },
    transport::{SendStream, StreamError},
};

/// Datagrams handed over before more urgent things are looked for.
const DATAGRAMS: usize = 8;
/// Writes on one stream before more urgent ones are looked for.
const TURN: usize = 8;

/// A data stream of ours.
pub(super) struct Out {
    send: SendStream,
    pub(super) order: i32,
    stream: Stream,
    /// `None` for a fetch.
    lane: Option<LaneId>,
    /// What is being written: all of it is, once they are empty.
    chunks: [Bytes; 2],
    is_finished: bool,
    expires: Option<Instant>,
    ring: Arc<Ring>,
    /// Rung by its end, and so not asked for with every object.
    end: Arc<Ring>,
}

/// Gives a fresh stream to the most urgent lane or fetch that waits for one; back where none does.
pub(super) fn give(task: &mut Task, mut send: SendStream) -> Option<SendStream> {
    let mut best: Option<(i32, Stream, Option<LaneId>)> = None;
    let handles = &task.handles;
    task.wants_stream.retain(|stream| {
        let found = match handles.get(stream) {
            Some(Handle::Publish(port)) => {
                port.lock().waiting().map(|(order, lane)| (order, *stream, Some(lane)))
            }
            Some(Handle::Serve { port, out: None }) => Some((port.lock().place(), *stream, None)),
            _ => None,
        };
        best = [best, found].into_iter().flatten().min();
        found.is_some()
    });
    let Some((order, stream, lane)) = best else { return Some(send) };
    send.set_order(order);
    let id = task.bell.number();
    match (task.handles.get_mut(&stream), lane) {
        (Some(Handle::Publish(port)), Some(lane)) => port.lock().opened(lane, id),
        (Some(Handle::Serve { out, .. }), None) => *out = Some(id),
        _ => return Some(send),
    }
    let (ring, end) = (task.bell.ring(Target::Out(id)), task.bell.ring(Target::OutEnd(id)));
    ring.ring();
    end.ring();
    let out = Out {
        send,
        order,
        stream,
        lane,
        chunks: Default::default(),
        is_finished: false,
        expires: None,
        ring,
        end,
    };
    task.outs.insert(id, Box::new(out));
    None
}

enum Step {
    Wait,
    /// Not all was written, but more urgent streams come first.
    Later,
    Over,
}

impl Task {
    pub(super) fn look_at_out(&mut self, id: u64) {
        let Some(mut out) = self.outs.remove(&id) else { return };
        let (stream, lane) = (out.stream, out.lane);
        match self.write_out(id, &mut out) {
            Step::Over => self.out_gone(id, stream, lane),
            Step::Later => {
                self.urgent.insert((out.order, id));
                self.outs.insert(id, out);
            }
            Step::Wait => {
                self.outs.insert(id, out);
            }
        }
    }

    fn write_out(&mut self, id: u64, out: &mut Out) -> Step {
        let now = now();
        let waker = out.ring.waker();
        let mut cx = Context::from_waker(&waker);
        let mut turns = 0;
        while !out.is_finished {
            if out.chunks.iter().all(Bytes::is_empty) {
                if turns >= TURN {
                    return Step::Later;
                }
                turns += 1;
                if let Some(Handle::Serve { port, .. }) = self.handles.get(&out.stream) {
                    // Objects of a fetch differ in how urgent their publisher finds them.
                    let order = port.lock().place();
                    if order != out.order {
                        out.order = order;
                        out.send.set_order(order);
                    }
                }
                match self.next_of(now, id, out.stream, out.lane) {
                    Some(Next::Write(chunks)) => out.chunks = chunks,
                    Some(Next::Finish(expires)) => {
                        out.send.finish();
                        out.is_finished = true;
                        out.expires = expires;
                        self.wake_by(expires);
                        // The subscription may be through.
                        self.handles.get(&out.stream).into_iter().for_each(Handle::ring);
                    }
                    Some(Next::Wait) => break,
                    None => {
                        out.send.reset(ResetCode::Cancelled.0);
                        return Step::Over;
                    }
                }
                continue;
            }
            match out.send.poll_write(&mut cx, &mut out.chunks) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(StreamError::Peer(_))) => {
                    out.send.reset(ResetCode::Cancelled.0);
                    return Step::Over;
                }
                Poll::Ready(Err(StreamError::Connection | StreamError::Ended)) | Poll::Pending => break,
            }
        }
        Step::Wait
    }

    /// Looks whether a stream is acknowledged to its end, or stopped, and has itself woken for it.
    pub(super) fn look_at_out_end(&mut self, id: u64) {
        let Some(out) = self.outs.get_mut(&id) else { return };
        let waker = out.end.waker();
        let Poll::Ready(code) = out.send.poll_stopped(&mut Context::from_waker(&waker)) else { return };
        if code.is_some() {
            out.send.reset(ResetCode::Cancelled.0);
        }
        let (order, stream, lane) = (out.order, out.stream, out.lane);
        self.urgent.remove(&(order, id));
        self.outs.remove(&id);
        self.out_gone(id, stream, lane);
    }

    /// What a stream does next; `None` where its request is over.
    fn next_of(&mut self, now: Instant, id: u64, stream: Stream, lane: Option<LaneId>) -> Option<Next> {
        match (self.handles.get(&stream)?, lane) {
            (Handle::Publish(port), Some(lane)) => {
                let mut outbox = port.lock();
                let next = outbox.next(now, lane, id);
                let is_late = outbox.has_resets();
                drop(outbox);
                if is_late {
                    port.ring();
                }
                Some(next)
            }
            (Handle::Serve { port, .. }, None) => {
                let request = self.core.request_id(stream)?;
                Some(port.lock().next(request))
            }
            _ => None,
        }
    }

    /// A stream was acknowledged to its end, or stopped.
    fn out_gone(&mut self, id: u64, stream: Stream, lane: Option<LaneId>) {
        match (self.handles.get(&stream), lane) {
            (Some(Handle::Publish(port)), Some(lane)) => {
                port.lock().gone(lane, id);
                port.ring();
            }
            (Some(Handle::Serve { port, .. }), None) => {
                port.lock().close();
                self.core.fetch_over(stream);
            }
            _ => {}
        }
    }

    pub(super) fn reset_out(&mut self, id: u64, code: ResetCode) {
        if let Some(mut out) = self.outs.remove(&id) {
            self.urgent.remove(&(out.order, id));
            out.send.reset(code.0);
        }
    }

    /// Resets all streams of a request.
    pub(super) fn reset_outs(&mut self, stream: Stream, code: ResetCode) {
        let of_it = self.outs.iter().filter(|(_, out)| out.stream == stream);
        let ids: Vec<u64> = of_it.map(|(id, _)| *id).collect();
        for id in ids {
            self.reset_out(id, code);
        }
    }

    /// Resets a stream that was not handed over whole.
    pub(super) fn reset_unfinished(&mut self, id: u64, code: ResetCode) {
        if self.outs.get(&id).is_some_and(|out| !out.is_finished) {
            self.reset_out(id, code);
        }
    }

    /// Does what an outbox has for the connection.
    pub(super) fn carry_out(&mut self, stream: Stream, moves: &mut Moves) {
        for (id, code) in moves.resets.drain(..) {
            self.reset_out(id, code);
        }
        for (id, order) in moves.orders.drain(..) {
            self.set_order(id, order);
        }
        for id in moves.dirty.drain(..) {
            if let Some(out) = self.outs.get(&id) {
                self.urgent.insert((out.order, id));
            }
        }
        if let Some(order) = moves.datagram {
            self.urgent_datagrams.insert((order, stream));
        }
        self.wake_by(moves.deadline);
        if moves.waits {
            self.want_uni(stream);
        }
        if let Some((code, reason, streams)) = moves.done.take() {
            self.core.publish_done(stream, code, &reason, streams);
        }
    }

    /// Does the most urgent of what can go on; `false` where there is nothing. Datagrams go before streams
    /// of the same place: they are small, and nothing waits behind them.
    pub(super) fn send_most_urgent(&mut self) -> bool {
        let stream = self.urgent.first().map(|(order, _)| *order);
        match self.urgent_datagrams.first() {
            Some(&(order, request)) if stream.is_none_or(|stream| order <= stream) => {
                self.urgent_datagrams.pop_first();
                self.send_datagrams(request);
            }
            _ => match self.urgent.pop_first() {
                Some((_, id)) => self.look_at_out(id),
                None => return false,
            },
        }
        true
    }

    fn send_datagrams(&mut self, stream: Stream) {
        let Some(Handle::Publish(port)) = self.handles.get(&stream) else { return };
        let mut outbox = port.lock();
        for _ in 0..DATAGRAMS {
            let Some(datagram) = outbox.next_datagram(now()) else { break };
            // One that is too large for the path is lost, as the draft has it (draft-18 §11.3).
            if !self.connection.send_datagram(datagram) {
                outbox.datagram_lost();
            }
        }
        // More of them, or the subscription's end, may have waited for this.
        drop(outbox);
        port.ring();
    }

    pub(super) fn set_order(&mut self, id: u64, order: i32) {
        if let Some(out) = self.outs.get_mut(&id)
            && out.order != order
        {
            if self.urgent.remove(&(out.order, id)) {
                self.urgent.insert((order, id));
            }
            out.order = order;
            out.send.set_order(order);
        }
    }

    pub(super) fn expire_outboxes(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        for handle in self.handles.values() {
            let Handle::Publish(port) = handle else { continue };
            let mut outbox = port.lock();
            let Some(deadline) = outbox.deadline() else { continue };
            if deadline <= now {
                outbox.expire(now);
                port.ring();
            }
            next = [next, outbox.deadline()].into_iter().flatten().min();
        }
        next
    }

    /// Draft-18 §8: a subgroup that was handed over whole, but is not acknowledged in time, is reset.
    pub(super) fn expire_outs(&mut self, now: Instant) -> Option<Instant> {
        let late = |out: &Out| out.expires.is_some_and(|at| at <= now);
        let ids: Vec<u64> = self.outs.iter().filter(|(_, out)| late(out)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(out) = self.outs.get(&id) else { continue };
            let (stream, lane) = (out.stream, out.lane);
            self.reset_out(id, ResetCode::DeliveryTimeout);
            if let Some(Handle::Publish(port)) = self.handles.get(&stream) {
                port.lock().timed_out_under_way();
            }
            self.out_gone(id, stream, lane);
        }
        self.outs.values().filter_map(|out| out.expires).min()
    }

    /// Whether nothing that was ended is still on its way.
    pub(super) fn is_drained(&self) -> bool {
        let is_ending = |handle: &Handle| match handle {
            Handle::Publish(port) => port.lock().is_ending(),
            _ => false,
        };
        !self.requests.values().any(RequestIo::is_unfinished)
            && !self.outs.values().any(|out| out.is_finished || !self.handles.contains_key(&out.stream))
            && !self.handles.values().any(is_ending)
    }
}
