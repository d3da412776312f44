//! `aiinfra config …`.

use serde_json::json;

use super::Context;
use crate::args::ConfigCommand;
use crate::config::parse_url;
use crate::output::fields;

pub(super) fn run(mut context: Context, command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::SetUrl { url } => {
            let url = parse_url(&url)?;
            context.config.set_url(&url);
            context.config.save(&context.config_path)?;
            Ok(context.output.done(&format!("{url} is the server from now on"))?)
        }
        ConfigCommand::Show => {
            let username = context.config.session(&context.url).map(|session| session.username.clone()).unwrap_or_default();
            let file = context.config_path.display().to_string();
            let settings = json!({"url": context.url.as_str(), "username": username, "file": file});
            context.output.show(settings, |_: serde_json::Value| {
                fields([("Server", context.url.to_string()), ("Logged in as", username), ("Kept in", file)])
            })
        }
    }
}
