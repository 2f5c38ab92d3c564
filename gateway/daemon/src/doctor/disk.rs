//! The data folder and the store in it.

use super::finding::Finding;
use crate::config::Config;
use riser_store::StoreConfig;
use std::path::Path;

/// Looks at the folder, its free space and every file of the store.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let dir = &config.gateway.data_dir;
    let place = dir.display().to_string();
    if !dir.is_dir() {
        return vec![Finding::doubtful(
            "data",
            &place,
            "the folder is not there yet",
            "riserd makes it at its first start, if it may",
        )];
    }
    let mut findings = vec![writable(dir, &place), space(config, &place)];
    findings.extend(riser_store::block_size(dir).and_then(|octets| blocks(octets, &place)));
    if dir.join("state.db").exists() {
        findings.extend(store(dir, &place));
    }
    findings
}

fn writable(dir: &Path, place: &str) -> Finding {
    match tempfile_in(dir) {
        Ok(()) => Finding::good("data", place, "can be written"),
        Err(error) => Finding::broken(
            "data",
            place,
            &format!("a file could not be made: {error}"),
            "run this as the user of riserd, or give that user the folder",
        ),
    }
}

fn tempfile_in(dir: &Path) -> std::io::Result<()> {
    let path = dir.join(format!(".doctor-{}", std::process::id()));
    std::fs::write(&path, b"x")?;
    std::fs::remove_file(&path)
}

fn space(config: &Config, place: &str) -> Finding {
    let settings = StoreConfig::new(&config.gateway.data_dir);
    let least = u64::from(config.storage.min_free_mb) << 20;
    match (settings.free_space)(&config.gateway.data_dir) {
        None => Finding::doubtful(
            "space",
            place,
            "the free space is not known",
            "look with 'df'",
        ),
        Some(free) if free < least => Finding::broken(
            "space",
            place,
            &format!(
                "{} MB free, below min_free_mb; old history is being dropped",
                free >> 20
            ),
            "make room, or lower retention_days or min_free_mb in [storage]",
        ),
        Some(free) => Finding::good("space", place, &format!("{} MB free", free >> 20)),
    }
}

/// Something to say when the blocks of the file system are small.
fn blocks(octets: u64, place: &str) -> Option<Finding> {
    (octets < riser_store::LEAST_BLOCK).then(|| {
        Finding::doubtful(
            "blocks",
            place,
            &format!(
                "the file system has blocks of {octets} octets: a disk that is full to the last of them ends riserd \
                 (SIGBUS), which loses what it had not written yet"
            ),
            "make the file system anew with blocks of 4096 octets (mkfs.ext4 -b 4096)",
        )
    })
}

fn store(dir: &Path, place: &str) -> Vec<Finding> {
    match riser_store::check(dir) {
        Ok(report) if report.problems.is_empty() => vec![Finding::good(
            "store",
            place,
            &format!(
                "sound: {} files, {} batches, {} samples",
                report.files.len(),
                report.batches,
                report.samples
            ),
        )],
        Ok(report) => {
            let finding = |problem: &String| {
                let advice = "restart riserd: it sets a damaged file aside and goes on; keep the \
                              file for whoever looks into it, and look at the disk (dmesg)";
                Finding::broken("store", place, problem, advice)
            };
            report.problems.iter().map(finding).collect()
        }
        Err(error) => vec![Finding::broken(
            "store",
            place,
            &riser_model::chain(&error),
            "run this as the user of riserd",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn small_blocks_are_spoken_of_and_common_ones_are_not() {
        let finding = blocks(1024, "/data").unwrap();
        assert_eq!(finding.verdict, Verdict::Doubtful);
        assert!(finding.to_string().contains("mkfs.ext4 -b 4096"));
        assert_eq!(blocks(4096, "/data"), None);
        assert_eq!(blocks(131_072, "/data"), None);
    }
}
