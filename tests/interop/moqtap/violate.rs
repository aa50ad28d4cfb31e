use super::{client::*, wire::*};
use anyhow::Result;
use tests::world::*;
use moqtap_codec::draft18::message::*;
#[tokio::test]
async fn debug_range() -> Result<()> {
    let world = World::with(&["--open"])?;
    let mut publisher = Client::connect(&world, Over::Quic).await?;
    let _announced = publisher.announce("lab/desk").await?;
    let t = dial(&world, Over::Quic).await?;
    let mut control = t.open_uni().await?;
    let mut buf = Vec::new();
    ControlMessage::Setup(Setup { options: vec![] }).encode(&mut buf)?;
    control.write_all(&buf).await?;
    let (mut s, mut r) = t.open_bi().await?;
    let mut buf = Vec::new();
    let filter = moqtap_codec::subscription_filter::SubscriptionFilter {
        filter_type: moqtap_codec::types::FilterType::AbsoluteRange,
        start_location: Some(moqtap_codec::types::Location { group: var(5), object: var(1) }),
        end_group: Some(moqtap_codec::subscription_filter::FilterEnd::GroupDelta(1)),
    };
    ControlMessage::Subscribe(Subscribe { request_id: var(0), track_namespace: namespace("lab/desk"), track_name: b"notes".to_vec(), parameters: vec![filter.parameter_moqt::<moqtap_codec::varint::Moqt18>()?] }).encode(&mut buf)?;
    s.write_all(&buf).await?;
    let _serving = publisher.serve("notes", 1, Vec::new(), Vec::new()).await?;
    let mut b = [0u8; 4096];
    eprintln!("{:?}", r.read(&mut b).await);
    for id in 4..=7 {
        publisher.send(group(1, id), &[object(0, "a"), object(1, format!("b{id}"))]).await?;
    }
    for _ in 0..3 {
        let Ok(u) = tokio::time::timeout(std::time::Duration::from_secs(2), t.accept_uni()).await else { eprintln!("none"); break };
        let mut u = u?;
        eprintln!("stream {}", u.stream_id());
        loop { 
            let Ok(n) = tokio::time::timeout(std::time::Duration::from_secs(1), u.read(&mut b)).await else { eprintln!("pending"); break };
            match n { Ok(Some(n)) => eprintln!("{:x?}", &b[..n]), e => { eprintln!("{e:?}"); break } } }
    }
    eprintln!("{:x?} {:x?}", r.read(&mut b).await, &b[..60]);
    anyhow::bail!("x")
}
