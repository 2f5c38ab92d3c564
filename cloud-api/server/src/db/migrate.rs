//! Brings a database file to the version of this program. Owns the numbered steps; `schema.sql`
//! is the commented truth of the newest version, which a fresh file gets at once.

use super::DbError;
use rusqlite::Connection;

const SCHEMA: &str = include_str!("schema.sql");

/// Step `n` brings version `n + 1` to `n + 2`.
const STEPS: &[&str] = &[
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
    include_str!("schema-7.sql"),
];

/// Version of the schema this program works with.
#[expect(clippy::cast_possible_wrap, reason = "a handful of steps")]
pub const VERSION: i64 = 1 + STEPS.len() as i64;

/// Creates or upgrades, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), DbError> {
    let failed = DbError::sqlite("bring the database to this version");
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(&failed)?;
    if found == VERSION {
        return Ok(());
    }
    if found > VERSION {
        return Err(DbError::Limit(format!(
            "the database has version {found}, this program knows up to {VERSION}: it was written \
             by a newer riser-cloud; start that one, or restore a backup"
        )));
    }
    let tx = connection.transaction().map_err(&failed)?;
    if found == 0 {
        tx.execute_batch(SCHEMA).map_err(&failed)?;
    } else {
        let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
        for step in STEPS.iter().skip(done) {
            tx.execute_batch(step).map_err(&failed)?;
        }
    }
    tx.pragma_update(None, "user_version", VERSION)
        .map_err(&failed)?;
    tx.commit().map_err(&failed)
}

/// Refuses a database that is not of this program's version.
pub(super) fn expect_current(connection: &Connection) -> Result<(), DbError> {
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(DbError::sqlite("read the version of the database"))?;
    if found == VERSION {
        return Ok(());
    }
    Err(DbError::Limit(format!(
        "a running riser-cloud uses version {found} of the database, this program version \
         {VERSION}; use the program of the running service"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_database_gets_the_newest_version_once() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        let version: i64 = connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, VERSION);
    }

    #[test]
    fn an_older_database_becomes_what_a_fresh_one_is() {
        let tables = |c: &Connection| -> Vec<String> {
            let mut query = c
                .prepare("SELECT sql FROM sqlite_schema WHERE name LIKE 'ledger%' OR name LIKE 'audit%' OR name LIKE 'roll%' OR name LIKE 'configuration%' ORDER BY name")
                .unwrap();
            let rows = query.query_map([], |r| r.get::<_, String>(0)).unwrap();
            rows.map(|sql| {
                let sql = sql.unwrap();
                let lines = sql
                    .lines()
                    .map(|l| l.split("--").next().unwrap_or_default().trim());
                lines.collect::<Vec<_>>().join(" ")
            })
            .collect()
        };
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        migrate(&mut old).unwrap();
        old.execute_batch(
            "DROP TABLE ledger; DROP TABLE ledger_hour; DROP TABLE ledger_lane;
             DROP TABLE received;
             DROP TABLE audit; DROP TABLE audit_fault; DROP TABLE ledger_recount;
             ALTER TABLE command DROP COLUMN issued_from;
             ALTER TABLE acknowledgement DROP COLUMN taken_from;
             DROP TABLE rollup; DROP TABLE rolled_hour; DROP TABLE configuration_desired;
             PRAGMA user_version = 1",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        assert!(!tables(&fresh).is_empty());
        assert_eq!(tables(&old), tables(&fresh));
    }

    #[test]
    fn a_break_that_version_3_knew_of_stays() {
        let mut old = Connection::open_in_memory().unwrap();
        migrate(&mut old).unwrap();
        old.execute_batch(
            "DROP TABLE ledger_recount; DROP TABLE audit_fault;
             CREATE TABLE audit_break (gateway INTEGER PRIMARY KEY, no INTEGER NOT NULL,
               reason TEXT NOT NULL, noticed_at INTEGER NOT NULL) STRICT;
             ALTER TABLE command DROP COLUMN issued_from;
             ALTER TABLE acknowledgement DROP COLUMN taken_from;
             PRAGMA foreign_keys = OFF; INSERT INTO audit_break VALUES (1, 7, 'changed', 99);
             DROP TABLE rollup; DROP TABLE rolled_hour; DROP TABLE configuration_desired;
             PRAGMA user_version = 3",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        let sql = "SELECT no, reason, noticed_at, taken_at FROM audit_fault";
        let kept: (i64, String, i64, Option<i64>) = old
            .query_row(sql, [], |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })
            .unwrap();
        assert_eq!(kept, (7, "changed".to_owned(), 99, None));
    }

    #[test]
    fn what_version_4_was_to_send_is_sent_and_nobody_knows_from_where() {
        let columns = |c: &Connection, table: &str| -> Vec<String> {
            let mut query = c
                .prepare("SELECT name || ' ' || type FROM pragma_table_info(?1) ORDER BY name")
                .unwrap();
            let rows = query.query_map([table], |r| r.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        let mut old = Connection::open_in_memory().unwrap();
        migrate(&mut old).unwrap();
        old.execute_batch(
            "ALTER TABLE command DROP COLUMN issued_from;
             ALTER TABLE acknowledgement DROP COLUMN taken_from;
             PRAGMA foreign_keys = OFF;
             INSERT INTO command VALUES (1, x'01', 'ahu-1/fan', '{}', 'requested', '{}', 5, 9, 1, NULL, 0, 0);
             INSERT INTO acknowledgement VALUES (1, x'02', '{}', 5);
             DROP TABLE rollup; DROP TABLE rolled_hour; DROP TABLE configuration_desired;
             PRAGMA user_version = 4",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        for table in ["command", "acknowledgement"] {
            assert_eq!(columns(&old, table), columns(&fresh, table));
        }
        let kept: (i64, Option<String>, Option<String>) = old
            .query_row(
                "SELECT pending, issued_from, taken_from FROM command, acknowledgement",
                [],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
            )
            .unwrap();
        assert_eq!(kept, (1, None, None));
    }

    #[test]
    fn batches_of_version_5_stay_and_rollups_may_come() {
        let mut old = Connection::open_in_memory().unwrap();
        migrate(&mut old).unwrap();
        old.execute_batch(
            "DROP TABLE rollup; DROP TABLE rolled_hour; DROP TABLE configuration_desired;
             PRAGMA foreign_keys = OFF;
             INSERT INTO batch VALUES (1, 2, 7, 60000, 119999, 6, 1, 99, x'52');
             PRAGMA user_version = 5",
        )
        .unwrap();
        migrate(&mut old).unwrap();
        old.execute_batch(
            "INSERT INTO rollup VALUES (1, 1, 1, 0, 1, 1, 99, x'52');
             INSERT INTO rolled_hour VALUES (1, 0, 6)",
        )
        .unwrap();
        let sql = "SELECT b.seq, r.minute FROM batch b JOIN rollup r ON r.epoch = b.epoch";
        let both: (i64, i64) = old
            .query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?)))
            .unwrap();
        assert_eq!(both, (7, 1));
    }

    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        let error = migrate(&mut connection).unwrap_err();
        assert!(error.to_string().contains("newer riser-cloud"), "{error}");
    }
}
