//! FETCH: standalone and joining, from what the relay keeps and from the publisher.

use anyhow::{Result, bail, ensure};
use moqtap_client::draft18::connection::RequestStream;
use moqtap_codec::{
    dispatch::AnyFetchHeader,
    draft18::{
        data_stream::{FetchHeader, FetchObject, FetchObjectHeader, GroupOrder},
        message::{ControlMessage, FetchOk, FetchPayload},
    },
};
use tests::world::World;

use super::{
    client::{Client, TRANSPORTS},
    desk::Desk,
    wire::{GROUP_ORDER, LARGEST_OBJECT, group, location, namespace, number, object, subgroup, var},
};

/// Descending, in GROUP_ORDER (draft-18 §10.2.8).
const DESCENDING: u64 = 2;

/// Publishes the groups 1 to 3, each `a`, `b` and its number, until they are in the relay's cache.
async fn fill(desk: &Desk) -> Result<()> {
    for id in 1..=3 {
        let mut header = group(1, id);
        header.header_type |= subgroup::PROPERTIES;
        header.publisher_priority = Some(u8::try_from(10 * id)?);
        let mut last = object(2, format!("{id}"));
        last.extension_headers = vec![0x10, u8::try_from(id)?];
        desk.publisher.send(header, &[object(0, "a"), object(1, "b"), last]).await?;
        // What came is kept.
        ensure!(desk.viewer.subgroup().await?.objects.len() == 3);
    }
    Ok(())
}

/// FETCH_OK, which says where the answer ends: one past the last object of a group, or 0 for a whole group.
async fn granted(client: &mut Client, request: &mut RequestStream) -> Result<(u64, u64)> {
    match client.next(request).await? {
        ControlMessage::FetchOk(FetchOk { end_group, end_object, .. }) => {
            Ok((end_group.into_inner(), end_object.into_inner()))
        }
        other => bail!("expected FETCH_OK: {other:?}"),
    }
}

/// Group, object and payload of each.
fn places(objects: &[(FetchObject, Vec<u8>)]) -> Vec<(u64, u64, String)> {
    let place = |(object, payload): &(FetchObject, Vec<u8>)| {
        (object.group_id, object.object_id, String::from_utf8_lossy(payload).into_owned())
    };
    objects.iter().map(place).collect()
}

fn expected(groups: &[u64]) -> Vec<(u64, u64, String)> {
    let group = |&id: &u64| [(id, 0, "a".into()), (id, 1, "b".into()), (id, 2, format!("{id}"))];
    groups.iter().flat_map(group).collect()
}

#[tokio::test]
async fn a_range_is_fetched_in_either_order() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut desk = Desk::new(&world, over).await?;
        fill(&desk).await?;
        for (order, parameters) in [
            (GroupOrder::Ascending, Vec::new()),
            (GroupOrder::Descending, vec![number(GROUP_ORDER, DESCENDING)]),
        ] {
            let (start, end) = ((var(1), var(1)), (var(3), var(2)));
            let (of, name) = (namespace("lab/desk"), b"notes".to_vec());
            let asked = desk.viewer.session().fetch(of, name, start.0, start.1, end.0, end.1, parameters);
            let mut request = asked.await?;
            assert_eq!(granted(&mut desk.viewer, &mut request).await?, (3, 2), "{over:?}");
            let (answers, objects) = desk.viewer.fetched(order).await?;
            assert_eq!(answers, request.request_id().into_inner());
            let mut all = expected(&[1, 2, 3]);
            all.retain(|&(group, object, _)| (1, 1) <= (group, object) && (group, object) < (3, 2));
            if order == GroupOrder::Descending {
                all.sort_by_key(|(group, object, _)| (std::cmp::Reverse(*group), *object));
            }
            assert_eq!(places(&objects), all, "{over:?} {order:?}");
            for (object, _) in &objects {
                let group = object.group_id;
                assert_eq!(object.subgroup_id, Some(0));
                assert_eq!(object.publisher_priority.map(u64::from), Some(10 * group));
                let has = if object.object_id == 2 { vec![0x10, u8::try_from(group)?] } else { Vec::new() };
                assert_eq!(object.header.properties, has);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_joins_late_fetches_what_was_before() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut desk = Desk::new(&world, over).await?;
        fill(&desk).await?;
        let mut late = Client::connect(&world, over).await?;
        // What is before the largest object is the fetch's.
        let filter = moqtap_codec::subscription_filter::SubscriptionFilter {
            filter_type: moqtap_codec::types::FilterType::LargestObject,
            start_location: None,
            end_group: None,
        };
        let parameters = vec![filter.parameter_moqt::<moqtap_codec::varint::Moqt18>()?];
        let mut watching = late.subscribe("lab/desk", "notes", parameters).await?;
        let ok = late.granted(&mut watching).await?;
        assert!(ok.parameters.contains(&location(LARGEST_OBJECT, 3, 2)), "{ok:?}");
        let joined = watching.request_id();

        let mut relative = late.session().joining_fetch(joined, var(1), Vec::new()).await?;
        assert_eq!(granted(&mut late, &mut relative).await?, (3, 3), "{over:?}");
        let (answers, objects) = late.fetched(GroupOrder::Ascending).await?;
        assert_eq!(answers, relative.request_id().into_inner());
        assert_eq!(places(&objects), expected(&[2, 3]), "{over:?}");

        let mut absolute = late.session().absolute_joining_fetch(joined, var(1), Vec::new()).await?;
        assert_eq!(granted(&mut late, &mut absolute).await?, (3, 3), "{over:?}");
        let (answers, objects) = late.fetched(GroupOrder::Ascending).await?;
        assert_eq!(answers, absolute.request_id().into_inner());
        assert_eq!(places(&objects), expected(&[1, 2, 3]), "{over:?}");

        // And then what comes.
        desk.publisher.send(group(1, 4), &[object(0, "live")]).await?;
        for viewer in [&late, &desk.viewer] {
            let live = viewer.subgroup().await?;
            assert_eq!((live.header.group_id, live.payloads()), (var(4), vec![(0, "live".into())]));
        }
        desk.viewer.session().cancel_request_stream(&mut desk.watching, 1)?;
    }
    Ok(())
}

