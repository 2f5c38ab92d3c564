//! What is in `systemd/` comes along: the installer there, and every recipe that installs one of its
//! units, leave none out.
#![expect(clippy::unwrap_used, reason = "what is not as expected fails the test")]

use riser_tidy::{report, root, sources};
use std::path::Path;
use std::process::Command;

fn names(ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join("systemd")).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

/// Runs the installer for both sides into one folder.
fn installed(below: &Path) {
    for side in ["gateway", "cloud"] {
        let mut install = Command::new(root().join("systemd/install.sh"));
        let done = install.arg(side).env("DESTDIR", below).status().unwrap();
        assert!(done.success(), "{side}");
    }
}

#[test]
fn the_installer_leaves_no_file_out() {
    let dir = std::env::temp_dir().join(format!("riser-units-{}", std::process::id()));
    installed(&dir);
    let mut breaks = Vec::new();
    for unit in names(".service") {
        if !dir.join("usr/lib/systemd/system").join(&unit).is_file() {
            breaks.push(format!("systemd/install.sh does not install {unit}"));
        }
    }
    for users in names(".sysusers.conf") {
        let name = users.replace(".sysusers", "");
        if !dir.join("usr/lib/sysusers.d").join(&name).is_file() {
            breaks.push(format!("systemd/install.sh does not install {users}"));
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
    report("units", &breaks);
}

#[test]
fn a_recipe_that_installs_one_unit_of_the_gateway_installs_them_all() {
    let gateway: Vec<String> = names(".service")
        .into_iter()
        .filter(|unit| !unit.starts_with("riser-cloud"))
        .collect();
    assert!(gateway.len() >= 2, "{gateway:?}");
    let recipes = sources(&[".bb", ".bbappend", ".inc"]);
    let mut breaks = Vec::new();
    for recipe in recipes.iter().filter(|r| r.path.starts_with("yocto/")) {
        let named = |unit: &&String| recipe.text.contains(unit.as_str());
        if recipe.text.contains("systemd/install.sh") || !gateway.iter().any(|u| named(&u)) {
            continue;
        }
        for unit in gateway.iter().filter(|unit| !named(unit)) {
            breaks.push(format!("{} does not name {unit}", recipe.path));
        }
    }
    report("recipes", &breaks);
}
