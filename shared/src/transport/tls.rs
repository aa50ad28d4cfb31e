//! Certificates: what a server shows and whom a client trusts.

use std::{fmt, path::Path, str::FromStr, time::SystemTime};

/// SHA-256 of a certificate's DER, written as 64 hex digits (colons allowed when read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertHash(pub [u8; 32]);

/// Whose certificate a client accepts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// Exactly the certificates with these hashes.
    Hashes(Vec<CertHash>),
    /// Any at all: for experiments.
    Anything,
}

/// A certificate chain with its key.
#[derive(Debug, Clone)]
pub struct Identity {}

/// A certificate or key that cannot be used, with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct IdentityError(pub String);

impl Identity {
    /// Reads a chain and its key from PEM files.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, IdentityError> {
        let _ = (chain, key);
        unimplemented!()
    }
    /// Reads the self-made certificate of `folder`, or makes one where there is none or where it is
    /// to be renewed: ECDSA P-256, valid for 13 days, for `localhost`, loopback addresses and `hosts`.
    ///
    /// # Errors
    /// [`IdentityError`] where the folder cannot be read or written.
    pub fn self_made(folder: &Path, hosts: &[String], now: SystemTime) -> Result<Self, IdentityError> {
        let _ = (folder, hosts, now);
        unimplemented!()
    }
    /// The hash of its first certificate.
    pub fn hash(&self) -> CertHash {
        unimplemented!()
    }
    /// When it is to be renewed: two days before it runs out.
    pub fn renew_at(&self) -> SystemTime {
        unimplemented!()
    }
}

impl fmt::Display for CertHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CertHash {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let _ = text;
        unimplemented!()
    }
}
