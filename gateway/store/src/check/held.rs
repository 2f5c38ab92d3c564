//! What waits for the time to be known (`held.db`): each batch can be read and is as long as it says.

use super::CheckReport;
use crate::StoreError;
use crate::error::Doing;
use std::path::Path;

pub(super) fn check(path: &Path, report: &mut CheckReport) -> Result<(), StoreError> {
    let conn = report.open(path)?;
    let doing = "check what is held back";
    conn.execute_batch("BEGIN").doing(doing, path)?;
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |r| r.get(0))
        .doing("read the version", path)?;
    let counts = if version < 2 { "NULL" } else { "counts" };
    let sql = format!("SELECT samples, frame, {counts} FROM batch");
    let mut query = conn.prepare(&sql).doing(doing, path)?;
    let mut rows = query.query([]).doing(doing, path)?;
    let (mut damaged, mut uncounted) = (0u64, 0u64);
    while let Some(row) = rows.next().doing(doing, path)? {
        let samples: u64 = row.get(0).doing(doing, path)?;
        let frame = row.get_ref(1).and_then(|v| Ok(v.as_blob()?));
        let frame = frame.doing(doing, path)?;
        let whole = riser_wire::decode_data(frame).is_ok_and(|(_, s)| s.len() as u64 == samples);
        damaged += u64::from(!whole);
        let counts: Option<Vec<u8>> = row.get(2).doing(doing, path)?;
        let right = counts.is_none_or(|c| crate::ledger::counts_are_of(&c, samples));
        uncounted += u64::from(!right);
    }
    drop(rows);
    report.count(path, damaged, "batches that are held back are damaged");
    report.count(path, uncounted, "batches have damaged counts beside them");
    let mut query = conn.prepare("SELECT ids FROM moving").doing(doing, path)?;
    let lists = query.query_map([], |r| r.get::<_, String>(0));
    for list in lists.doing(doing, path)? {
        let list = list.doing(doing, path)?;
        let readable = serde_json::from_str::<Vec<i64>>(&list).is_ok();
        report.count(
            path,
            u64::from(!readable),
            "lists of batches on their way are damaged",
        );
    }
    Ok(())
}
