//! Swagger UI, GraphiQL and gRPC-Web in a real browser, against a real control plane: runs `tests/browser/run.mjs`.
//!
//! It needs Node.js with the packages of `tests/browser` (`npm ci`), Chromium, and the control plane's program beside the
//! gateway's. Without them the test is skipped with a line on stderr, except on CI. The screenshots are kept.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// What the script needs.
struct Tools {
    control_plane: PathBuf,
    chromium: String,
    packages: PathBuf,
}

impl Tools {
    /// The tools, or what is missing.
    fn find() -> Result<Self, String> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        let chromium = std::env::var("UTOPIA_TEST_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
        let control_plane = Path::new(env!("CARGO_BIN_EXE_utopia-gateway")).with_file_name("utopia-controlplane");
        let tools = Self { control_plane, chromium, packages: tests };
        let needed = [
            (tools.control_plane.as_path(), "`cargo build --bins`"),
            (Path::new(&tools.chromium), "Chromium"),
            (&tools.packages.join("node_modules"), "`npm ci` in rest-gateway/tests/browser"),
        ];
        for (path, remedy) in needed {
            if !path.exists() {
                return Err(format!("{} is missing; it needs {remedy}", path.display()));
            }
        }
        Command::new("node").arg("--version").output().map_err(|error| format!("node does not run: {error}"))?;
        Ok(tools)
    }
}

#[test]
fn pages_work_in_a_browser() {
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(missing) if std::env::var_os("CI").is_none() => {
            writeln!(std::io::stderr(), "SKIPPED: {missing}").unwrap();
            return;
        }
        Err(missing) => panic!("{missing}"),
    };
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    fs::create_dir_all(&kept).unwrap();
    let descriptors = kept.join("descriptors.bin");
    fs::write(&descriptors, utopia_proto::DESCRIPTORS).unwrap();
    let mut script = Command::new("node");
    script.arg(tools.packages.join("run.mjs")).arg(tools.control_plane).arg(descriptors).arg(tools.chromium).arg(&kept);
    let output = script.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}screenshots are in {}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        kept.display()
    );
}
