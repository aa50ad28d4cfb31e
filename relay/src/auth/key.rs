//! The key that tokens are signed with: a shared secret (HS256), or Ed25519 (EdDSA), of which the public half
//! is enough to check what a site signs.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};

/// The key's name in the data folder.
const FILE: &str = "token.key";
/// Shortest secret: shorter ones can be tried through.
const MIN_SECRET: usize = 32;
/// Longest key file that is read.
const MAX_FILE: u64 = 64 << 10;
/// What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410 §4).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why there is no key, with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot use the token key {path} ({cause}): check the file, or give another with --token-key")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file holds no key.
    #[error(
        "{path} is no token key: it is to hold a secret of at least 32 characters, or an Ed25519 key in PEM \
         (openssl genpkey -algorithm ed25519)"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// Others may read the file.
    #[error("{path} may be read by other users, who could then make tokens: chmod 600 it")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// There is no randomness for a new key.
    #[error("the system gives no random bytes for a token key")]
    Random,
}

/// How a token is signed. Which key fits is decided by this, never by the token alone: a public key is never
/// taken for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    EdDsa,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

enum Key {
    Secret(hmac::Key),
    Pair(Box<Ed25519KeyPair>),
    Public(UnparsedPublicKey<Vec<u8>>),
}

/// The keys of a relay. It does not print them.
pub(crate) struct Keys {
    /// Signs, and is taken.
    own: Key,
    /// Is taken only: the public half of what a site signs with.
    foreign: Option<Key>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("own", &self.own.algorithm()).finish_non_exhaustive()
    }
}

impl Keys {
    /// The key in `given`, or else the one in the data folder, which is made where it is missing. Where `given`
    /// holds a public key only, the one in the data folder signs.
    ///
    /// # Errors
    /// [`KeyError`] where there is none to be had.
    pub(crate) fn load(data: &Path, given: Option<&Path>) -> Result<Self, KeyError> {
        let given = given.map(read).transpose()?;
        match given {
            Some(Key::Public(key)) => {
                Ok(Self { own: read_or_make(&data.join(FILE))?, foreign: Some(Key::Public(key)) })
            }
            Some(own) => Ok(Self { own, foreign: None }),
            None => Ok(Self { own: read_or_make(&data.join(FILE))?, foreign: None }),
        }
    }

    /// A key of this run only.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub(crate) fn passing() -> Result<Self, KeyError> {
        Ok(Self { own: secret(random_text()?.as_bytes()), foreign: None })
    }

    /// How [`sign`](Self::sign) signs.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.own.algorithm()
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.own {
            Key::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
            Key::Pair(pair) => pair.sign(message).as_ref().to_vec(),
            // `load` never makes it its own.
            Key::Public(_) => Vec::new(),
        }
    }

    /// Whether one of the keys for this algorithm signed it.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let keys = [Some(&self.own), self.foreign.as_ref()];
        keys.into_iter().flatten().filter(|key| key.algorithm() == algorithm).any(|key| match key {
            Key::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Key::Pair(pair) => {
                UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(message, signature).is_ok()
            }
            Key::Public(key) => key.verify(message, signature).is_ok(),
        })
    }
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Pair(_) | Self::Public(_) => Algorithm::EdDsa,
        }
    }
}

fn secret(bytes: &[u8]) -> Key {
    Key::Secret(hmac::Key::new(hmac::HMAC_SHA256, bytes))
}

fn read_or_make(path: &Path) -> Result<Key, KeyError> {
    match make(path) {
        Ok(()) => {}
        Err(KeyError::File { cause, .. }) if cause.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    read(path)
}

/// Writes a new secret, readable by its owner only; never over an earlier one.
fn make(path: &Path) -> Result<(), KeyError> {
    if path.exists() {
        return Ok(());
    }
    let text = random_text()?;
    let failed = |cause| KeyError::File { path: path.to_owned(), cause };
    // Whoever reads the key under its name finds all of it.
    let draft = path.with_extension(format!("key.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft).map_err(failed)?;
    let written = file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all());
    // A link fails where another program was faster, whose key then counts.
    let placed = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    placed.map_err(failed)
}

fn read(path: &Path) -> Result<Key, KeyError> {
    let failed = |cause| KeyError::File { path: path.to_owned(), cause };
    let about = fs::metadata(path).map_err(failed)?;
    if about.len() > MAX_FILE {
        return Err(KeyError::Unknown { path: path.to_owned() });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let key = parse(text.trim()).ok_or_else(|| KeyError::Unknown { path: path.to_owned() })?;
    if !matches!(key, Key::Public(_)) && is_exposed(&about) {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    Ok(key)
}

#[cfg(unix)]
fn is_exposed(about: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
}

#[cfg(not(unix))]
fn is_exposed(_: &fs::Metadata) -> bool {
    false
}

fn parse(text: &str) -> Option<Key> {
    if let Some(der) = pem(text, "PRIVATE KEY") {
        return Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok().map(|pair| Key::Pair(Box::new(pair)));
    }
    if let Some(der) = pem(text, "PUBLIC KEY") {
        let key = der.strip_prefix(&PUBLIC_PREFIX).filter(|key| key.len() == 32)?;
        return Some(Key::Public(UnparsedPublicKey::new(&ED25519, key.to_vec())));
    }
    let is_secret = text.len() >= MIN_SECRET && !text.contains("-----BEGIN");
    is_secret.then(|| secret(text.as_bytes()))
}

fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    let joined: String = body.split_whitespace().collect();
    STANDARD.decode(joined).ok()
}

/// 32 random bytes as text.
fn random_text() -> Result<String, KeyError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new name of 16 random characters, for viewers and tokens.
pub(super) fn random_name() -> Result<String, KeyError> {
    let mut bytes = [0; 12];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";

    fn file(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("given");
        fs::write(&path, text).expect("written");
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("closed");
        path
    }

    #[test]
    fn the_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Keys::load(folder.path(), None).expect("a key");
        let again = Keys::load(folder.path(), None).expect("a key");
        assert!(again.verifies(Algorithm::Hs256, b"a", &first.sign(b"a")));
        let path = folder.path().join(FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("opened");
            assert!(matches!(Keys::load(folder.path(), None), Err(KeyError::Exposed { .. })));
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn a_public_key_checks_what_its_private_one_signs_and_signs_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let private = Keys::load(folder.path(), Some(&file(folder.path(), PRIVATE))).expect("a key");
        assert_eq!(private.algorithm(), Algorithm::EdDsa);
        let signature = private.sign(b"a");
        let public = Keys::load(folder.path(), Some(&file(folder.path(), PUBLIC))).expect("a key");
        assert!(public.verifies(Algorithm::EdDsa, b"a", &signature));
        assert!(!public.verifies(Algorithm::EdDsa, b"b", &signature));
        assert_eq!(public.algorithm(), Algorithm::Hs256);
        // The classic confusion: the public key's text as a secret.
        let forged = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, PUBLIC.trim().as_bytes()), b"a");
        assert!(!public.verifies(Algorithm::Hs256, b"a", forged.as_ref()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in [
            "",
            "short",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            &"x".repeat(65 << 10),
        ] {
            let path = file(folder.path(), text);
            assert!(
                matches!(Keys::load(folder.path(), Some(&path)), Err(KeyError::Unknown { .. })),
                "{text:.20}"
            );
        }
        let missing = folder.path().join("missing");
        assert!(matches!(Keys::load(folder.path(), Some(&missing)), Err(KeyError::File { .. })));
    }
}
