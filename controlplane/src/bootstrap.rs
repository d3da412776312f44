//! What a first start makes: the key that seals secrets, and the administrator.

use std::path::Path;

use anyhow::Context as _;
use utopia_certs::secret_file;

use crate::{
    auth::password::Passwords,
    clock::Clock,
    config::Config,
    error::Error,
    model::{Role, audit::Trail, people::NewUser},
    seal::Sealer,
    service::validate,
    store::{KeptSecret, Store},
};

/// The administrator's user name.
const ADMIN: &str = "admin";

/// The key that seals secrets: the given one, or that in its file, which is made when nothing is sealed yet. Whether it is the right
/// one shows when the signing keys are loaded.
///
/// # Errors
/// When the key cannot be read, or there is none for what is sealed already.
pub(crate) async fn sealer(config: &Config, store: &Store) -> anyhow::Result<Sealer> {
    if let Some(key) = &config.seal_key {
        return Ok(Sealer::from_base64(key, "UTOPIA_SEAL_KEY")?);
    }
    let file = config.seal_key_file();
    if let Some(sealer) = Sealer::from_file(&file)? {
        return Ok(sealer);
    }
    let sealed = store.signing_keys().await?.iter().any(|key| matches!(key.secret, KeptSecret::Sealed(_)));
    anyhow::ensure!(
        !sealed,
        "the database has secrets that are sealed with a key that is not here: give it in UTOPIA_SEAL_KEY, or bring back {}",
        file.display()
    );
    let sealer = Sealer::create(&file)?;
    tracing::info!(file = %file.display(), "key for secrets created; without it what is sealed in the database is lost");
    Ok(sealer)
}

/// Makes the administrator if there is none. A random password is in its file before the user exists, so that a crash in
/// between leaves nothing that cannot be used.
///
/// # Errors
/// When the given password breaks its rule, or something cannot be written.
pub(crate) async fn administrator(config: &Config, store: &Store, passwords: &Passwords, clock: &Clock) -> anyhow::Result<()> {
    if store.has_administrator().await? {
        return Ok(());
    }
    let password = match &config.admin_password {
        Some(password) => {
            validate::password("password", ADMIN, password, config.development).context("UTOPIA_ADMIN_PASSWORD")?;
            password.clone()
        }
        None => random_password(&config.admin_password_file())?,
    };
    let hash = passwords.hash(&password).await?;
    let new = NewUser { username: ADMIN, email: "", password_hash: &hash, role: Role::Admin };
    match store.create_user(new, clock.now(), &Trail::system("user", "CreateAdministrator")).await {
        // Another replica was faster; the password it wrote is the right one.
        Err(Error::AlreadyExists { .. }) if store.has_administrator().await? => {
            if config.admin_password.is_none() {
                std::fs::remove_file(config.admin_password_file()).context("remove a password that is nobody's")?;
            }
            return Ok(());
        }
        created => created?,
    };
    match config.admin_password {
        Some(_) => tracing::info!(user = ADMIN, "administrator created with the given password"),
        None => tracing::info!(user = ADMIN, file = %config.admin_password_file().display(), "administrator created"),
    }
    Ok(())
}

fn random_password(file: &Path) -> anyhow::Result<String> {
    let mut bytes = [0_u8; 18];
    getrandom::fill(&mut bytes)?;
    let password = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, bytes);
    secret_file::write_private(file, format!("{password}\n").as_bytes())?;
    Ok(password)
}
