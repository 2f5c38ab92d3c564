//! A disk of its own for a data folder: a small ext4 in a file, loop-mounted, whose power can be cut
//! which a stranger can fill, and whose writes can fail. Owns the mount and what must be there for it.
//!
//! The cut is ext4's emergency shutdown: from that moment nothing more reaches the disk, and what
//! was only in memory is gone. Mounted again, the journal is replayed as after a real cut.

use riser_e2e::{peers, until};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// What becomes of the file system's journal in a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// It reaches the disk first.
    Flushed,
    /// What of it is in memory is lost too: the hard case.
    Lost,
}

/// A mounted disk; it goes away with the value, whoever still uses it.
#[derive(Debug)]
pub struct Disk {
    /// What is mounted: a file.
    image: PathBuf,
    mount: PathBuf,
    medium: Option<Medium>,
    folder: TempDir,
}

/// A stranger that takes whatever becomes free, until this is dropped; then it gives all of it back.
#[derive(Debug)]
pub struct Greed {
    file: PathBuf,
    /// Until it goes.
    more: Option<mpsc::Sender<()>>,
    taker: Option<JoinHandle<()>>,
}

impl Drop for Greed {
    fn drop(&mut self) {
        drop(self.more.take());
        // It ends by itself; that it panicked would show in its own words.
        let _ = self.taker.take().map(JoinHandle::join);
        let _ = std::fs::remove_file(&self.file);
    }
}

/// A block device that can be made to refuse every write, under the file system: nbdkit's error
/// filter, shown as a file by nbdfuse.
#[derive(Debug)]
struct Medium {
    shown: PathBuf,
    process: Child,
}