#[tokio::test]
async fn what_the_relay_lacks_is_fetched_from_the_publisher() -> Result<()> {
    let world = World::with(&["--open"])?;
    for over in TRANSPORTS {
        let mut publisher = Client::connect(&world, over).await?;
        let mut viewer = Client::connect(&world, over).await?;
        let _announced = publisher.announce("lab/attic").await?;
        let mut watching = viewer.subscribe("lab/attic", "old", Vec::new()).await?;
        let parameters = vec![location(LARGEST_OBJECT, 9, 0)];
        let _serving = publisher.serve("old", 1, parameters, Vec::new()).await?;
        viewer.granted(&mut watching).await?;

        let (of, name) = (namespace("lab/attic"), b"old".to_vec());
        let asked =
            viewer.session().fetch(of.clone(), name.clone(), var(4), var(0), var(5), var(0), Vec::new());
        let mut request = asked.await?;
        let (asked, mut answering) = publisher.asked().await?;
        let ControlMessage::Fetch(fetch) = asked else { bail!("expected FETCH: {asked:?}") };
        let FetchPayload::Standalone { track_namespace, track_name, start_group, start_object, .. } =
            fetch.fetch_payload
        else {
            bail!("expected a standalone FETCH")
        };
        assert_eq!((track_namespace, track_name, start_group, start_object), (of, name, var(4), var(0)));
        let ok = FetchOk {
            end_of_track: 0,
            end_group: var(5),
            end_object: var(0),
            parameters: Vec::new(),
            track_properties: Vec::new(),
        };
        publisher.session().respond_fetch_ok(&mut answering, ok).await?;
        let header = AnyFetchHeader::Draft18(FetchHeader { request_id: fetch.request_id });
        let mut stream = publisher.session().open_fetch_stream(&header).await?;
        // Group, subgroup and object spelled out, with a priority; then the next object; then the next group's.
        // No End of Range: it takes a payload length after one (`FetchObjectHeader::decode`, data_stream.rs of
        // the codec), where we and the working group (moq-transport, issue 1861) take none.
        for (flags, group, subgroup, id, priority, payload) in [
            (0x1f, Some(4), Some(7), Some(0), Some(20), "four"),
            (0x01, None, None, None, None, "more"),
            (0x0d, Some(0), None, Some(0), None, "five"),
        ] {
            let header = FetchObjectHeader {
                serialization_flags: flags,
                group_id_delta: group.map(var),
                subgroup_id: subgroup.map(var),
                object_id_delta: id.map(var),
                publisher_priority: priority,
                properties: Vec::new(),
                payload_length: var(0),
            };
            stream.write_fetch_object(&header, payload.as_bytes()).await?;
        }
        stream.finish().await?;

        // It asked for the whole of the last group.
        assert_eq!(granted(&mut viewer, &mut request).await?, (5, 0), "{over:?}");
        let (answers, objects) = viewer.fetched(GroupOrder::Ascending).await?;
        assert_eq!(answers, request.request_id().into_inner());
        let all = [(4, 0, "four".into()), (4, 1, "more".into()), (5, 0, "five".into())];
        assert_eq!(places(&objects), all, "{over:?}");
        for (object, _) in &objects {
            assert_eq!((object.subgroup_id, object.publisher_priority), (Some(7), Some(20)), "{object:?}");
        }
    }
    Ok(())
}
