//! Scenarios that mostly wait for timers, all at once: one after the other they would take many
//! minutes. Owns only that each of them is run and heard.

use crate::{consumer, damage, ledger, link};
use riser_faults::beside_others;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mostly_waits() {
    let _turn = beside_others().await;
    let mut scenarios = JoinSet::new();
    let mut begin = |what: &'static str, scenario: futures_util::future::BoxFuture<'static, ()>| {
        scenarios.spawn(async move {
            let begun = std::time::Instant::now();
            let ended = tokio::spawn(scenario).await;
            eprintln!("scenario {what}: {:.0?}", begun.elapsed());
            ended.map_err(|_| what)
        });
    };
    for fault in link::FAST {
        begin("a fault of the link", Box::pin(link::suffer(fault)));
    }
    begin("a flapping link", Box::pin(link::flapping(15)));
    begin("a frozen cloud", Box::pin(consumer::frozen_cloud()));
    begin("nothing goes upward", Box::pin(consumer::nothing_upward()));
    begin("damaged octets", Box::pin(damage::octets()));
    begin("a damaged cloud", Box::pin(damage::cloud()));
    begin("the ledger after kills", Box::pin(ledger::kills()));
    let ended = scenarios.join_all().await;
    let failed: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    assert!(
        failed.is_empty(),
        "failed: {failed:?}; the reasons are above"
    );
}