/// Why there can be no disks here, if there cannot.
fn obstacle() -> Option<String> {
    let root = Command::new("id").arg("-u").output();
    if root.is_ok_and(|o| o.stdout.trim_ascii() != b"0") {
        return Some("only root may mount disks; run as root".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("this kernel has no loop devices (/dev/loop-control)".to_owned());
    }
    None
}

/// Whether disks can be mounted here. Without, the scenario is skipped loudly; in continuous
/// integration that is a failure, unless the kernel cannot do it.
///
/// # Panics
/// In continuous integration, when something is missing that could be there.
#[must_use]
pub fn possible() -> bool {
    if let Some(obstacle) = obstacle() {
        let may = std::env::var_os("CI").is_none() || obstacle.starts_with("this kernel");
        assert!(may, "{obstacle}");
        eprintln!("SKIPPED: {obstacle}");
        return false;
    }
    ["mkfs.ext4", "xfs_io"]
        .iter()
        .all(|program| peers::program(program).is_some())
}

/// Whether a disk whose writes fail can be had here; as [`possible`].
///
/// # Panics
/// In continuous integration, when something is missing that could be there.
#[must_use]
pub fn may_fail() -> bool {
    possible()
        && ["nbdkit", "nbdfuse"]
            .iter()
            .all(|program| peers::program(program).is_some())
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let path = peers::program(program).unwrap_or_else(|| program.into());
    Command::new(path)
        .args(arguments)
        .output()
        .expect("a program that is there can be started")
}

fn must(program: &str, arguments: &[&str]) {
    let output = run(program, arguments);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Makes a file as large as there is room.
fn swell(path: &Path) -> File {
    let mut options = File::options();
    let file = options.create(true).append(true).open(path);
    let mut file = file.expect("the stranger's file");
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![0x5a; size];
        while file.write_all(&block).is_ok() {}
    }
    file
}

impl Disk {
    /// A fresh disk with `folder` on it: what is in the folder moves there, and a link to the disk
    /// takes its place.
    ///
    /// # Panics
    /// When the disk cannot be made or mounted.
    #[must_use]
    pub fn under(folder: &Path, megabytes: u32) -> Self {
        let disk = Self::blank(megabytes);
        disk.take(folder);
        disk
    }

    /// As [`Disk::under`], on a medium that can be made to refuse every write.
    ///
    /// # Panics
    /// When the disk cannot be made or mounted.
    pub async fn failing_under(folder: &Path, megabytes: u32) -> Self {
        let mut disk = Self::blank(megabytes);
        let (home, image) = (disk.folder.path(), text(&disk.image));
        let shown = home.join("medium");
        std::fs::create_dir(&shown).expect("a folder to show the medium in");
        let flag = text(&disk.flag());
        let process = Command::new("nbdfuse")
            .arg(format!("{}/", shown.display()))
            .args([
                "--command",
                "nbdkit",
                "-s",
                "--filter=error",
                "file",
                &image,
            ])
            .args(["error=EIO", "error-pwrite-rate=100%"])
            .arg(format!("error-file={flag}"))
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("nbdfuse can be started");
        disk.image = shown.join("nbd");
        disk.medium = Some(Medium { shown, process });
        until("the medium is there", Duration::from_secs(10), || async {
            disk.image.exists().then_some(())
        })
        .await;
        disk.take(folder);
        disk
    }

    fn blank(megabytes: u32) -> Self {
        let home = TempDir::with_prefix("riser-disk-").expect("a temporary folder");
        let (image, mount) = (home.path().join("image"), home.path().join("disk"));
        must("truncate", &["-s", &format!("{megabytes}M"), &text(&image)]);
        must(
            "mkfs.ext4",
            // Blocks as on every medium of more than 512 MB. Of smaller ones a page of SQLite's
            // memory-mapped index may find a part without room, which ends the process (SIGBUS).
            &[
                "-q",
                "-F",
                "-b",
                "4096",
                "-E",
                "lazy_itable_init=0",
                &text(&image),
            ],
        );
        std::fs::create_dir(&mount).expect("a folder to mount on");
        Self {
            image,
            mount,
            medium: None,
            folder: home,
        }
    }

    /// Mounts the disk and moves the folder to it.
    fn take(&self, folder: &Path) {
        self.mount();
        if folder.exists() {
            must("cp", &["-a", &text(&folder.join(".")), &text(&self.mount)]);
            // What is there before the scenario begins must survive its first cut.
            must("sync", &["-f", &text(&self.mount)]);
            std::fs::remove_dir_all(folder).expect("a folder that has moved");
        }
        std::os::unix::fs::symlink(&self.mount, folder).expect("a link to the disk");
    }

    fn flag(&self) -> PathBuf {
        self.folder.path().join("fails")
    }

    /// From now on every write fails.
    ///
    /// # Panics
    /// When the file that says so cannot be made.
    pub fn fail(&self) {
        std::fs::write(self.flag(), "").expect("a file in a folder of ours");
    }

    /// From now on writes work again.
    ///
    /// # Panics
    /// When the file that says so cannot be removed.
    pub fn work(&self) {
        std::fs::remove_file(self.flag()).expect("the file of fail()");
    }

    fn mount(&self) {
        must(
            "mount",
            &["-o", "loop", &text(&self.image), &text(&self.mount)],
        );
    }

    /// Cuts the power. Whoever writes now is told of an error.
    pub fn cut(&self, journal: Journal) {
        let shutdown = match journal {
            Journal::Flushed => "shutdown -f",
            Journal::Lost => "shutdown",
        };
        must("xfs_io", &["-x", "-c", shutdown, &text(&self.mount)]);
    }

    /// Powers up again. Nobody may use the disk.
    pub async fn again(&self) {
        until(
            "nobody uses the disk any more",
            Duration::from_secs(10),
            || async {
                run("umount", &[&text(&self.mount)])
                    .status
                    .success()
                    .then_some(())
            },
        )
        .await;
        self.mount();
    }

    /// Takes all the room there is, as a stranger's log would.
    ///
    /// # Panics
    /// When the stranger's file cannot be opened.
    pub fn fill(&self) {
        // An error here is what was wanted.
        let _ = swell(&self.stranger()).sync_all();
    }

    /// Takes all the room there is and, from then on, whatever is given up, sooner than anybody else
    /// can.
    #[must_use]
    pub fn greed(&self) -> Greed {
        let file = self.mount.join("greedy.log");
        let (more, enough) = mpsc::channel();
        let path = file.clone();
        let taker = std::thread::spawn(move || {
            let pause = Duration::from_millis(1);
            while enough.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                swell(&path);
            }
        });
        Greed {
            file,
            more: Some(more),
            taker: Some(taker),
        }
    }

    /// Gives the room back.
    ///
    /// # Panics
    /// When the stranger's file cannot be removed.
    pub fn free(&self) {
        std::fs::remove_file(self.stranger()).expect("the stranger's file");
    }

    fn stranger(&self) -> PathBuf {
        self.mount.join("stranger.log")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still hold it.
        let _ = run("umount", &["-l", &text(&self.mount)]);
        if let Some(mut medium) = self.medium.take() {
            let _ = run("umount", &["-l", &text(&medium.shown)]);
            let (_, _) = (medium.process.kill(), medium.process.wait());
        }
    }
}
