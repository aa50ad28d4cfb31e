//! How a client judges the certificate of a server.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tracing::warn;

use super::{CertHash, Trust};
use crate::transport::ConnectError;

/// The one crypto provider. It is named wherever TLS is set up, since the build may contain another.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// TLS 1.3 for a client that offers `alpn`, and what it saw of the server.
pub(crate) fn client_config(trust: &Trust, alpn: &str) -> Result<(rustls::ClientConfig, Seen), ConnectError> {
    let verifier = Verifier::new(trust)?;
    let seen = verifier.seen.clone();
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| ConnectError(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok((config, seen))
}

/// The certificate that was refused, kept for the error message: TLS itself passes only an alert on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Option<Refused>>>);

/// A certificate that a client did not trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) hash: CertHash,
    pub(crate) why: String,
}

impl Seen {
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, hash: CertHash, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refused { hash, why });
    }
}

#[derive(Debug)]
struct Verifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

#[derive(Debug)]
enum Rule {
    Authorities(Arc<WebPkiServerVerifier>),
    Hashes(Vec<CertHash>),
    Anything,
}

impl Verifier {
    fn new(trust: &Trust) -> Result<Self, ConnectError> {
        let rule = match trust {
            Trust::System => Rule::Authorities(authorities()?),
            Trust::Hashes(hashes) => Rule::Hashes(hashes.clone()),
            Trust::Anything => Rule::Anything,
        };
        Ok(Self { rule, provider: provider(), seen: Seen::default() })
    }
}

fn authorities() -> Result<Arc<WebPkiServerVerifier>, ConnectError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        warn!(%error, "a certificate authority of this system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        warn!(unusable, "certificate authorities of this system cannot be used");
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|_| {
        ConnectError(
            "this system has no certificate authorities to trust: install them (on Debian the package \
             ca-certificates), or name the server's certificate with --cert-hash"
                .into(),
        )
    })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let hash = CertHash::of(end_entity);
        match &self.rule {
            Rule::Anything => Ok(ServerCertVerified::assertion()),
            Rule::Hashes(hashes) if hashes.contains(&hash) => Ok(ServerCertVerified::assertion()),
            Rule::Hashes(hashes) => {
                let wanted: Vec<_> = hashes.iter().map(CertHash::to_string).collect();
                let why = format!("expected the hash {}", wanted.join(" or "));
                self.seen.refuse(hash, why.clone());
                Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(OtherHash(why))))))
            }
            Rule::Authorities(authorities) => authorities
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .inspect_err(|error| self.seen.refuse(hash, plain(error))),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A refusal in plain words.
fn plain(error: &Error) -> String {
    use CertificateError as Cert;
    match error {
        Error::InvalidCertificate(Cert::UnknownIssuer) => {
            "no authority that this system trusts signed it".into()
        }
        Error::InvalidCertificate(Cert::Expired | Cert::ExpiredContext { .. }) => "it has run out".into(),
        Error::InvalidCertificate(Cert::NotValidYet | Cert::NotValidYetContext { .. }) => {
            "it is not valid yet by this machine's clock".into()
        }
        Error::InvalidCertificate(Cert::NotValidForName | Cert::NotValidForNameContext { .. }) => {
            "it is made out for another name".into()
        }
        error => error.to_string(),
    }
}

/// Another certificate than the expected one.
#[derive(Debug)]
struct OtherHash(String);

impl fmt::Display for OtherHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OtherHash {}
