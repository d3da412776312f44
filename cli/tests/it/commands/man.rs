//! `aiinfra man`.

use std::fs;
use std::process::Command;

use crate::invoke::Shell;

#[tokio::test]
async fn every_command_has_a_manual_page_that_renders_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let man = directory.path().join("man1");
    Shell::new().run(&["man", "--dir", man.to_str().unwrap()]).await.ok();
    let pages: Vec<_> = fs::read_dir(&man).unwrap().map(|page| page.unwrap().path()).collect();
    assert!(pages.len() > 60, "{}", pages.len());
    for name in ["aiinfra", "aiinfra-claims-create", "aiinfra-slurm-jobs-submit", "aiinfra-config-use-context"] {
        assert!(man.join(format!("{name}.1")).is_file(), "{name}");
    }
    let rendered = Command::new("groff").args(["-k", "-Kutf8", "-man", "-Tutf8", "-ww", "-Wbreak", "-P-c"]).args(&pages).output();
    let Ok(rendered) = rendered else { return crate::system::skip("there is no groff") };
    assert_eq!(String::from_utf8_lossy(&rendered.stderr), "");
    let text = String::from_utf8_lossy(&rendered.stdout);
    for part in ["Exit codes:", "UTOPIA_TOKEN", "--partition"] {
        assert!(text.contains(part), "{part}");
    }
}
