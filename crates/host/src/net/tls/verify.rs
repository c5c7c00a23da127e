//! Who may be at the other end: a node of our cluster, proven by one of its authorities.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError as TlsCertificateError, DigitallySignedStruct, DistinguishedName, Error,
    RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::certificate::identity_of;

/// Verifies both directions of a connection between nodes: the chain, its time, its purpose, and that it names a node of
/// the cluster. Host names are not looked at.
pub(super) struct ClusterVerifier {
    cluster: Arc<str>,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    clients: Arc<dyn ClientCertVerifier>,
}

impl ClusterVerifier {
    pub(super) fn new(
        cluster: Arc<str>,
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .clear_root_hint_subjects()
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        Ok(Self {
            cluster,
            roots,
            algorithms: provider.signature_verification_algorithms,
            clients,
        })
    }

    fn names_a_node(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match identity_of(certificate, &self.cluster) {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "a certificate that we trust names no node of our cluster");
                Err(TlsCertificateError::ApplicationVerificationFailure.into())
            }
        }
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

impl fmt::Debug for ClusterVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterVerifier")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

fn not_spoken() -> Error {
    Error::General("expected TLS 1.3 between nodes, got TLS 1.2".to_owned())
}

impl ServerCertVerifier for ClusterVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        self.names_a_node(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_spoken())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for ClusterVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .clients
            .verify_client_cert(end_entity, intermediates, now)?;
        self.names_a_node(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(not_spoken())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
