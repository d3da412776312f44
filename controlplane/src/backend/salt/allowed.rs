//! Which functions may run on minions, and which of their arguments are not for callers.
//!
//! Whoever may run a function of the list is root on minions as far as that function goes. A pattern must therefore not admit by the way
//! what runs anything else: see [`RUNNERS`].

use std::collections::BTreeSet;

use anyhow::bail;

/// Functions that run whatever function, state or text their arguments hold. They are admitted by their full names only, never by
/// a pattern of their module.
const RUNNERS: [&str; 16] = [
    "test.cross_test",
    "test.try",
    "test.try_",
    "state.high",
    "state.low",
    "state.orchestrate",
    "state.pkg",
    "state.single",
    "state.template",
    "state.template_str",
    "saltutil.cmd",
    "saltutil.cmd_iter",
    "saltutil.mmodule",
    "saltutil.runner",
    "saltutil.wheel",
    "status.proxy_reconnect",
];

/// The functions that may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    functions: BTreeSet<String>,
    /// Modules of which all functions may run but those of [`RUNNERS`].
    modules: BTreeSet<String>,
}

impl AllowList {
    /// The list that patterns make: `module.function`, or `module.*` for all of a module.
    ///
    /// # Errors
    /// When a pattern is neither.
    pub fn parse(patterns: &[String]) -> anyhow::Result<Self> {
        let mut list = Self::default();
        for pattern in patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty()) {
            match pattern.strip_suffix(".*") {
                Some(module) if is_word(module) => list.modules.insert(module.to_owned()),
                None if is_function(pattern) => list.functions.insert(pattern.to_owned()),
                Some(_) | None => bail!("{pattern:?} is neither like `grains.item` nor like `grains.*`"),
            };
        }
        Ok(list)
    }

    /// Whether a function may run.
    #[must_use]
    pub fn admits(&self, function: &str) -> bool {
        let of_module = || function.split_once('.').is_some_and(|(module, _)| self.modules.contains(module));
        self.functions.contains(function) || !RUNNERS.contains(&function) && of_module()
    }
}

/// Whether this has the form `module.function`. Salt would take more, several functions at once with commas among it.
#[must_use]
pub fn is_function(text: &str) -> bool {
    text.len() <= 128 && text.split_once('.').is_some_and(|(module, function)| is_word(module) && is_word(function))
}

/// Why callers may not set a named argument, if they may not: as the end of a sentence that begins with its name.
#[must_use]
pub fn reserved_argument(function: &str, name: &str) -> Option<&'static str> {
    if name.starts_with("__") {
        return Some("must not begin with `__`: Salt passes its own arguments so");
    }
    // Settings from any file of the minion say where states and modules come from.
    if name == "localconfig" && function.starts_with("state.") {
        return Some("must not be given: it replaces the minion's settings");
    }
    None
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> anyhow::Result<AllowList> {
        AllowList::parse(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn patterns_admit_a_function_or_a_module() {
        let list = list(&["test.*", " state.apply", ""]).unwrap();
        for (function, admitted) in [
            ("test.ping", true),
            ("test.echo", true),
            ("state.apply", true),
            ("state.single", false),
            ("cmd.run", false),
            ("testing.ping", false),
            ("test", false),
            ("", false),
        ] {
            assert_eq!(list.admits(function), admitted, "{function}");
        }
        assert!(!AllowList::default().admits("test.ping"));
    }

    #[test]
    fn a_pattern_does_not_admit_what_runs_anything() {
        let patterns = list(&["test.*", "state.*", "saltutil.*", "status.*"]).unwrap();
        for function in RUNNERS {
            assert!(!patterns.admits(function), "{function}");
            assert!(list(&[function]).unwrap().admits(function), "{function}");
        }
        assert!(patterns.admits("state.apply") && patterns.admits("saltutil.sync_all"));
    }

    #[test]
    fn patterns_that_would_admit_everything_are_refused() {
        for pattern in ["*", "*.*", "test.p*", "test", "te st.*", "test.ping,cmd.run", ".*", "test.", "a.b.c", "test.*.*"] {
            assert!(list(&[pattern]).is_err(), "{pattern}");
        }
    }

    #[test]
    fn functions_have_a_form() {
        for good in ["test.ping", "test.try_", "k8s.nodes", "win_update.list", "A.b"] {
            assert!(is_function(good), "{good}");
        }
        for bad in ["", ".", "test", "test.", ".ping", "test.ping,cmd.run", "test.ping;id", "test.ping\0", "a.b.c", "test.ping "]
        {
            assert!(!is_function(bad), "{bad:?}");
        }
        assert!(!is_function(&format!("test.{}", "a".repeat(128))));
    }

    #[test]
    fn arguments_of_salt_itself_are_not_for_callers() {
        for (function, name) in [("test.arg", "__kwarg__"), ("test.arg", "__pub_user"), ("state.apply", "localconfig")] {
            assert!(reserved_argument(function, name).is_some(), "{function} {name}");
        }
        for (function, name) in [("state.apply", "pillar"), ("test.arg", "localconfig"), ("test.arg", "tgt"), ("test.arg", "ret")]
        {
            assert_eq!(reserved_argument(function, name), None, "{function} {name}");
        }
    }
}
