//! Files in memory that fail, or lose power, when they are told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::storage::disk::files::{File, Files};

/// Cloning gives another handle to the same files.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultyFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// As programs see it.
    names: BTreeMap<String, usize>,
    /// What a loss of power leaves of the names.
    synced_names: BTreeMap<String, usize>,
    contents: Vec<Content>,
    /// How many operations that change something have been tried.
    operations: usize,
    fails: Failure,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Failure {
    #[default]
    Nothing,
    /// The operation with this number and all later ones: the computer is off.
    From(usize),
    /// Every write, after half of it was written.
    Writes,
    /// Every sync.
    Syncs,
}

impl FaultyFiles {
    pub(super) fn fail(&self, what: Failure) {
        self.0.lock().fails = what;
    }

    /// How many operations that change something have been tried.
    pub(super) fn operations(&self) -> usize {
        self.0.lock().operations
    }

    /// What is on the disk after the power went out: what was synced and, by the dice, some of the rest.
    pub(super) fn after_power_loss(&self, mut dice: impl FnMut(usize) -> usize) -> Self {
        let state = self.0.lock();
        let names = match dice(2) {
            0 => state.synced_names.clone(),
            _ => state.names.clone(),
        };
        let mut contents = state.contents.clone();
        for content in &mut contents {
            let unsynced = content.bytes.len() - content.synced;
            content.bytes.truncate(content.synced + dice(unsynced + 1));
            content.synced = content.bytes.len();
        }
        Self(Arc::new(Mutex::new(State {
            synced_names: names.clone(),
            names,
            contents,
            ..State::default()
        })))
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        self.read(name).unwrap()
    }

    /// A copy with another content of one file.
    pub(super) fn with(&self, name: &str, bytes: Vec<u8>) -> Self {
        let copy = self.after_power_loss(|sides| sides - 1);
        let mut state = copy.0.lock();
        let at = state.names[name];
        state.contents[at] = Content {
            synced: bytes.len(),
            bytes,
        };
        drop(state);
        copy
    }
}

impl State {
    fn operation(&mut self, fails: bool) -> io::Result<()> {
        self.operations += 1;
        match self.fails {
            Failure::From(number) if self.operations > number => Err(io::Error::other("the power is out")),
            _ if fails => Err(io::Error::other("no space left on device")),
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Files for FaultyFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.0.lock();
        Ok(state.contents[state.find(name)?].bytes.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.0.lock();
        state.operation(false)?;
        let at = state.contents.len();
        state.contents.push(Content::default());
        state.names.insert(name.to_owned(), at);
        Ok(Box::new(FaultyFile {
            files: self.clone(),
            at,
        }))
    }

    fn append(&self, name: &str, length: u64) -> io::Result<Box<dyn File>> {
        let at = self.0.lock().find(name)?;
        let mut file = FaultyFile {
            files: self.clone(),
            at,
        };
        file.cut(length)?;
        file.sync()?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operation(false)?;
        let at = state.find(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), at);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        state.operation(false)?;
        state.find(name)?;
        state.names.remove(name);
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        let fails = state.fails == Failure::Syncs;
        state.operation(fails)?;
        state.synced_names = state.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyFile {
    files: FaultyFiles,
    at: usize,
}

impl File for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.files.0.lock();
        let fails = state.fails == Failure::Writes;
        let result = state.operation(fails);
        let on = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        state.contents[self.at].bytes.extend_from_slice(&bytes[..on]);
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.files.0.lock();
        let fails = state.fails == Failure::Syncs;
        state.operation(fails)?;
        let content = &mut state.contents[self.at];
        content.synced = content.bytes.len();
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.files.0.lock();
        state.operation(false)?;
        let content = &mut state.contents[self.at];
        content.bytes.truncate(length as usize);
        content.synced = content.synced.min(content.bytes.len());
        Ok(())
    }
}
