//! Publishers that others wrote badly: the player says what is wrong, and nothing else breaks.

use anyhow::Result;
use serde_json::json;
use tests::{
    foreign::{Foreign, object},
    world::{Over, PATIENCE, World, final_stats},
};

#[test]
fn a_catalog_that_is_none_is_named() -> Result<()> {
    let world = World::new()?;
    for (room, catalog, words) in [
        ("words", "a film, at eight", "JSON"),
        ("future", r#"{"version":"draft-99","tracks":[]}"#, "version"),
        ("list", "[1, 2, 3]", "catalog"),
    ] {
        let _publisher = Foreign::publish(&world, room, vec![("catalog", vec![object(0, b"", catalog)])])?;
        let mut player = world.player(Over::Quic, room, &["--wait"])?;
        player.wait_for(1, PATIENCE)?;
        let said = player.errors();
        assert!(said.contains(words) && said.contains(room), "{words}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    Ok(())
}

#[test]
fn objects_that_are_not_loc_are_counted_and_the_rest_of_the_room_plays() -> Result<()> {
    let world = World::new()?;
    let catalog = json!({ "version": "draft-01", "tracks": [{
        "name": "video-180p", "packaging": "loc", "isLive": true, "renderGroup": 1, "altGroup": 1,
        "codec": "avc1.42C01E", "width": 320, "height": 180, "framerate": 30, "bitrate": 300_000,
    }]});
    // No properties, ones of somebody else's, none of LOC's with a picture that is none. What is no list of
    // properties at all makes the track malformed, which is the engine's to notice.
    let objects = vec![
        object(1, b"", "no LOC at all"),
        object(2, b"\x3d\x01x", "somebody else's"),
        object(3, b"\x06\x05", "no picture"),
    ];
    let tracks = vec![("catalog", vec![object(0, b"", catalog.to_string())]), ("video-180p", objects)];
    let _foreign = Foreign::publish(&world, "foreign", tracks)?;
    let _publisher = world.publisher(Over::Quic, "good", &["--rendition", "320x180@30:300k"])?;
    let mut good = world.player(Over::Quic, "good", &["--wait", "--duration", "5s"])?;
    let mut player = world.player(Over::Quic, "foreign", &["--wait", "--duration", "3s"])?;
    player.wait_for(0, PATIENCE)?;
    assert!(!player.errors().contains("panicked"), "{}", player.errors());
    let stats = final_stats(&player)?;
    assert_eq!(stats["frames"]["shown"], 0, "{stats}");
    assert!(stats["frames"]["unreadable"].as_u64() >= Some(1), "{stats}");
    good.wait_for(0, PATIENCE)?;
    let stats = final_stats(&good)?;
    assert!(stats["frames"]["shown"].as_u64() > Some(60), "{stats}");
    Ok(())
}
