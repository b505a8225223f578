//! A run folder on a disk that fills up.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::ONE_AT_A_TIME;
use super::live_run::LiveRun;
use super::support::Place;

/// A disk in memory, unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, size: &str) -> Result<Self, String> {
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&path)
            .output()
            .map_err(|error| error.to_string())?;
        if mounted.status.success() {
            Ok(Self(path))
        } else {
            Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned())
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever may still hold it is ended, but perhaps not gone.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// How a run ended on a disk of that size; an error when no disk may be mounted here.
async fn fails_on_a_disk_of(size: &str) -> Result<(), String> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let place = Place::new();
    let _disk = SmallDisk::mount(place.path("disk"), size)?;
    let mut command = place.firedrill();
    command.arg("run").arg(place.steady_drill()).arg("--out").arg(place.path("disk"));
    let mut run = LiveRun::start_command(command, place.path("disk"), place.path("disk.log"));
    let ended = run.ended().await;
    assert!(matches!(ended.code, Some(3 | 4)), "exit {:?}: {}", ended.code, ended.told);
    assert!(ended.told.contains("No space left on device"), "{}", ended.told);
    assert!(!ended.told.contains("PASSED") && !ended.told.contains("held"), "{}", ended.told);
    assert_eq!(run.processes(), [] as [u32; 0]);
    assert_eq!(place.unfinished(), [] as [&str; 0]);
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_full_while_the_stack_starts_ends_the_run_with_a_sentence() {
    if let Err(why) = fails_on_a_disk_of("64k").await {
        println!("skipped: no disk can be mounted here: {why}");
    }
}

#[tokio::test]
async fn a_disk_that_is_full_when_evidence_is_written_ends_the_run_with_a_sentence() {
    if let Err(why) = fails_on_a_disk_of("1m").await {
        println!("skipped: no disk can be mounted here: {why}");
    }
}
