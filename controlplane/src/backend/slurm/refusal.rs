//! What Slurm's errors are here. slurmrestd answers HTTP 500 to nearly everything that goes wrong; what it is, only its number says.

use std::borrow::Cow;

use super::{shape, users::no_slurm_user};
use crate::{
    backend::client::Backend,
    error::{Error, Result},
};

/// Why Slurm did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no answer, or none that can be understood.
    Away(Error),
    /// It does not believe that the call is the user's.
    Credentials,
    /// There is no such job.
    NoSuchJob,
    /// The job has ended already.
    Over,
    /// It knows no such user.
    NoSuchUser,
    /// The user may not.
    Denied(String),
    /// What was asked makes no sense to it.
    Invalid(&'static str, String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Away(error)
    }
}

impl Failure {
    /// What the first of these errors means; none for a number that says nothing.
    pub(super) fn of(refusals: &[shape::Refusal]) -> Option<Self> {
        let refusal = refusals.first()?;
        let sentence = sentence(refusal);
        Some(match refusal.error_number.0.unwrap_or_default() {
            // To a token that does not hold the controller says nothing at all, and versions before 23.02 make of that what they can.
            1007 | 5004 | 5005 | 6000..=6999 | -1 => Self::Credentials,
            2017 | 2044 => Self::NoSuchJob,
            2021 => Self::Over,
            2010 => Self::NoSuchUser,
            2002 => Self::Denied(sentence),
            2000 | 2001 | 2003 | 2015 => Self::Invalid("partition", sentence),
            2004 | 2006 | 2014 => Self::Invalid("nodes", sentence),
            2005 => Self::Invalid("ntasks", sentence),
            2012 => Self::Invalid("working_directory", sentence),
            2045 => Self::Invalid("account", sentence),
            2051 => Self::Invalid("time_limit_minutes", sentence),
            2072 => Self::Invalid("gpus_per_node", sentence),
            2007..=2999 | 9000..=9999 => Self::Invalid("job", sentence),
            _ => return None,
        })
    }

    /// The error for a caller who is this user.
    pub(super) fn into_error(self, backend: &Backend, user: &str, job_id: i64) -> Error {
        match self {
            Self::Away(error) => error,
            Self::Credentials => backend.refused(super::SETTING),
            Self::NoSuchJob => Error::not_found("job", job_id),
            Self::Over => Error::FailedPrecondition { reason: "JobOver".into(), message: format!("job {job_id} has ended") },
            Self::NoSuchUser => no_slurm_user(user),
            Self::Denied(sentence) => Error::Denied { reason: "SlurmDenied", message: format!("Slurm says: {sentence}") },
            Self::Invalid(field, sentence) => Error::invalid(field, Cow::Owned(format!("Slurm says: {sentence}"))),
        }
    }
}

/// Slurm's own sentence, cut to what fits into ours.
pub(super) fn sentence(refusal: &shape::Refusal) -> String {
    let texts = [&*refusal.error.0, &*refusal.description.0];
    let text = texts.into_iter().find(|text| !text.is_empty()).unwrap_or("no reason");
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// A lookup where nothing found is no failure.
pub(super) fn found<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Failure::NoSuchJob) => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_told_apart_whatever_their_key() {
        let of = |value| Failure::of(&[serde_json::from_value::<shape::Refusal>(value).unwrap()]);
        assert!(matches!(of(json!({"error_number": 2017, "error": "Invalid job id specified"})), Some(Failure::NoSuchJob)));
        assert!(matches!(of(json!({"error": "Unspecified error", "errno": -1})), Some(Failure::Credentials)));
        let silence = json!({"error_code": 5005, "error": "Zero Bytes were transmitted or received"});
        assert!(matches!(of(silence), Some(Failure::Credentials)));
        assert!(matches!(of(json!({"error_number": 2002, "error": "no"})), Some(Failure::Denied(_))));
        assert!(of(json!({"error_number": 1001, "error": "cannot contact"})).is_none());
        assert!(of(json!({"error": "what"})).is_none());
        for (number, field) in [(2000, "partition"), (2014, "nodes"), (2045, "account"), (2072, "gpus_per_node"), (9001, "job")] {
            let Some(Failure::Invalid(named, sentence)) = of(json!({"error_code": number, "error": "so\u{1b} it is"})) else {
                panic!("{number}");
            };
            assert_eq!((named, &*sentence), (field, "so it is"));
        }
    }
}
