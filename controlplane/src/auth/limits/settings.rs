//! The limits as they are written in a setting: `login=10,general=100,admin=50`, or `off`.

use std::{num::NonZeroU32, str::FromStr};

/// The most calls per minute that can be set: one every ten microseconds.
const MAX: u32 = 6_000_000;

/// Calls per minute for each class; none for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Log-in and registration, per address and per user name.
    pub login: Option<NonZeroU32>,
    /// Ordinary operations, per user.
    pub general: Option<NonZeroU32>,
    /// Administrators' operations, per user.
    pub admin: Option<NonZeroU32>,
}

impl Settings {
    /// No limits.
    pub const OFF: Self = Self { login: None, general: None, admin: None };

    /// The defaults as they are written in the setting.
    pub const DEFAULT: &str = "login=10,general=100,admin=50";
}

impl Default for Settings {
    fn default() -> Self {
        Self { login: NonZeroU32::new(10), general: NonZeroU32::new(100), admin: NonZeroU32::new(50) }
    }
}

/// A setting that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a class and its limit.
    #[error("`{0}` is not a class and its limit: write `off`, or some of `{default}`", default = Settings::DEFAULT)]
    Form(String),
    /// No class of this name.
    #[error("there is no class `{0}`: the classes are login, general and admin")]
    Class(String),
    /// The same class twice.
    #[error("the class `{0}` is there twice")]
    Twice(String),
    /// Not a limit.
    #[error("`{0}` is no limit: write the requests per minute from 1 to {MAX}, or `off`")]
    Number(String),
}

impl FromStr for Settings {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        if text.trim().eq_ignore_ascii_case("off") {
            return Ok(Self::OFF);
        }
        let mut settings = Self::default();
        let mut seen = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (class, limit) = entry.split_once('=').ok_or_else(|| SettingsError::Form(entry.to_owned()))?;
            let (class, limit) = (class.trim(), limit.trim());
            let place = match class {
                "login" => &mut settings.login,
                "general" => &mut settings.general,
                "admin" => &mut settings.admin,
                _ => return Err(SettingsError::Class(class.to_owned())),
            };
            if seen.contains(&class) {
                return Err(SettingsError::Twice(class.to_owned()));
            }
            seen.push(class);
            *place = number(limit)?;
        }
        Ok(settings)
    }
}

fn number(text: &str) -> Result<Option<NonZeroU32>, SettingsError> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number: &NonZeroU32| number.get() <= MAX);
    number.map(Some).ok_or_else(|| SettingsError::Number(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(login: u32, general: u32, admin: u32) -> Settings {
        Settings { login: NonZeroU32::new(login), general: NonZeroU32::new(general), admin: NonZeroU32::new(admin) }
    }

    #[test]
    fn any_subset_of_the_classes_can_be_set() {
        assert_eq!(Settings::DEFAULT.parse(), Ok(Settings::default()));
        assert_eq!("login=3".parse(), Ok(settings(3, 100, 50)));
        assert_eq!(" admin=7 , general=off".parse(), Ok(settings(10, 0, 7)));
        assert_eq!("off".parse(), Ok(Settings::OFF));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, error) in [
            ("", SettingsError::Form(String::new())),
            ("10", SettingsError::Form("10".into())),
            ("login=3,", SettingsError::Form(String::new())),
            ("logins=3", SettingsError::Class("logins".into())),
            ("login=3,login=4", SettingsError::Twice("login".into())),
            ("login=0", SettingsError::Number("0".into())),
            ("login=-1", SettingsError::Number("-1".into())),
            ("login=6000001", SettingsError::Number("6000001".into())),
            ("admin=many", SettingsError::Number("many".into())),
        ] {
            assert_eq!(text.parse::<Settings>(), Err(error), "{text}");
        }
    }
}
