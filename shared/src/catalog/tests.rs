use super::*;
use crate::media::{AudioCodec, VideoCodec};

fn video(name: &str) -> Track {
    Track {
        name: name.into(),
        codec: Codec::Video(VideoCodec::H264 { profile: 0x42, constraints: 0xc0, level: 0x1e }),
        bitrate: Bitrate(1_500_000),
        resolution: Some(Resolution { width: 1280, height: 720 }),
        frame_rate: FrameRate::new(30_000, 1001).ok(),
        render_group: Some(1),
        alt_group: Some(1),
        target_latency: Some(300),
        init_data: Some(vec![1, 66, 0xff]),
        label: Some("720p".into()),
    }
}

fn sound() -> Track {
    Track {
        name: "audio".into(),
        codec: Codec::Audio(AudioCodec::Opus),
        bitrate: Bitrate(64_000),
        resolution: None,
        frame_rate: None,
        render_group: Some(1),
        alt_group: None,
        target_latency: Some(300),
        init_data: None,
        label: None,
    }
}

fn on_air() -> Catalog {
    Catalog {
        tracks: vec![video("video-720p"), sound()],
        generated_at: Some(1_746_104_606_044),
        ..Catalog::default()
    }
}

#[test]
fn a_catalog_survives_a_round_trip() {
    for catalog in [on_air(), Catalog { is_complete: true, ..Catalog::default() }] {
        assert_eq!(Catalog::parse(&catalog.to_json()), Ok(catalog));
    }
}

#[test]
fn a_catalog_says_what_msf_asks_for() {
    let json: serde_json::Value = serde_json::from_slice(&on_air().to_json()).expect("JSON");
    let expected = serde_json::json!({
        "version": "draft-01",
        "generatedAt": 1_746_104_606_044_u64,
        "tracks": [
            {
                "name": "video-720p", "packaging": "loc", "isLive": true, "role": "video", "label": "720p",
                "codec": "avc1.42C01E", "bitrate": 1_500_000, "width": 1280, "height": 720,
                "framerate": 30_000.0 / 1001.0, "renderGroup": 1, "altGroup": 1, "targetLatency": 300,
                "initRef": "init-0",
            },
            {
                "name": "audio", "packaging": "loc", "isLive": true, "role": "audio", "codec": "opus",
                "bitrate": 64_000, "samplerate": 48_000, "channelConfig": "2", "renderGroup": 1,
                "targetLatency": 300,
            },
        ],
        "initDataList": [{ "id": "init-0", "type": "inline", "data": "AUL/" }],
    });
    assert_eq!(json, expected);
    let ended = Catalog { is_complete: true, generated_at: None, ..Catalog::default() }.to_json();
    assert_eq!(ended, br#"{"version":"draft-01","isComplete":true,"tracks":[]}"#);
}

#[test]
fn one_track_that_cannot_be_played_does_not_lose_the_rest() {
    let good = r#"{"name":"v","packaging":"loc","isLive":true,"codec":"avc1.42C01E","bitrate":1e6,
        "framerate":30.0,"width":640.0,"height":360,"x-custom":{"any":[1]}}"#;
    for bad in [
        r#"{"name":"av1","packaging":"loc","isLive":true,"codec":"av01.0.08M.10","bitrate":1}"#,
        r#"{"name":"chat","packaging":"eventtimeline","isLive":true,"eventType":"x"}"#,
        r#"{"name":"other","namespace":"a/b","packaging":"loc","isLive":true,"codec":"opus","bitrate":1}"#,
        r#"{"name":"old","packaging":"loc","isLive":false,"codec":"opus","bitrate":1}"#,
        r#"{"name":"secret","packaging":"loc","isLive":true,"codec":"opus","bitrate":1,
            "encryptionScheme":"moq-secure-objects"}"#,
        r#"{"name":"nought","packaging":"loc","isLive":true,"codec":"opus","bitrate":0}"#,
        r#"{"name":"words","packaging":"loc","isLive":true,"codec":"opus","bitrate":"64k"}"#,
        r#"{"name":"lost","packaging":"loc","isLive":true,"codec":"opus","bitrate":1,"initRef":"none"}"#,
        r#"{"name":"v","packaging":"loc","isLive":true,"codec":"opus","bitrate":1}"#,
        r#"{"packaging":"loc","isLive":true,"codec":"opus","bitrate":1}"#,
        "7",
    ] {
        let json = format!(r#"{{"version":"draft-01","tracks":[{good},{bad}],"later":null}}"#);
        let catalog = Catalog::parse(json.as_bytes()).expect(bad);
        assert_eq!(catalog.skipped, 1, "{bad}");
        let [track] = &catalog.tracks[..] else { panic!("{bad}: {:?}", catalog.tracks) };
        assert_eq!((track.bitrate, track.frame_rate), (Bitrate(1_000_000), FrameRate::new(30, 1).ok()));
        assert_eq!(track.resolution, Some(Resolution { width: 640, height: 360 }));
    }
}

