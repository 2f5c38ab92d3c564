//! Versions of the configuration: numbered, taken back, confirmed, proven, told in the audit log.

use crate::common::{Hands, NOON, close, config, document, open};
use riser_model::audit::action;
use riser_model::{AuditHash, ConfigurationDifference, ConfigurationState, Timestamp};
use riser_store::{AuditFilter, Deed, NewConfiguration, Store, Trace, read_configurations};

fn by(name: &str) -> Deed {
    Deed::by(Trace::new(name, "console"))
}

fn waiting(body: &str) -> NewConfiguration {
    NewConfiguration {
        until: Some(Timestamp(NOON + 600_000)),
        note: "a try".to_owned(),
        differences: vec![ConfigurationDifference {
            at: "rule[frost].condition.limit".to_owned(),
            before: Some("4.0".to_owned()),
            after: Some("5.0".to_owned()),
        }],
        ..document(body)
    }
}

async fn running(store: &Store) -> u32 {
    store
        .configuration()
        .await
        .unwrap()
        .unwrap()
        .version
        .version
}

async fn told(store: &Store) -> Vec<(String, String, String, String)> {
    let filter = AuditFilter {
        limit: 100,
        ..AuditFilter::default()
    };
    let mut entries = store.audit(filter).await.unwrap();
    entries.reverse();
    entries
        .into_iter()
        .map(|e| (e.action, e.actor, e.object, e.detail))
        .collect()
}

#[tokio::test]
async fn an_equal_document_is_no_new_version() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), &Hands::new(NOON));
    assert_eq!(store.configuration().await.unwrap(), None);
    for _ in 0..3 {
        let add = store.add_configuration(document("a = 1"), by("anna"));
        assert_eq!(add.await.unwrap(), 1);
    }
    assert_eq!(told(&store).await.len(), 1);
    close(store).await;
}

#[tokio::test]
async fn what_is_taken_back_gives_way_to_the_one_before_and_everything_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), &Hands::new(NOON));
    store
        .add_configuration(document("a"), by("anna"))
        .await
        .unwrap();
    store
        .add_configuration(waiting("b"), by("anna"))
        .await
        .unwrap();
    assert_eq!(running(&store).await, 2);
    let back = by("riserd").because("nobody confirmed it");
    assert!(store.revert_configuration(2, back.clone()).await.unwrap());
    assert!(
        !store.revert_configuration(2, back).await.unwrap(),
        "it is over"
    );
    assert_eq!(running(&store).await, 1);
    // The same document again is another try, not what was taken back.
    assert_eq!(
        store
            .add_configuration(waiting("b"), by("bob"))
            .await
            .unwrap(),
        3
    );
    assert!(store.confirm_configuration(3, by("bob")).await.unwrap());
    assert!(!store.confirm_configuration(3, by("bob")).await.unwrap());
    assert_eq!(running(&store).await, 3);
    let all = store.configurations().await.unwrap();
    let states: Vec<_> = all
        .iter()
        .map(|d| (d.version.version, d.version.state))
        .collect();
    let (reverted, confirmed) = (ConfigurationState::Reverted, ConfigurationState::Confirmed);
    assert_eq!(states, [(3, confirmed), (2, reverted), (1, confirmed)]);
    assert_eq!(all[1].version.reason, "nobody confirmed it");
    let told = told(&store).await;
    let actions: Vec<_> = told
        .iter()
        .map(|(a, who, ..)| (a.as_str(), who.as_str()))
        .collect();
    assert_eq!(
        actions,
        [
            (action::CONFIGURATION, "anna"),
            (action::CONFIGURATION, "anna"),
            (action::CONFIGURATION_REVERTED, "riserd"),
            (action::CONFIGURATION, "bob"),
            (action::CONFIGURATION_CONFIRMED, "bob"),
        ]
    );
    let hash = AuditHash([b'b'; 32]).to_string();
    assert!(told[1..3].iter().all(|t| t.3.contains(&hash)), "{told:?}");
    assert!(told[2].3.contains("nobody confirmed it"), "{told:?}");
    let change = r#"{"after":"5.0","at":"rule[frost].condition.limit","before":"4.0"}"#;
    let with_changes: Vec<_> = told.iter().map(|t| t.3.contains(change)).collect();
    assert_eq!(with_changes, [false, true, false, true, false]);
    close(store).await;
}

#[tokio::test]
async fn starts_are_counted_until_a_run_is_steady_and_read_before_the_store_is_open() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(
        read_configurations(&config(dir.path())).unwrap().documents,
        []
    );
    let (store, _) = open(dir.path(), &Hands::new(NOON));
    store
        .add_configuration(document("a"), by("anna"))
        .await
        .unwrap();
    store.configuration_started(1, true).await.unwrap();
    store.configuration_started(1, true).await.unwrap();
    store
        .set_configuration_seed(AuditHash([7; 32]))
        .await
        .unwrap();
    let standing = read_configurations(&config(dir.path())).unwrap();
    assert_eq!(standing.seed, Some(AuditHash([7; 32])));
    assert_eq!(standing.documents[0].starts, 2);
    store.configuration_started(1, false).await.unwrap();
    assert_eq!(store.configuration().await.unwrap().unwrap().starts, 0);
    store.configuration_started(1, true).await.unwrap();
    store.configuration_proven(1).await.unwrap();
    let proven = store.configuration().await.unwrap().unwrap();
    assert_eq!((proven.starts, proven.version.proven), (0, true));
    close(store).await;
}

#[tokio::test]
async fn the_last_proven_document_outlives_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path(), &Hands::new(NOON));
    store
        .add_configuration(document("a"), by("anna"))
        .await
        .unwrap();
    store.configuration_proven(1).await.unwrap();
    for n in 0..60 {
        let body = if n % 2 == 0 { "b" } else { "c" };
        store
            .add_configuration(document(body), by("anna"))
            .await
            .unwrap();
    }
    let all = store.configurations().await.unwrap();
    assert_eq!(all.len(), 51);
    assert_eq!(all.last().unwrap().version.version, 1);
    close(store).await;
}
