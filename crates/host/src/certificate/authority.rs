//! The authority that signs the nodes of one cluster.

use std::{fmt, net::IpAddr, path::Path, time::Duration};

use model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber, string::Ia5String,
};
use rustls_pki_types::CertificateDer;

use super::{
    AUTHORITY_KEY_FILE, BUNDLE_FILE, CertificateError, NodeCertificate, NodeCertificateRequest,
    certificates, check_cluster, identity, leaf,
};
use crate::Entropy;

/// How long an authority lasts.
const AUTHORITY_DAYS: u32 = 3650;
/// The longest validity.
const DAYS_MAX: u32 = 3650;
/// Validity begins a little earlier than now: clocks differ.
const SKEW: Duration = Duration::from_secs(3600);
/// No clock that is right says more (the year 6429).
const LATEST: Timestamp = Timestamp(1 << 47);

/// The authority of one cluster: signs certificates for its nodes.
pub struct Authority {
    cluster: String,
    key: KeyPair,
    /// PEM, the issuing certificate first, then those that are still trusted.
    trusted: Vec<String>,
}

impl Authority {
    /// Makes an authority for a cluster, with a key of its own.
    ///
    /// # Errors
    /// [`CertificateError`] if the name is not one, or the cryptography refuses.
    pub fn generate(
        cluster: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, CertificateError> {
        check_cluster(cluster)?;
        let mut params = params(&format!("dunlin {cluster}"), AUTHORITY_DAYS, now, entropy)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(identity::authority_uri(cluster))?];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            cluster: cluster.to_owned(),
            key,
            trusted: vec![certificate.pem()],
        })
    }

    /// Reads an authority from its directory.
    ///
    /// # Errors
    /// [`CertificateError`] if a file is missing or is not what it should be.
    pub fn load(directory: &Path) -> Result<Self, CertificateError> {
        let bundle = leaf::read(&directory.join(BUNDLE_FILE))?;
        let key = leaf::read(&directory.join(AUTHORITY_KEY_FILE))?;
        let trusted = certificates(&bundle)?;
        let not_ours = CertificateError::Malformed {
            expected: "the certificate of a dunlin authority",
        };
        let cluster = trusted
            .first()
            .and_then(|der| identity::cluster_of(der).ok())
            .ok_or(not_ours)?;
        let key = KeyPair::from_pem(&key).map_err(|_| CertificateError::Malformed {
            expected: "the key of an authority",
        })?;
        Ok(Self {
            cluster,
            key,
            trusted: trusted.iter().map(pem_of).collect(),
        })
    }

    /// Writes the authority into a directory, its key readable by its owner only.
    ///
    /// # Errors
    /// [`CertificateError::File`] if the disk refuses.
    pub fn save(&self, directory: &Path) -> Result<(), CertificateError> {
        let key = self.key.serialize_pem();
        leaf::write(directory, AUTHORITY_KEY_FILE, &key, 0o600)?;
        leaf::write(directory, BUNDLE_FILE, &self.bundle_pem(), 0o644)
    }

    /// The cluster it signs for.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The certificates that nodes shall trust, in PEM form.
    #[must_use]
    pub fn bundle_pem(&self) -> String {
        self.trusted.concat()
    }

    /// Signs a certificate for a node, with a key of its own.
    ///
    /// # Errors
    /// [`CertificateError`] if the request cannot be met.
    pub fn issue(
        &self,
        request: &NodeCertificateRequest,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<NodeCertificate, CertificateError> {
        let mut params = params(request.name.as_str(), request.valid_days, now, entropy)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let name = identity::uri(&self.cluster, &request.name, request.roles);
        params.subject_alt_names = vec![uri(name)?];
        for name in &request.alternative_names {
            params.subject_alt_names.push(alternative(name)?);
        }
        let issuer = match self.trusted.first() {
            Some(pem) => Issuer::from_ca_cert_pem(pem, &self.key)?,
            None => return Err(rcgen::Error::CouldNotParseCertificate.into()),
        };
        let key = KeyPair::generate()?;
        Ok(NodeCertificate {
            certificate: params.signed_by(&key, &issuer)?.pem(),
            key: key.serialize_pem(),
            bundle: self.bundle_pem(),
        })
    }

    /// A new authority for the same cluster, whose bundle still trusts this one.
    ///
    /// # Errors
    /// [`CertificateError::Sign`] if the cryptography refuses.
    pub fn rotate(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<Self, CertificateError> {
        let mut next = Self::generate(&self.cluster, now, entropy)?;
        next.trusted.extend(self.trusted.iter().cloned());
        Ok(next)
    }

    /// Stops trusting every authority but the issuing one.
    pub fn retire(&mut self) {
        self.trusted.truncate(1);
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("cluster", &self.cluster)
            .field("trusted", &self.trusted.len())
            .finish_non_exhaustive()
    }
}

fn params(
    common_name: &str,
    days: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<CertificateParams, CertificateError> {
    if !(1..=DAYS_MAX).contains(&days) || now > LATEST {
        return Err(CertificateError::Validity { days, now });
    }
    let now_since_epoch = Duration::from_millis(now.as_millis());
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + now_since_epoch.saturating_sub(SKEW);
    params.not_after = epoch + now_since_epoch + Duration::from_secs(u64::from(days) * 86_400);
    // 127 bits: a serial number is a positive integer of at most 20 bytes.
    let serial = entropy.next_u128() >> 1;
    params.serial_number = Some(SerialNumber::from_slice(&serial.to_be_bytes()));
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

fn uri(text: String) -> Result<SanType, CertificateError> {
    Ok(SanType::URI(Ia5String::try_from(text)?))
}

fn alternative(name: &str) -> Result<SanType, CertificateError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let refused = || CertificateError::AlternativeName(name.chars().take(300).collect());
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | '_');
    if name.is_empty() || name.len() > 253 || !name.chars().all(legal) {
        return Err(refused());
    }
    Ia5String::try_from(name)
        .map(SanType::DnsName)
        .map_err(|_| refused())
}

fn pem_of(der: &CertificateDer<'static>) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let text = STANDARD.encode(der);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
