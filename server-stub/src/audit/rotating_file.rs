//! A file that is put aside when it is large: `audit.log` becomes `audit-2026-01-02T03-04-05.678.log` (UTC), and those
//! of which there are too many, or that are too old, are removed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::generic::clock::Clock;

/// The time in the name of a file that was put aside, without its milliseconds.
const TIME_IN_NAME: &str = "%Y-%m-%dT%H-%M-%S";
const COMPRESSED: &str = ".gz";

/// When a file is put aside, and how long it is kept then. Default: never, and for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The size in bytes that a file does not exceed, unless a single line does; 0 for any size.
    pub(crate) max_size: u64,
    /// How many files are kept; 0 for all.
    pub(crate) max_backups: usize,
    /// How many days they are kept; 0 for ever.
    pub(crate) max_age_days: i64,
    /// Whether they are compressed.
    pub(crate) compress: bool,
}

/// The file that is written to. Each write is a line, which is never divided.
pub(crate) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    clock: Clock,
    file: File,
    size: u64,
    /// Removes and compresses in the background.
    cleaner: Option<JoinHandle<()>>,
}

impl RotatingFile {
    /// Appends to a file, which is made if it is not there and can be read by its owner only.
    pub(crate) fn open(path: &Path, rotation: Rotation, clock: Clock) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        Ok(Self {
            path: path.to_owned(),
            rotation,
            clock,
            size: file.metadata()?.len(),
            file,
            cleaner: None,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let names = Names::of(&self.path);
        let mut time = self.clock.now();
        // A name that is taken would be overwritten.
        while names.backup(time).exists() || with_suffix(&names.backup(time)).exists() {
            time += SignedDuration::from_millis(1);
        }
        std::fs::rename(&self.path, names.backup(time))?;
        self.file = append_to(&self.path)?;
        self.size = 0;
        self.join_cleaner();
        let (rotation, now) = (self.rotation.clone(), self.clock.now());
        self.cleaner = Some(std::thread::spawn(move || {
            if let Err(error) = clean(&names, &rotation, now) {
                tracing::error!(%error, "remove and compress old files of the audit log");
            }
        }));
        Ok(())
    }

    fn join_cleaner(&mut self) {
        if let Some(cleaner) = self.cleaner.take() {
            let _ = cleaner.join();
        }
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let size = self.size.saturating_add(line.len() as u64);
        let is_full = self.rotation.max_size > 0 && self.size > 0 && size > self.rotation.max_size;
        if is_full && let Err(error) = self.rotate() {
            // A file that is too large loses nothing.
            tracing::error!(%error, "put the audit log aside");
        }
        self.file.write_all(line)?;
        self.size = self.size.saturating_add(line.len() as u64);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for RotatingFile {
    fn drop(&mut self) {
        self.join_cleaner();
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// How the files that were put aside are called.
struct Names {
    folder: PathBuf,
    prefix: String,
    extension: String,
}

/// A file that was put aside, and when.
struct Backup {
    time: Timestamp,
    path: PathBuf,
}

impl Names {
    fn of(path: &Path) -> Self {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self {
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            prefix: format!("{}-", text(path.file_stem())),
            extension: path
                .extension()
                .map(|extension| format!(".{}", text(Some(extension))))
                .unwrap_or_default(),
        }
    }

    fn backup(&self, time: Timestamp) -> PathBuf {
        let (prefix, extension) = (&self.prefix, &self.extension);
        let time = time.strftime("%Y-%m-%dT%H-%M-%S.%3f");
        self.folder.join(format!("{prefix}{time}{extension}"))
    }

    /// The time in the name of a file, if it was put aside.
    fn time(&self, name: &str) -> Option<Timestamp> {
        let name = name.strip_suffix(COMPRESSED).unwrap_or(name);
        let time = name.strip_prefix(&self.prefix)?.strip_suffix(&self.extension)?;
        let (seconds, millis) = time.split_once('.')?;
        let seconds = DateTime::strptime(TIME_IN_NAME, seconds).ok()?;
        let seconds = TimeZone::UTC.to_timestamp(seconds).ok()?;
        seconds
            .checked_add(SignedDuration::from_millis(millis.parse().ok()?))
            .ok()
    }

    /// All that there are, the newest first.
    fn backups(&self) -> io::Result<Vec<Backup>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(time) = self.time(&entry.file_name().to_string_lossy()) {
                let path = entry.path();
                all.push(Backup { time, path });
            }
        }
        all.sort_by(|one, other| (other.time, &other.path).cmp(&(one.time, &one.path)));
        Ok(all)
    }
}

fn clean(names: &Names, rotation: &Rotation, now: Timestamp) -> io::Result<()> {
    let oldest = now
        .checked_sub(SignedDuration::from_hours(24 * rotation.max_age_days))
        .unwrap_or(Timestamp::MIN);
    let (mut kept, mut last) = (0, None);
    for Backup { time, path } in names.backups()? {
        // One that is just being compressed is there twice.
        if last.replace(time) != Some(time) {
            kept += 1;
        }
        let too_many = rotation.max_backups > 0 && kept > rotation.max_backups;
        let too_old = rotation.max_age_days > 0 && time < oldest;
        if too_many || too_old {
            std::fs::remove_file(&path)?;
        } else if rotation.compress && !path.as_os_str().to_string_lossy().ends_with(COMPRESSED) {
            compress(&path)?;
        }
    }
    Ok(())
}

/// Either form of the file is whole at any time.
fn compress(path: &Path) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let _ = std::fs::remove_file(&unfinished);
    let mut encoder = GzEncoder::new(append_to(Path::new(&unfinished))?, Compression::default());
    io::copy(&mut BufReader::new(File::open(path)?), &mut encoder)?;
    encoder.finish()?.sync_all()?;
    std::fs::rename(&unfinished, with_suffix(path))?;
    std::fs::remove_file(path)
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(COMPRESSED);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    const START: i64 = 1_767_323_045;

    /// A file in a folder, and a clock that goes on an hour with each look.
    fn open(folder: &Path, rotation: Rotation) -> RotatingFile {
        let seconds = Arc::new(AtomicI64::new(START));
        let clock = Clock::from_fn(move || Timestamp::from_second(seconds.fetch_add(3600, Ordering::Relaxed)).unwrap());
        RotatingFile::open(&folder.join("log/audit.log"), rotation, clock).unwrap()
    }

    /// The files by their names; what is compressed is shown as it was.
    fn files(folder: &Path) -> BTreeMap<String, String> {
        let read = |path: &Path| {
            let mut text = String::new();
            if path.extension().is_some_and(|extension| extension == "gz") {
                let mut decoder = flate2::read::GzDecoder::new(File::open(path).unwrap());
                decoder.read_to_string(&mut text).unwrap();
            } else {
                File::open(path).unwrap().read_to_string(&mut text).unwrap();
            }
            text
        };
        let entries = std::fs::read_dir(folder.join("log")).unwrap().map(Result::unwrap);
        entries
            .map(|entry| (entry.file_name().into_string().unwrap(), read(&entry.path())))
            .collect()
    }

    fn write(folder: &Path, rotation: &Rotation, lines: &[&str]) -> BTreeMap<String, String> {
        let mut file = open(folder, rotation.clone());
        for line in lines {
            file.write_all(line.as_bytes()).unwrap();
        }
        drop(file);
        files(folder)
    }

    #[test]
    fn a_file_that_is_full_is_put_aside_and_no_line_is_divided_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation {
            max_size: 10,
            ..Rotation::default()
        };
        let written = write(
            folder.path(),
            &rotation,
            &["one\n", "two\n", "three\n", "longer than all\n", "six\n"],
        );
        let names: Vec<&str> = written.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "audit-2026-01-02T03-04-05.000.log",
                "audit-2026-01-02T05-04-05.000.log",
                "audit-2026-01-02T07-04-05.000.log",
                "audit.log"
            ]
        );
        let lines: Vec<&str> = written.values().map(String::as_str).collect();
        assert_eq!(lines, ["one\ntwo\n", "three\n", "longer than all\n", "six\n"]);
        // The next program goes on with the file, and takes no name that is there.
        let written = write(folder.path(), &rotation, &["seven\n", "eight\n"]);
        assert_eq!(written["audit.log"], "eight\n");
        assert_eq!(written["audit-2026-01-02T03-04-05.001.log"], "six\nseven\n");
        assert_eq!(written["audit-2026-01-02T03-04-05.000.log"], "one\ntwo\n");
    }

    #[test]
    fn too_many_and_too_old_ones_are_removed_and_others_compressed() {
        let rotation = Rotation {
            max_size: 4,
            max_backups: 2,
            max_age_days: 0,
            compress: true,
        };
        let folder = tempfile::tempdir().unwrap();
        let lines = ["one\n", "two\n", "thr\n", "fou\n", "fiv\n"];
        let written = write(folder.path(), &rotation, &lines);
        let shown: Vec<(&str, &str)> = written.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!(
            shown,
            [
                ("audit-2026-01-02T07-04-05.000.log.gz", "thr\n"),
                ("audit-2026-01-02T09-04-05.000.log.gz", "fou\n"),
                ("audit.log", "fiv\n"),
            ]
        );
        let rotation = Rotation {
            max_size: 4,
            max_age_days: 1,
            ..Rotation::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let lines = vec!["new\n"; 20];
        let written = write(folder.path(), &rotation, &lines);
        // The clock goes on two hours with each: twelve are within a day.
        assert_eq!(written.len(), 13, "{:?}", written.keys());
        std::fs::write(folder.path().join("log/audit-of-somebody-else.log"), "x").unwrap();
        let written = write(folder.path(), &rotation, &lines);
        assert!(written.contains_key("audit-of-somebody-else.log"));
    }
}
