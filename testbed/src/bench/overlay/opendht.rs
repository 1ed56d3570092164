//! OpenDHT doing the same work: `peers/opendht_bench.cpp`, compiled when it is needed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::leash::leashed;

const SOURCE: &str = include_str!("../../../peers/opendht_bench.cpp");

/// What it is linked with; only if it is there can the rest be expected to work.
const PROBE: &str = "#include <opendht.h>\nint main() { return 0; }\n";

const MISSING: &str = "install g++ libopendht-dev";

/// The compiled program.
#[derive(Debug)]
pub(super) struct OpenDht {
    dir: TempDir,
}

/// What it came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) put_p50_us: f64,
    /// Until OpenDHT says that a get is done.
    pub(super) get_p50_us: f64,
    pub(super) get_p99_us: f64,
    /// With 64 in flight.
    pub(super) gets_per_second: f64,
}

impl OpenDht {
    /// Compiles it. If it cannot be for want of a package, says what to do.
    pub(super) fn compile() -> Result<Result<OpenDht, &'static str>> {
        let dir = TempDir::new()?;
        if !compiles(&dir, "probe", PROBE)?.is_ok_and(|errors| errors.is_none()) {
            return Ok(Err(MISSING));
        }
        let errors = compiles(&dir, "bench", SOURCE)??;
        match errors {
            None => Ok(Ok(OpenDht { dir })),
            Some(errors) => anyhow::bail!("cannot compile opendht_bench.cpp:\n{errors}"),
        }
    }

    /// Runs it once. To be called in the main thread, with which it ends.
    pub(super) fn measure(&self, nodes: usize, keys: usize, turn: Duration) -> Result<Figures> {
        let mut command = leashed(self.dir.path().join("bench"));
        command.args([nodes.to_string(), keys.to_string(), (turn / 2).as_secs_f64().to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = Running(command.spawn().context("cannot start opendht_bench")?);
        let output = running.0.stdout.take().context("no standard output")?;
        let mut figures = Figures::default();
        for line in BufReader::new(output).lines() {
            figures.take(&serde_json::from_str(&line?)?)?;
        }
        let status = running.0.wait()?;
        ensure!(status.success(), "opendht_bench: {status}");
        Ok(figures)
    }
}

impl Figures {
    fn take(&mut self, line: &Value) -> Result<()> {
        let number = |name| line[name].as_f64().with_context(|| format!("no {name} in {line}"));
        match line["what"].as_str() {
            Some("put") => self.put_p50_us = number("p50_us")?,
            Some("get") => {
                self.get_p50_us = number("p50_us")?;
                self.get_p99_us = number("p99_us")?;
            }
            Some("gets") => self.gets_per_second = number("per_second")?,
            _ => {}
        }
        Ok(())
    }
}

/// Ends with whoever started it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Compiles a program; what the compiler has against it, if it has, or why there is no compiler.
fn compiles(dir: &TempDir, name: &str, source: &str) -> Result<std::io::Result<Option<String>>> {
    let path = dir.path().join(name).with_extension("cpp");
    std::fs::write(&path, source)?;
    let mut command = Command::new("g++");
    command.args(["-O2", "-std=c++17", "-o"]).arg(dir.path().join(name)).arg(path);
    let output = command.args(["-lopendht", "-lpthread"]).output();
    let errors = |output: std::process::Output| {
        let failed = !output.status.success();
        failed.then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    Ok(output.map(errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lines_become_figures() {
        let mut figures = Figures::default();
        for line in [
            r#"{"what":"ready","nodes":72,"connected":72,"seconds":12.1}"#,
            r#"{"what":"put","done":400,"p50_us":1875.5}"#,
            r#"{"what":"get","asked":357,"right":357,"p50_us":2400.5,"p99_us":11302.5}"#,
            r#"{"what":"gets","asked":876,"right":812,"per_second":811.7}"#,
        ] {
            figures.take(&serde_json::from_str(line).unwrap()).unwrap();
        }
        assert_eq!(figures.get_p50_us, 2400.5);
        assert_eq!(figures.gets_per_second, 811.7);
        assert!(figures.take(&serde_json::json!({"what": "put"})).is_err());
    }
}
