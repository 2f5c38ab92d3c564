//! The watch stream: what somebody looks at, at once, for as long as the lease lasts.

use crate::support::{Bench, Setup, path};
use riser_model::{Quality, ScanBatch, Value};
use std::time::Duration;
use tokio::sync::mpsc;

async fn next(feed: &mut mpsc::Receiver<ScanBatch>) -> ScanBatch {
    crate::support::within(async { feed.recv().await.expect("it goes on") }).await
}

#[tokio::test]
async fn watched_points_go_out_at_once_until_the_lease_is_over() {
    let bench = Bench::new(Setup::default()).await;
    bench.device.up().await;
    tokio::time::pause();
    let mut feed = bench.runtime.take_watch_feed().unwrap();
    assert!(bench.runtime.take_watch_feed().is_none());
    let mut live = bench.runtime.live();
    bench.read_temp(20.0).await;
    live.recv().await.unwrap();

    let known = bench.runtime.watch(
        &[path("d/temp"), path("d/valve"), path("d/nothing")],
        Duration::from_secs(30),
    );
    assert_eq!(known, 2);
    // The present value of what was read, before anything new is.
    let present = next(&mut feed).await;
    assert_eq!(present.readings.len(), 1);
    assert_eq!(present.readings[0].value, Some(Value::Float(20.0)));

    let began = tokio::time::Instant::now();
    bench.read_temp(21.0).await;
    let watched = next(&mut feed).await;
    assert_eq!(watched.readings[0].value, Some(Value::Float(21.0)));
    assert!(began.elapsed() < Duration::from_millis(250));

    tokio::time::sleep(Duration::from_secs(29)).await;
    bench.read_temp(22.0).await;
    // Going stale in between is seen as well.
    let stale = next(&mut feed).await;
    assert_ne!(stale.readings[0].quality, Quality::GOOD);
    let last = next(&mut feed).await;
    assert_eq!(last.readings[0].value, Some(Value::Float(22.0)));
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.read_temp(23.0).await;
    live.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(feed.try_recv().is_err());
}

#[tokio::test]
async fn a_link_that_does_not_keep_up_loses_scans_and_they_are_counted() {
    let bench = Bench::new(Setup::default()).await;
    let feed = bench.runtime.take_watch_feed().unwrap();
    bench
        .runtime
        .watch(&[path("d/temp")], Duration::from_secs(3600));
    for n in 0..1000 {
        bench.read_temp(f64::from(n % 100)).await;
    }
    crate::support::eventually("all are taken in", || bench.runtime.stats().scans == 1000).await;
    let stats = bench.runtime.stats();
    assert_eq!(stats.watch_scans, feed.len() as u64);
    assert_eq!(stats.watch_scans + stats.watch_scans_dropped, 1000);
    assert!(stats.watch_scans_dropped > 0);
}
