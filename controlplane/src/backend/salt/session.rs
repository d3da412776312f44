//! The log-in to salt-api: one token for all calls, made when it is needed, renewed before it ends and when it is refused.
//!
//! Calls that need a token at the same time share one log-in, and its failure. The password is read from its file at each log-in, so
//! that it can be changed there, and is kept nowhere else.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::super::client::{Backend, Repeat};
use crate::error::{Error, Result};

/// The setting that a refused log-in leads to.
const PASSWORD_FILE: &str = "UTOPIA_SALT_PASSWORD_FILE";

/// How long a log-in may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// After a refused log-in none is tried for so long: many lock the account.
const REFUSAL_HOLDS: Duration = Duration::from_secs(5);

/// A token is renewed when this much of its life is left, or a tenth of it where that is less.
const MARGIN: Duration = Duration::from_secs(300);

/// What calls show.
#[derive(Clone)]
pub(super) struct Token {
    text: Arc<str>,
    renew_at: Instant,
}

/// The log-in. Clones share it.
#[derive(Clone)]
pub(super) struct Session(Arc<Inner>);

struct Inner {
    backend: Backend,
    user: String,
    eauth: String,
    password_file: PathBuf,
    /// Held while logging in, so that there is one log-in at a time.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The last log-in, if it failed.
    failed: Option<Failed>,
}

/// A log-in that failed.
struct Failed {
    at: Instant,
    /// For how long none is tried after it.
    holds: Duration,
    error: Error,
}

impl Token {
    /// The text, for a header.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl Session {
    /// A session that is not logged in yet.
    pub(super) fn new(backend: Backend, user: String, eauth: String, password_file: PathBuf) -> Self {
        Self(Arc::new(Inner { backend, user, eauth, password_file, state: Mutex::default() }))
    }

    /// A token that holds, as far as is known.
    ///
    /// # Errors
    /// `Unavailable` (`SaltRefused`, `SaltUnreachable`) or `DeadlineExceeded`.
    pub(super) async fn token(&self) -> Result<Token> {
        self.token_but(None).await
    }

    /// Another token than this one, which was refused.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub(super) async fn renewed(&self, refused: &Token) -> Result<Token> {
        self.token_but(Some(refused)).await
    }

    async fn token_but(&self, refused: Option<&Token>) -> Result<Token> {
        let asked_at = Instant::now();
        let mut state = self.0.state.lock().await;
        let is_good =
            |token: &&Token| Instant::now() < token.renew_at && refused.is_none_or(|refused| refused.text != token.text);
        if let Some(token) = state.token.as_ref().filter(is_good) {
            return Ok(token.clone());
        }
        state.token = None;
        // Who waited while it failed does not wait for another.
        let is_ours = |failed: &&Failed| asked_at < failed.at || failed.at.elapsed() < failed.holds;
        if let Some(error) = state.failed.as_ref().filter(is_ours).and_then(|failed| copy(&failed.error)) {
            return Err(error);
        }
        let (error, holds) = match self.0.log_in().await {
            Ok(Some(token)) => {
                state.failed = None;
                return Ok(state.token.insert(token).clone());
            }
            Ok(None) => (self.0.backend.refused(PASSWORD_FILE), REFUSAL_HOLDS),
            Err(error) => (error, Duration::ZERO),
        };
        state.failed = copy(&error).map(|error| Failed { at: Instant::now(), holds, error });
        Err(error)
    }
}

/// The same error once more, for those that a server gives.
fn copy(error: &Error) -> Option<Error> {
    if let Error::Unavailable { reason, message } = error {
        return Some(Error::Unavailable { reason: reason.clone(), message: message.clone() });
    }
    let Error::DeadlineExceeded { message } = error else { return None };
    Some(Error::DeadlineExceeded { message: message.clone() })
}

impl Inner {
    /// Logs in; no token when salt-api does not accept the password.
    async fn log_in(&self) -> Result<Option<Token>> {
        let file = self.password_file.clone();
        let password = tokio::task::spawn_blocking(move || read(&file)).await;
        let password = password.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(|error| unreadable(&error))?;
        let place = self.backend.place();
        let url = place.url.join("login").map_err(|error| Error::internal("make the URL of Salt's log-in", error))?;
        let body = json!({ "username": self.user, "password": password, "eauth": self.eauth });
        let request = |http: &reqwest::Client| http.post(url.clone()).header("accept", "application/json").json(&body);
        let began = Instant::now();
        let answer = self.backend.call(LOGIN_TIMEOUT, Repeat::Allowed, request).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED => Ok(None),
            StatusCode::OK => {
                // What the parser says of it may hold a part of the token.
                let granted = answer.json::<Granted>().map_err(|_| self.backend.unintelligible(&answer, "it is no log-in"))?;
                Ok(Some(granted.token(began)))
            }
            _ => Err(self.backend.unintelligible(&answer, "it is no log-in")),
        }
    }
}

/// What a log-in answers.
#[derive(Deserialize)]
struct Granted {
    r#return: [Grant; 1],
}

#[derive(Deserialize)]
struct Grant {
    token: String,
    /// Seconds since 1970, by salt-api's clock.
    start: f64,
    expire: f64,
}

impl Granted {
    /// The token of a log-in that began then. Only the length of its life counts: the clocks may differ.
    fn token(self, began: Instant) -> Token {
        let [Grant { token, start, expire }] = self.r#return;
        let life = Duration::try_from_secs_f64(expire - start).unwrap_or_default();
        let usable = life.saturating_sub(MARGIN.min(life / 10));
        // A life that is longer than time itself is asked for again at once, which is harmless.
        let renew_at = began.checked_add(usable).unwrap_or(began);
        Token { text: token.into(), renew_at }
    }
}

/// The password in a file, without the end of its line.
pub(super) fn read(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn unreadable(error: &io::Error) -> Error {
    tracing::error!(%error, "the password for Salt cannot be read");
    let message = format!("the control plane cannot read its password for Salt; see {PASSWORD_FILE}");
    Error::Unavailable { reason: "SaltRefused".into(), message }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &self.0.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let began = Instant::now();
        for (start, expire, usable_ms) in [
            (1_795_211_487.5, 1_795_254_687.5, 42_900_000),
            (0.0, 100.0, 90_000),
            (0.0, 0.0, 0),
            (5.0, 0.0, 0),
            (0.0, f64::INFINITY, 0),
            (0.0, f64::NAN, 0),
        ] {
            let granted = Granted { r#return: [Grant { token: "t".into(), start, expire }] };
            let usable = granted.token(began).renew_at - began;
            assert_eq!(usable, Duration::from_millis(usable_ms), "{start} to {expire}");
        }
    }
}
