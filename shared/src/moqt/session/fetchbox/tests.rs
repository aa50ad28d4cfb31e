use super::*;
use crate::moqt::{
    FetchItem, GroupId, Object, ObjectId, Status, Subgroup, SubgroupId,
    wire::{FetchReader, StreamHeader},
};

const REQUEST: RequestId = RequestId(6);

fn object(group: u64, id: u64, bytes: usize) -> Object {
    Object {
        subgroup: Subgroup {
            group: GroupId(group),
            id: SubgroupId(1),
            priority: Priority(9),
            ends_group: false,
            from_first: false,
        },
        id: ObjectId(id),
        status: Status::Normal,
        properties: Properties::default(),
        payload: vec![1; bytes].into(),
    }
}

/// All that leaves now, and how that ends.
fn written(fetchbox: &mut Fetchbox) -> (Vec<u8>, Next) {
    let mut bytes = Vec::new();
    loop {
        match fetchbox.next(REQUEST) {
            Next::Write(chunks) => chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk)),
            other => return (bytes, other),
        }
    }
}

#[test]
fn objects_leave_on_one_stream_after_its_header() {
    let mut fetchbox = Fetchbox::new(Priority(200));
    let objects = [object(3, 0, 5), object(3, 1, 0), object(5, 4, 70)];
    assert!(objects.iter().all(|object| fetchbox.push(object.clone().into())));
    assert_eq!(fetchbox.place(), send_order(Priority(200), Priority(9), 0));
    let (bytes, next) = written(&mut fetchbox);
    assert_eq!(next, Next::Wait);
    let mut input = BytesMut::from(&bytes[..]);
    assert_eq!(StreamHeader::decode(&mut input), Ok(Some(StreamHeader::Fetch(REQUEST))));
    let mut reader = FetchReader::new(1000);
    reader.push(input.freeze());
    for object in objects {
        assert_eq!(reader.next(), Ok(Some(FetchItem::Object(object))));
    }
    fetchbox.finish();
    fetchbox.leave(ResetCode::InternalError);
    assert_eq!(fetchbox.left(), None);
    assert_eq!(written(&mut fetchbox), (vec![], Next::Finish(None)));
}

#[test]
fn an_answer_without_objects_is_a_header_and_an_end() {
    let mut fetchbox = Fetchbox::new(Priority(200));
    fetchbox.finish();
    let (bytes, next) = written(&mut fetchbox);
    assert_eq!((bytes.len(), next), (2, Next::Finish(None)));
}

#[test]
fn its_writer_waits_while_it_is_full() {
    let mut fetchbox = Fetchbox::new(Priority(200));
    let writer = Waker::noop();
    let mut pushed = 0;
    while !fetchbox.holds_back(writer) {
        fetchbox.push(object(0, pushed, 100_000).into());
        pushed += 1;
    }
    assert_eq!(pushed, 11);
    written(&mut fetchbox);
    assert!(!fetchbox.holds_back(writer));
    assert_eq!(fetchbox.bytes, 0);
    while !fetchbox.holds_back(writer) {
        fetchbox.push(object(1, pushed, 100_000).into());
        pushed += 1;
    }
    fetchbox.close();
    assert!(!fetchbox.holds_back(writer) && !fetchbox.push(object(2, 0, 1).into()));
    assert_eq!((fetchbox.bytes, fetchbox.queue.len()), (0, 0));
}

#[test]
fn the_first_answer_counts_and_a_writer_that_leaves_breaks_it_off() {
    let mut fetchbox = Fetchbox::new(Priority(200));
    fetchbox.answer(Answer::Reject(RequestCode::DoesNotExist, "none".into()));
    fetchbox.answer(Answer::Accept(Location::default(), EndOfTrack::No, Properties::default()));
    assert!(matches!(fetchbox.take_answer(), Some(Answer::Reject(RequestCode::DoesNotExist, _))));
    assert!(fetchbox.take_answer().is_none());
    fetchbox.leave(ResetCode::MalformedTrack);
    fetchbox.leave(ResetCode::InternalError);
    assert_eq!(fetchbox.left(), Some(ResetCode::MalformedTrack));
}
