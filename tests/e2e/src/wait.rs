//! Waiting for a condition with a deadline, never for a while.

use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` yields something, for at most `limit`; answers how long it took.
pub async fn within<T, F, Fut>(limit: Duration, mut look: F) -> Option<(T, Duration)>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return Some((found, start.elapsed()));
        }
        if start.elapsed() > limit {
            return None;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Like [`within`], failing the test with `what` when the time is up.
///
/// # Panics
/// When the condition is not met in time: this is how a test fails.
#[expect(
    clippy::panic,
    reason = "a condition that is not met in time fails the test"
)]
pub async fn until<T, F, Fut>(what: &str, limit: Duration, look: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    match within(limit, look).await {
        Some((found, _)) => found,
        None => panic!("not within {limit:?}: {what}"),
    }
}
