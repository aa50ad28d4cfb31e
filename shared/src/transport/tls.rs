//! Certificates: what a server shows and whom a client trusts.

use std::{
    fmt,
    path::Path,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

mod self_made;
pub(crate) mod verify;

/// How long before its end a certificate is to be renewed: browsers cache what they connected with.
const RENEW_BEFORE: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// SHA-256 of a certificate's DER, written as 64 hex digits (colons allowed when read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertHash(pub [u8; 32]);

/// Whose certificate a client accepts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// Exactly the certificates with these hashes, whatever their names and dates say.
    Hashes(Vec<CertHash>),
    /// Any at all: for experiments.
    Anything,
}

/// A certificate chain with its key. Clones share it; the key is never shown.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    hash: CertHash,
    valid: Validity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Validity {
    from: SystemTime,
    until: SystemTime,
}

/// A certificate or key that cannot be used, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdentityError(pub String);

impl Identity {
    /// Reads a chain and its key from PEM files.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, IdentityError> {
        let (chain_file, key_file) = (chain.display(), key.display());
        let certificates =
            CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(
                |error| IdentityError(format!("cannot read the certificates in {chain_file}: {error}")),
            )?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            rustls_pki_types::pem::Error::NoItemsFound => IdentityError(format!(
                "there is no private key in {key_file}: it needs a PEM block such as `BEGIN PRIVATE KEY`"
            )),
            error => IdentityError(format!("cannot read the private key in {key_file}: {error}")),
        })?;
        if certificates.is_empty() {
            return Err(IdentityError(format!(
                "there is no certificate in {chain_file}: it needs PEM blocks `BEGIN CERTIFICATE`, the server's first"
            )));
        }
        Self::new(certificates, private).map_err(|problem| {
            IdentityError(format!(
                "cannot use the certificate in {chain_file} with the key in {key_file}: {problem}"
            ))
        })
    }

    /// Reads the self-made certificate of `folder`, or makes one where there is none or where it is
    /// to be renewed: ECDSA P-256, valid for 13 days, for `localhost`, loopback addresses and `hosts`.
    /// It lies there as `certificate.pem` and `key.pem`, the key readable by its owner only. One that
    /// is damaged or does not name all `hosts` is made anew, with a warning.
    ///
    /// # Errors
    /// [`IdentityError`] where the folder cannot be read or written.
    pub fn self_made(folder: &Path, hosts: &[String], now: SystemTime) -> Result<Self, IdentityError> {
        self_made::load_or_make(folder, hosts, now)
    }

    /// The hash of its first certificate.
    pub fn hash(&self) -> CertHash {
        self.0.hash
    }

    /// When it is to be renewed: two days before it runs out.
    pub fn renew_at(&self) -> SystemTime {
        self.0.valid.until.checked_sub(RENEW_BEFORE).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// When it starts to be valid.
    pub fn not_before(&self) -> SystemTime {
        self.0.valid.from
    }

    /// When it runs out.
    pub fn not_after(&self) -> SystemTime {
        self.0.valid.until
    }

    /// Checks what can be checked without a peer; the problem comes back as a clause of a sentence.
    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let leaf = chain.first().ok_or("there is no certificate")?;
        let valid = validity(leaf)?;
        let hash = CertHash::of(leaf);
        let identity = Self(Arc::new(Inner { chain, key, hash, valid }));
        identity.server_config().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "they do not belong together".to_owned(),
            error => error.to_string(),
        })?;
        Ok(identity)
    }

    /// A secret that only who has the key can tell, and that stays as long as the key.
    pub(crate) fn secret(&self, label: &[u8]) -> [u8; 32] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, self.0.key.secret_der());
        let mut secret = [0; 32];
        secret.copy_from_slice(ring::hmac::sign(&key, label).as_ref());
        secret
    }

    fn leaf(&self) -> &[u8] {
        self.0.chain.first().map_or(&[], |leaf| leaf.as_ref())
    }

    /// TLS 1.3 for HTTP/3 and MoQT, showing this certificate.
    pub(crate) fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let mut config = rustls::ServerConfig::builder_with_provider(verify::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(self.0.chain.clone(), self.0.key.clone_key())?;
        config.alpn_protocols = vec![super::H3.as_bytes().to_vec(), super::MOQT.as_bytes().to_vec()];
        Ok(config)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("hash", &self.0.hash).field("valid", &self.0.valid).finish()
    }
}

impl CertHash {
    /// The hash of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self(hash)
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
        let wrong = || {
            IdentityError(format!(
                "`{text}` is not a certificate hash: it is 64 hex digits, the SHA-256 of the certificate"
            ))
        };
        let digits = text.trim().chars().filter(|digit| *digit != ':');
        let values = digits.map(|digit| digit.to_digit(16)).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
        let bytes: Vec<u8> = values
            .chunks(2)
            .map(|pair| pair.iter().fold(0u32, |byte, digit| byte << 4 | digit) as u8)
            .collect();
        if values.len() != 64 {
            return Err(wrong());
        }
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}

/// From when until when a certificate is valid; the problem comes back as a clause of a sentence.
fn validity(certificate: &[u8]) -> Result<Validity, String> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("the certificate is not valid X.509 ({error})"))?;
    let time = |seconds: i64| {
        let since_epoch = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(since_epoch)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(since_epoch)
        }
    };
    let from = time(certificate.validity().not_before.timestamp());
    let until = time(certificate.validity().not_after.timestamp());
    from.zip(until)
        .map(|(from, until)| Validity { from, until })
        .ok_or_else(|| "its dates are out of this machine's range".to_owned())
}

#[cfg(test)]
mod tests;
