//! TLS to the stores: whose certificates are trusted, and what the URLs say about it.

use std::fs;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The certificates of a file, which are trusted in place of the system's.
#[derive(Clone, Debug)]
pub struct Authorities {
    pem: Vec<u8>,
    roots: RootCertStore,
}

/// Takes every certificate: for connections that go on without TLS where none is offered, so that
/// whoever is in between could have them anyway.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

/// Reads a file of certificates in PEM.
///
/// # Errors
///
/// If the file cannot be read, or holds no certificate of an authority, or one that is damaged.
pub fn read(path: &str) -> Result<Authorities, String> {
    let pem = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    Authorities::new(pem)
}

/// What encrypts: that of the process, for redis-rs takes no other. Whoever was first has chosen it.
pub(super) fn provider() -> Arc<CryptoProvider> {
    _ = rustls_graviola::default_provider().install_default();
    Arc::clone(CryptoProvider::get_default().expect("it has just been installed, or was before"))
}

/// For `sslmode=disable`, which makes no use of it, and `prefer`.
pub(super) fn unchecked() -> MakeRustlsConnect {
    let tls =
        builder().dangerous().with_custom_certificate_verifier(Arc::new(Unchecked(provider())));
    MakeRustlsConnect::new(tls.with_no_client_auth())
}

/// Checks certificates and names, against these authorities or the system's.
pub(super) fn checked(trusted: Option<&Authorities>) -> Result<MakeRustlsConnect, String> {
    let roots = match trusted {
        Some(authorities) => authorities.roots.clone(),
        None => of_the_system()?,
    };
    let tls = builder().with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(tls))
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites of both versions")
}

/// Certificates that rustls cannot read are passed over, as there always are some.
pub(super) fn of_the_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err("the system trusts no authority: name one with --store-ca".to_owned()),
        false => Ok(roots),
    }
}

// === impl Authorities ===

impl Authorities {
    fn new(pem: Vec<u8>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| format!("it is no PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("a certificate is damaged: {error}"))?;
        }
        match roots.is_empty() {
            true => Err("it holds no certificate in PEM".to_owned()),
            false => Ok(Self { pem, roots }),
        }
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.pem.clone()
    }
}

// === impl Unchecked ===

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_or_holds_no_certificate_is_refused_with_the_reason() {
        assert!(read("/nowhere/ca.pem").unwrap_err().contains("it cannot be read"));
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (pem, reason) in [
            ("", "no certificate"),
            ("not PEM", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "no PEM"),
            (damaged, "a certificate is damaged"),
        ] {
            let error = Authorities::new(pem.into()).unwrap_err();
            assert!(error.contains(reason), "{pem}: {error}");
        }
    }
}
