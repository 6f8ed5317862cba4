//! The state folder: one host at a time, closed to other users.
//!
//! Purpose: make the folder, lock it, and keep the API token in it.
//! Invariant: while a [`StateDir`] lives, no other process holds one for the same folder; the lock
//! goes with the process, however it ends.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Random bytes in a generated token.
const TOKEN_BYTES: usize = 32;

/// Only the owner may look into a folder made here; one that was there keeps its mode.
const FOLDER_MODE: u32 = 0o700;

/// Only the owner may read a secret.
const SECRET_MODE: u32 = 0o600;

/// The note that says where the app of the folder serves: there from its start until it is stopped
/// in order, so that one which crashed is known.
pub const SERVING_FILE: &str = "serving";

/// The note that says which Redis server of the operator's own the app uses, without user and
/// password.
pub const REDIS_ADDRESS_FILE: &str = "redis-address";

/// A locked state folder.
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Another host holds it.
    #[error("{0} is in use by another `homeostat up`; stop that one, or give this one its own --state-dir")]
    InUse(PathBuf),
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("no random bytes for a token: {0}")]
    Random(String),
}

/// A bearer token. No `Debug` and no `Display`: it is a secret.
#[derive(Clone)]
pub struct ApiToken(String);

impl ApiToken {
    /// Wraps a token that was given.
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself, for an `Authorization` header or a variable.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl StateDir {
    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// When it is in use or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(FOLDER_MODE).create(path).map_err(at(path))?;
        let path = path.canonicalize().map_err(at(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateDirError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(StateDirError::Io { path: lock_path, source }),
        }
    }

    /// A file or folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Keeps a note in the folder, over what it said before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, name: &str, text: &str) -> Result<(), StateDirError> {
        let path = self.join(name);
        std::fs::write(&path, format!("{text}\n")).map_err(at(&path))
    }

    /// Removes a note, if it is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self, name: &str) -> Result<(), StateDirError> {
        let path = self.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }

    /// The token kept in the folder, made on first use, and the file it is in.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn api_token(&self) -> Result<(ApiToken, PathBuf), StateDirError> {
        let path = self.join("api-token");
        match std::fs::read_to_string(&path) {
            Ok(kept) if !kept.trim().is_empty() => return Ok((ApiToken(kept.trim().to_owned()), path)),
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StateDirError::Io { path, source });
            }
            Ok(_) | Err(_) => {}
        }
        let token = random_token()?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(SECRET_MODE);
        let mut file = options.open(&path).map_err(at(&path))?;
        file.set_permissions(Permissions::from_mode(SECRET_MODE)).map_err(at(&path))?;
        writeln!(file, "{}", token.expose()).map_err(at(&path))?;
        Ok((token, path))
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> StateDirError + use<> {
    let path = path.to_owned();
    move |source| StateDirError::Io { path: path.clone(), source }
}

fn random_token() -> Result<ApiToken, StateDirError> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StateDirError::Random(error.to_string()))?;
    Ok(ApiToken(hex::encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_and_free_after() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let first = StateDir::open(folder.path())?;
        assert!(matches!(StateDir::open(folder.path()), Err(StateDirError::InUse(_))));
        drop(first);
        StateDir::open(folder.path())?;
        Ok(())
    }

    #[test]
    fn a_note_is_kept_until_it_is_forgotten() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let state = StateDir::open(folder.path())?;
        state.forget(SERVING_FILE)?;
        state.note(SERVING_FILE, "http://127.0.0.1:1")?;
        state.note(SERVING_FILE, "http://127.0.0.1:2")?;
        assert_eq!(std::fs::read_to_string(state.join(SERVING_FILE))?, "http://127.0.0.1:2\n");
        state.forget(SERVING_FILE)?;
        assert!(!state.join(SERVING_FILE).exists());
        Ok(())
    }

    #[test]
    fn the_token_is_kept_and_closed_to_others() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let state = StateDir::open(folder.path())?;
        let (first, path) = state.api_token()?;
        let (second, _) = state.api_token()?;
        assert_eq!(first.expose(), second.expose());
        assert_eq!(first.expose().len(), 2 * TOKEN_BYTES);
        assert_eq!(std::fs::metadata(path)?.permissions().mode() & 0o777, SECRET_MODE);
        Ok(())
    }
}
