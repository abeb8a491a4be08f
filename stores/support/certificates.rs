//! Certificates of a test's own, made by `openssl`; for tests of several crates, each says
//! `#[path = "../../support/certificates.rs"] mod certificates;`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// An authority that nobody else knows, and a server's certificate from it, all in PEM files.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

// === impl Certificates ===

impl Certificates {
    /// Makes them in a folder; the server's is for `localhost` and for no other name.
    pub(crate) fn make(folder: &Path) -> Self {
        let files = Self {
            authority: folder.join("authority.pem"),
            certificate: folder.join("server.pem"),
            key: folder.join("server.key"),
        };
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let request = |arguments: &[&str]| {
            let status = Command::new("openssl")
                .args(["req", "-x509", "-days", "2"])
                .args(curve)
                .args(arguments)
                .current_dir(folder)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .status();
            let status = status.expect("these tests make certificates with `openssl`");
            assert!(status.success(), "openssl req {arguments:?}: {status}");
        };
        request(&[
            "-subj",
            "/CN=an authority of the tests",
            "-keyout",
            "authority.key",
            "-out",
            "authority.pem",
            "-addext",
            "keyUsage=critical,keyCertSign",
        ]);
        request(&[
            "-subj",
            "/CN=a server of the tests",
            "-keyout",
            "server.key",
            "-out",
            "server.pem",
            "-CA",
            "authority.pem",
            "-CAkey",
            "authority.key",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "extendedKeyUsage=serverAuth",
        ]);
        files
    }

    /// The authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(&self.authority).expect("it was made")
    }
}
