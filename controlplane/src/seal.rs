//! Secrets at rest: sealed with a key that lies beside the database, not in it. Whoever has only the database learns nothing and
//! cannot put one row's secret into another's place.
//!
//! A sealed value is a version byte, a random nonce, and the ciphertext with its tag (AES-256-GCM). The place of the value (table,
//! column, row) is authenticated with it. Plain values never go into errors or logs.

use std::{fmt, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use utopia_certs::secret_file;

/// The length of a key in bytes.
const KEY_LEN: usize = 32;

/// How values are sealed today.
const VERSION: u8 = 1;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is not 32 bytes in base64.
    #[error("the key in {0} must be {KEY_LEN} bytes in base64")]
    MalformedKey(String),
    /// The key's file cannot be read or written.
    #[error(transparent)]
    File(#[from] utopia_certs::Error),
    /// The system gives no random numbers.
    #[error("there are no random numbers")]
    Random,
    /// It was sealed by a later version of this program.
    #[error("it is sealed in a way (version {0}) that this version does not know")]
    UnknownVersion(u8),
    /// Sealed with another key, for another place, or changed since.
    #[error("it was sealed with another key or for another place, or was changed since")]
    Refused,
}

/// Where a sealed value belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The row's key.
    pub row: &'a str,
}

impl Place<'_> {
    /// No part can run into the next one: names of tables and columns have no NUL.
    fn authenticated(&self) -> Aad<Vec<u8>> {
        let Self { table, column, row } = self;
        Aad::from([table.as_bytes(), b"\0", column.as_bytes(), b"\0", row.as_bytes()].concat())
    }
}

/// Seals and opens. Clones share the key.
#[derive(Clone)]
pub struct Sealer(Arc<LessSafeKey>);

impl fmt::Debug for Sealer {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer with this key.
    #[must_use]
    pub fn new(key: [u8; KEY_LEN]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("the length of the key is the algorithm's");
        Self(Arc::new(LessSafeKey::new(key)))
    }

    /// A sealer with a key in base64; `source` names where it comes from.
    ///
    /// # Errors
    /// [`Error::MalformedKey`].
    pub fn from_base64(key: &str, source: &str) -> Result<Self, Error> {
        let malformed = || Error::MalformedKey(source.to_owned());
        let key = STANDARD.decode(key.trim()).map_err(|_| malformed())?;
        Ok(Self::new(key.try_into().map_err(|_| malformed())?))
    }

    /// A sealer with the key that a file has in base64; none without the file.
    ///
    /// # Errors
    /// When the file cannot be read, or has no key.
    pub fn from_file(path: &Path) -> Result<Option<Self>, Error> {
        let Some(key) = secret_file::read_if_present(path)? else { return Ok(None) };
        Self::from_base64(&String::from_utf8_lossy(&key), &path.display().to_string()).map(Some)
    }

    /// Makes a key and keeps it in a file that only its owner may read.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let key: [u8; KEY_LEN] = random()?;
        secret_file::write_private(path, format!("{}\n", STANDARD.encode(key)).as_bytes())?;
        Ok(Self::new(key))
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut text = plain.to_vec();
        let sealed = self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place.authenticated(), &mut text);
        sealed.map_err(|_| Error::Refused)?;
        Ok([&[VERSION], &nonce[..], &text].concat())
    }

    /// Opens a value from its place.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] or [`Error::Refused`].
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (version, rest) = sealed.split_first().ok_or(Error::Refused)?;
        if *version != VERSION {
            return Err(Error::UnknownVersion(*version));
        }
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Refused)?;
        let mut text = text.to_vec();
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), place.authenticated(), &mut text);
        let length = plain.map_err(|_| Error::Refused)?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn place(row: &str) -> Place<'_> {
        Place { table: "machines", column: "sealed_password", row }
    }

    fn sealer() -> Sealer {
        Sealer::new([7; KEY_LEN])
    }

    #[test]
    fn what_was_sealed_opens_in_its_place() {
        for plain in [&b""[..], b"a password", &[0; 20_000]] {
            let sealed = sealer().seal(place("1"), plain).unwrap();
            assert_eq!(sealer().open(place("1"), &sealed).unwrap(), plain);
            assert!(plain.is_empty() || !sealed.windows(plain.len()).any(|window| window == plain));
        }
        let twice = [(); 2].map(|()| sealer().seal(place("1"), b"same").unwrap());
        assert_ne!(twice[0], twice[1]);
    }

    #[test]
    fn nothing_opens_in_another_place_or_with_another_key() {
        let sealed = sealer().seal(place("1"), b"a password").unwrap();
        let key = Place { column: "sealed_private_key", ..place("1") };
        let elsewhere = Place { table: "clusters", ..place("1") };
        for place in [place("2"), key, elsewhere] {
            assert!(matches!(sealer().open(place, &sealed), Err(Error::Refused)), "{place:?}");
        }
        assert!(matches!(Sealer::new([8; KEY_LEN]).open(place("1"), &sealed), Err(Error::Refused)));
    }

    #[test]
    fn no_bit_can_be_changed_and_no_byte_lost() {
        let sealed = sealer().seal(place("1"), b"a password").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer().open(place("1"), &changed).is_err(), "byte {at}");
            assert!(sealer().open(place("1"), &sealed[..at]).is_err(), "cut at {at}");
        }
        let later = [&[VERSION + 1], &sealed[1..]].concat();
        assert!(matches!(sealer().open(place("1"), &later), Err(Error::UnknownVersion(2))));
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seal-key");
        assert!(Sealer::from_file(&path).unwrap().is_none());
        let sealed = Sealer::create(&path).unwrap().seal(place("1"), b"a password").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Sealer::from_file(&path).unwrap().unwrap();
        assert_eq!(again.open(place("1"), &sealed).unwrap(), b"a password");
    }

    #[test]
    fn a_malformed_key_is_refused_and_not_repeated() {
        for bad in ["", "secret!", "c2hvcnQ="] {
            let error = Sealer::from_base64(bad, "UTOPIA_SEAL_KEY").unwrap_err().to_string();
            assert_eq!(error, "the key in UTOPIA_SEAL_KEY must be 32 bytes in base64");
        }
    }
}
