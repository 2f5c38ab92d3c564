//! The floor beside our figures: `floor.c`, a libmodbus loop that reads the same registers at the
//! same rate and keeps nothing. Owns compiling and running it.

use riser_e2e::peers::root;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use tokio::process::Command;

/// The compiled loop.
#[derive(Debug)]
pub(crate) struct Floor {
    program: PathBuf,
    _folder: TempDir,
}

impl Floor {
    /// Compiles it with the machine's `cc` against the machine's libmodbus.
    pub(crate) async fn compile() -> Result<Self, String> {
        let folder = TempDir::with_prefix("riser-floor-").map_err(|e| e.to_string())?;
        let (source, program) = (
            root().join("tests/bench/src/floor.c"),
            folder.path().join("floor"),
        );
        let mut compile = Command::new("cc");
        compile
            .arg("-O2")
            .arg("-o")
            .arg(&program)
            .arg(&source)
            .arg("-lmodbus");
        run(compile, "compile floor.c (packages gcc and libmodbus-dev)").await?;
        Ok(Self {
            program,
            _folder: folder,
        })
    }

    /// Microseconds of processor time for one register, when `count` registers are read
    /// `per_second` times a second, for so many seconds.
    pub(crate) async fn micros_each(
        &self,
        port: u16,
        count: u32,
        per_second: u32,
        seconds: u32,
    ) -> Result<f64, String> {
        let reads = per_second * seconds;
        let mut floor = Command::new(&self.program);
        floor.args([u32::from(port), count, reads, per_second].map(|n| n.to_string()));
        let output = run(floor, "run the libmodbus loop").await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let micros: f64 = said
            .trim()
            .parse()
            .map_err(|e| format!("the libmodbus loop said '{said}': {e}"))?;
        Ok(micros / f64::from(count * reads))
    }
}

/// The libmodbus it is linked with.
pub(crate) async fn version() -> String {
    let mut ask = Command::new("pkg-config");
    ask.args(["--modversion", "libmodbus"]);
    first_line(ask).await
}

/// The first line a program prints, or a question mark.
pub(crate) async fn first_line(mut program: Command) -> String {
    let output = program.output().await;
    let text = output
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

/// The version a program of the product tells.
pub(crate) async fn product(program: &Path) -> String {
    let mut ask = Command::new(program);
    ask.arg("--version");
    first_line(ask).await
}

async fn run(mut command: Command, what: &str) -> Result<Output, String> {
    let output = command
        .output()
        .await
        .map_err(|e| format!("could not {what}: {e}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("could not {what}: {}", said.trim()))
}
