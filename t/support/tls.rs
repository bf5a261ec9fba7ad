//! TLS: a certificate of the test's own, and a client that trusts nothing else.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::client::Failure;
use super::in_time;

pub const CERTIFICATE: &str = "localhost.crt";
pub const KEY: &str = "localhost.key";

/// What the `openssl` command needs to be told to make a certificate that is no authority.
const REQUEST: &str = "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n\
                       [name]\nCN = localhost\n\
                       [extensions]\nsubjectAltName = DNS:localhost\nbasicConstraints = CA:FALSE\n";

/// Makes a self-signed certificate for `localhost` in `dir`, once.
pub fn make_certificate(dir: &Path) {
    if dir.join(CERTIFICATE).exists() {
        return;
    }
    std::fs::write(dir.join("localhost.cnf"), REQUEST).expect("a file");
    let status = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-config", "localhost.cnf", "-keyout", KEY, "-out", CERTIFICATE])
        .current_dir(dir)
        .stderr(Stdio::null())
        .status()
        .expect("the openssl command runs");
    assert!(status.success(), "openssl made no certificate");
}

/// A client's trust in one certificate.
#[derive(Clone)]
pub struct Trust(Arc<RootCertStore>);

impl Trust {
    /// Trusts what [`make_certificate`] made in `dir`.
    pub fn in_certificate_of(dir: &Path) -> Self {
        let path = dir.join(CERTIFICATE);
        let certificate = CertificateDer::from_pem_file(path).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("a certificate that can be trusted");
        Self(Arc::new(roots))
    }

    /// The protocol is agreed upon by ALPN, as browsers do.
    pub async fn handshake(
        &self,
        socket: TcpStream,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        let protocol: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = in_time("a TLS handshake", connector.connect(name, socket)).await?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        Ok(stream)
    }
}
