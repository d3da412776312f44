//! `aiinfra users …`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{Named, Page, PasswordSource};

const CREATE_EXAMPLES: &str = "\
The password is taken from standard input with --password-stdin, from a file with --password-file, else asked for on the terminal.

  aiinfra users create bob --role operator --email bob@example.com
  openssl rand -base64 18 | tee bob-password | aiinfra users create bob --password-stdin";

const PASSWD_EXAMPLES: &str = "\
Without options the passwords are asked for on the terminal. An administrator needs no old one for somebody else. All tokens of
the user are revoked.

  aiinfra users passwd                                        your own
  aiinfra users passwd bob --password-file new-password       somebody else's
  printf '%s\\n' \"$OLD\" \"$NEW\" | aiinfra users passwd --password-stdin";

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List users in the order in which they registered (administrators)
    #[command(alias = "ls")]
    List(ListUsers),
    /// Show one user
    Get(Named),
    /// Make a user with any role (administrators)
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateUser),
    /// Change a user's e-mail address or role; a new role revokes all of the user's tokens
    Update(UpdateUser),
    /// Delete a user; all of the user's tokens are revoked (administrators)
    #[command(alias = "rm")]
    Delete(DeleteUser),
    /// Set a new password, yours or, for administrators, somebody else's
    #[command(after_help = PASSWD_EXAMPLES)]
    Passwd(ChangePassword),
    /// Lift the lock that too many failed log-ins put on a user (administrators)
    Unlock(Named),
}

#[derive(Debug, Args)]
pub(crate) struct ListUsers {
    /// Only users with this role
    #[arg(long, value_enum)]
    pub(crate) role: Option<Role>,
    /// Only users whose name or e-mail address contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// The roles, in the server's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// May do everything
    Admin,
    /// Runs machines and sees everybody's claims
    Operator,
    /// Makes claims
    User,
    /// Looks on
    Readonly,
}

#[derive(Debug, Args)]
pub(crate) struct CreateUser {
    /// The user name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) username: String,
    /// The role [default: user]
    #[arg(long, value_enum)]
    pub(crate) role: Option<Role>,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct UpdateUser {
    #[command(flatten)]
    pub(crate) user: Named,
    /// The new role (administrators)
    #[arg(long, group = "change", value_enum)]
    pub(crate) role: Option<Role>,
    /// The new e-mail address; an empty one for none
    #[arg(long, group = "change", value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteUser {
    #[command(flatten)]
    pub(crate) user: Named,
    /// Delete the user's live claims as well
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangePassword {
    /// Whose, by name or id; your own when left out
    #[arg(value_name = "NAME|ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Read from standard input: the new password, for yourself the old one in a line before it
    #[arg(long, conflicts_with_all = ["password_file", "old_password_file"])]
    pub(crate) password_stdin: bool,
    /// Read the new password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read your old password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) old_password_file: Option<PathBuf>,
}
