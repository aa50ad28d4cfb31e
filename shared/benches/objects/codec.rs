//! What an object costs as bytes: subgroup streams and datagrams, both ways.

use std::{hint::black_box, time::Instant};

use bytes::{Bytes, BytesMut};
use shared::moqt::{
    GroupId, Priority, Properties, SubgroupId,
    wire::{
        Datagram, ObjectReader, Property, SubgroupHeader, TrackAlias, encode_object_header, put_datagram,
    },
};

use crate::{RUNS, count, object};

/// Objects of one stream.
const OBJECTS: u64 = 1_000;
/// Times that a stream is written or read in one run.
const ROUNDS: u64 = 100;
/// Nanoseconds that an object's header may take.
const TARGET: f64 = 60.0;

const HEADER: SubgroupHeader = SubgroupHeader {
    alias: TrackAlias(3),
    group: GroupId(1_700_000_000),
    subgroup: Some(SubgroupId(0)),
    priority: Some(Priority(64)),
    ends_group: true,
    from_first: true,
    has_properties: true,
};

/// Prints all four.
pub(crate) fn run() {
    let properties = Properties::from_pairs(&[Property::Number(0x02, 1_700_000_000_000)]);
    let objects: Vec<_> = (0..OBJECTS)
        .map(|id| {
            let mut object = object(1_700_000_000, id, &Bytes::from_static(&[7; 160]));
            object.properties = properties.clone();
            object
        })
        .collect();
    let mut stream = BytesMut::new();
    let write = |stream: &mut BytesMut| {
        let mut previous = None;
        for object in &objects {
            encode_object_header(previous, &HEADER, object, stream);
            previous = Some(object.id);
        }
    };
    measure("subgroup object header, encoding", || {
        stream.clear();
        write(&mut stream);
        black_box(&stream);
    });
    stream.clear();
    let mut previous = None;
    for object in &objects {
        encode_object_header(previous, &HEADER, object, &mut stream);
        stream.extend_from_slice(&object.payload);
        previous = Some(object.id);
    }
    let stream = stream.freeze();
    measure("subgroup object, decoding", || {
        let mut reader = ObjectReader::subgroup(HEADER, Priority(128), 1 << 20);
        reader.push(stream.clone());
        while let Some(object) = reader.next().expect("valid") {
            black_box(object);
        }
    });
    let mut datagrams = BytesMut::new();
    measure("datagram, encoding with its payload", || {
        datagrams.clear();
        for object in &objects {
            put_datagram(TrackAlias(3), object, &mut datagrams);
        }
        black_box(&datagrams);
    });
    datagrams.clear();
    let datagrams: Vec<Bytes> = objects
        .iter()
        .map(|object| {
            put_datagram(TrackAlias(3), object, &mut datagrams);
            datagrams.split().freeze()
        })
        .collect();
    measure("datagram, decoding", || {
        for datagram in &datagrams {
            black_box(Datagram::decode(datagram.clone()).expect("valid"));
        }
    });
}

/// The best of some runs, an object, and what is allocated for each.
fn measure(what: &str, mut round: impl FnMut()) {
    let (mut best, mut allocations) = (f64::MAX, f64::MAX);
    for _ in 0..RUNS {
        let (began, before) = (Instant::now(), count::calls());
        (0..ROUNDS).for_each(|_| round());
        let each = |total: f64| total / (ROUNDS * OBJECTS) as f64;
        best = best.min(each(began.elapsed().as_nanos() as f64));
        allocations = allocations.min(each((count::calls() - before) as f64));
    }
    println!("{what}: {best:.1} ns an object (target {TARGET:.0}), {allocations:.3} allocations (target 0)");
}
