//! The certificate that a server makes for itself: short-lived, so that browsers take it by its hash.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    net::IpAddr,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{Identity, IdentityError};

/// Browsers take a certificate by its hash only where it is valid for 14 days at most.
const LIFETIME: Duration = Duration::from_secs(13 * 24 * 60 * 60);
/// It starts in the past, for peers whose clocks are late.
const CLOCK_SKEW: Duration = Duration::from_secs(60 * 60);
/// Names that every self-made certificate has.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub(super) fn load_or_make(
    folder: &Path,
    hosts: &[String],
    now: SystemTime,
) -> Result<Identity, IdentityError> {
    let (chain, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let names = names(hosts);
    match (exists(&chain)?, exists(&key)?) {
        (false, false) => info!(folder = %folder.display(), "making a certificate"),
        _ => match Identity::from_pem_files(&chain, &key) {
            Ok(identity) => match unfit(&identity, &names, now) {
                None => return Ok(identity),
                Some(why) => warn!(folder = %folder.display(), why, "making a new certificate"),
            },
            Err(why) => warn!(folder = %folder.display(), %why, "making a new certificate"),
        },
    }
    let (certificate, private) = make(&names, now)
        .map_err(|error| IdentityError(format!("cannot make a certificate for {names:?}: {error}")))?;
    fs::create_dir_all(folder).map_err(|error| cannot("make the folder", folder, &error))?;
    // A crash in between leaves a pair that does not belong together: it is made anew next time.
    write(&key, &private, 0o600)?;
    write(&chain, &certificate, 0o644)?;
    Identity::from_pem_files(&chain, &key)
}

/// Why a stored certificate is not to be used any more.
fn unfit(identity: &Identity, names: &BTreeSet<String>, now: SystemTime) -> Option<&'static str> {
    if identity.renew_at() <= now {
        return Some("it runs out soon");
    }
    if identity.not_before() > now {
        return Some("it is not valid yet by this machine's clock");
    }
    if !stored_names(identity.leaf()).is_superset(names) {
        return Some("it lacks a name that is asked for");
    }
    None
}

fn names(hosts: &[String]) -> BTreeSet<String> {
    LOCAL.into_iter().map(str::to_owned).chain(hosts.iter().map(|host| canonical(host))).collect()
}

/// One spelling per name, so that stored and wanted names can be compared.
fn canonical(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().map_or_else(|_| bare.to_ascii_lowercase(), |address| address.to_string())
}

fn stored_names(certificate: &[u8]) -> BTreeSet<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return BTreeSet::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return BTreeSet::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(canonical(name)),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}

/// Certificate and key as PEM.
fn make(names: &BTreeSet<String>, now: SystemTime) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    let from = now.checked_sub(CLOCK_SKEW).unwrap_or(SystemTime::UNIX_EPOCH);
    params.not_before = from.into();
    params.not_after = (from + LIFETIME).into();
    params.distinguished_name.push(DnType::CommonName, "live room");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

fn exists(file: &Path) -> Result<bool, IdentityError> {
    file.try_exists().map_err(|error| cannot("look for", file, &error))
}

/// Replaces a file whole: a reader sees the old text or the new one.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), IdentityError> {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = Path::new(&name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let result = options.open(new).and_then(|mut handle| {
        handle.write_all(text.as_bytes())?;
        handle.sync_all()?;
        fs::rename(new, file)
    });
    result.map_err(|error| {
        // What could not be written is of no use; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(new);
        cannot("write", file, &error)
    })
}

fn cannot(what: &str, file: &Path, error: &io::Error) -> IdentityError {
    IdentityError(format!(
        "cannot {what} {}: {error}; choose a folder that this program may write",
        file.display()
    ))
}
