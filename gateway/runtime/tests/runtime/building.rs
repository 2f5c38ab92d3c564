//! The gateway's points as an adapter shows them to others, and what others write.

use crate::fake::Answer;
use crate::support::{Bench, Setup, path};
use riser_model::{AuthorKind, CommandState, Priority, Value};

fn level(level: u8) -> Priority {
    Priority::new(level).expect("a level")
}

#[tokio::test]
async fn others_see_every_point_and_hear_of_changes() {
    let bench = Bench::new(Setup::default()).await;
    let building = bench.device.building().await;
    let paths: Vec<String> = building
        .points
        .points()
        .iter()
        .map(|v| v.point.path.to_string())
        .collect();
    assert_eq!(paths, ["d/temp", "d/valve"]);
    let mut changes = building.points.changes();
    bench.read_temp(20.5).await;
    let scan = changes.recv().await.expect("the feed goes on");
    let view = building
        .points
        .point(scan.readings[0].slot)
        .expect("it is there");
    assert_eq!(view.value, Some(Value::Float(20.5)));
}

#[tokio::test]
async fn a_write_of_another_system_is_a_command_with_its_outcome() {
    let bench = Bench::new(Setup::default()).await;
    let writes = bench.device.building().await.writes;
    let by = || "bacnet 192.0.2.9".to_owned();
    let write = |value: Option<f64>, at: u8| {
        writes.write(path("d/valve"), value.map(Value::Float), level(at), by())
    };
    let applied = write(Some(40.0), 10).await;
    assert_eq!(applied.outcome.state, CommandState::Applied);
    assert_eq!(applied.command.author.kind, AuthorKind::System);
    assert_eq!(bench.device.writes(), [Some(Value::Float(40.0))]);

    bench.write(bench.command(8, Some(60.0))).await;
    let held = write(Some(50.0), 10).await;
    assert_eq!(held.outcome.state, CommandState::AcceptedNotEffective);
    assert_eq!(held.outcome.held_by.map(|h| h.priority), Some(level(8)));
    let levels = writes.levels(&path("d/valve"));
    let levels: Vec<_> = levels.iter().map(|l| (l.level.level(), &l.value)).collect();
    assert_eq!(
        levels,
        [(8, &Value::Float(60.0)), (10, &Value::Float(50.0))]
    );

    let refused = write(Some(400.0), 10).await;
    assert_eq!(refused.outcome.state, CommandState::Refused);
    bench.device.answer(Answer::Refuse);
    let unknown = writes.write(path("d/nothing"), None, level(10), by());
    assert_eq!(unknown.await.outcome.state, CommandState::Refused);
}