#[test]
fn what_is_no_catalog_is_refused_in_words() {
    let refused = |json: &str| Catalog::parse(json.as_bytes()).expect_err(json).to_string();
    assert!(refused("<html>").contains("no MSF JSON"));
    assert!(refused("7").contains("no MSF JSON"));
    assert!(refused(r#"{"version":"draft-01"}"#).contains("tracks"));
    assert!(refused(r#"{"version":"1","tracks":[]}"#).contains(r#"version "1""#));
    assert!(refused(r#"{"tracks":[]}"#).contains("draft-01"));
    assert!(refused(r#"{"deltaUpdate":[]}"#).contains("came first"));
    let deep = format!(r#"{{"version":"draft-01","tracks":[{}{}]}}"#, "[".repeat(9999), "]".repeat(9999));
    assert!(refused(&deep).contains("recursion"));
}

#[test]
fn a_catalog_is_bounded() {
    let many = |tracks: usize| Catalog {
        tracks: (0..tracks).map(|track| Track { init_data: None, ..video(&track.to_string()) }).collect(),
        ..Catalog::default()
    };
    assert_eq!(Catalog::parse(&many(MAX_TRACKS).to_json()), Ok(many(MAX_TRACKS)));
    let error = Catalog::parse(&many(MAX_TRACKS + 1).to_json()).expect_err("one too many");
    assert!(error.to_string().contains("over 256 tracks"), "{error}");
    let error = Catalog::parse(&vec![b' '; MAX_BYTES + 1]).expect_err("a byte too many");
    assert!(error.to_string().contains("1048577 bytes"), "{error}");
}

#[test]
fn updates_add_remove_and_clone_in_order() {
    let mut catalog = on_air();
    let json = br#"{"generatedAt": 1746104606999, "deltaUpdate": [
        {"op":"add","tracks":[{"name":"mic","packaging":"loc","isLive":true,"codec":"opus","bitrate":32000}]},
        {"op":"clone","tracks":[{"parentName":"video-720p","name":"video-360p","width":640,"height":360,
                                 "bitrate":600000,"label":"360p"}]},
        {"op":"remove","tracks":[{"name":"audio"},{"name":"video-720p"}]}
    ]}"#;
    catalog.apply(json).expect("it fits");
    assert_eq!(catalog.generated_at, Some(1_746_104_606_999));
    let names: Vec<&str> = catalog.tracks.iter().map(|track| track.name.as_str()).collect();
    assert_eq!(names, ["mic", "video-360p"]);
    let expected = Track {
        name: "video-360p".into(),
        bitrate: Bitrate(600_000),
        resolution: Some(Resolution { width: 640, height: 360 }),
        label: Some("360p".into()),
        ..video("video-720p")
    };
    assert_eq!(catalog.tracks[1], expected, "all else is the parent's");
    catalog
        .apply(br#"{"isComplete":true,"deltaUpdate":[{"op":"remove","tracks":[{"name":"mic"}]}]}"#)
        .expect("ended");
    assert!(catalog.is_complete);
}

#[test]
fn updates_of_skipped_tracks_are_counted() {
    let mut catalog = Catalog::default();
    catalog
        .apply(br#"{"deltaUpdate":[{"op":"add","tracks":[{"name":"av1","codec":"av01"}]}]}"#)
        .expect("skipped");
    catalog
        .apply(br#"{"deltaUpdate":[{"op":"clone","tracks":[{"parentName":"av1","name":"b"}]}]}"#)
        .expect("skipped");
    assert_eq!(catalog.skipped, 2);
    catalog.apply(br#"{"deltaUpdate":[{"op":"remove","tracks":[{"name":"av1"}]}]}"#).expect("one less");
    assert_eq!((catalog.skipped, catalog.tracks.len()), (1, 0));
}

#[test]
fn an_update_that_does_not_fit_changes_nothing() {
    let first = r#"{"op":"remove","tracks":[{"name":"audio"}]}"#;
    for (wrong, words) in [
        (r#"{"op":"remove","tracks":[{"name":"none"}]}"#, "no track \"none\" to remove"),
        (r#"{"op":"clone","tracks":[{"parentName":"none","name":"x"}]}"#, "no track \"none\" to clone"),
        (r#"{"op":"clone","tracks":[{"parentName":"video-720p"}]}"#, "no name of its own"),
        (r#"{"op":"clone","tracks":[{"parentName":"video-720p","name":"video-720p"}]}"#, "there already"),
        (r#"{"op":"move","tracks":[{}]}"#, "\"move\" is not in MSF"),
    ] {
        let mut catalog = on_air();
        let json = format!(r#"{{"deltaUpdate":[{first},{wrong}]}}"#);
        let error = catalog.apply(json.as_bytes()).expect_err(wrong).to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(catalog, on_air(), "{wrong}");
    }
    let whole = on_air().apply(&on_air().to_json()).expect_err("no update").to_string();
    assert!(whole.contains("start of a group"), "{whole}");
    assert!(on_air().apply(br#"{"deltaUpdate":[]}"#).is_err());
}
