//! `aiinfra config …`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Context;
use crate::args::{ConfigCommand, Global, SetContext, TypedServer};
use crate::config::{self, Config, parse_url};
use crate::output::{Output, Table, fields};

/// Needs no context that holds: it is what mends one that does not.
pub(super) fn run(global: &Global, typed: TypedServer, command: ConfigCommand) -> anyhow::Result<()> {
    let (output, path) = (Output::new(global), config::path()?);
    let mut file = Settings { output, config: Config::load(&path)?, path };
    let named = global.context.as_deref();
    match command {
        ConfigCommand::SetUrl { url } => {
            let url = parse_url(&url)?;
            let context = file.config.chosen(named)?.to_owned();
            file.config.entry(&context).url = Some(url.to_string());
            file.save(&format!("{url} is the server from now on"))
        }
        ConfigCommand::SetContext(set) => file.set(&set, typed),
        ConfigCommand::UseContext { name } => {
            file.config.use_context(&name)?;
            file.save(&format!("{name} is the context from now on"))
        }
        ConfigCommand::DeleteContext { name } => {
            file.config.delete_context(&name)?;
            file.save(&format!("context {name} is deleted, and its tokens with it"))
        }
        ConfigCommand::CurrentContext => {
            let name = file.config.chosen(named)?;
            output.show(json!({"name": name}), |_: Value| format!("{name}\n"))
        }
        ConfigCommand::GetContexts | ConfigCommand::View | ConfigCommand::Show => file.list(named),
    }
}

/// The settings in force: what `config show` says.
pub(super) fn show(context: &Context) -> anyhow::Result<()> {
    let username = context.session().map(|session| session.username.clone()).unwrap_or_default();
    let file = context.config_path.display().to_string();
    let settings = json!({"context": context.name, "url": context.url.as_str(), "username": username, "file": file});
    context.output.show(settings, |_: Value| {
        fields([
            ("Context", context.name.clone()),
            ("Server", context.url.to_string()),
            ("Logged in as", username),
            ("Kept in", file),
        ])
    })
}

struct Settings {
    output: Output,
    path: PathBuf,
    config: Config,
}

impl Settings {
    fn set(&mut self, set: &SetContext, typed: TypedServer) -> anyhow::Result<()> {
        let url = typed.url.as_deref().map(parse_url).transpose()?;
        // It may be used from any directory.
        let server_ca = typed.server_ca.map(std::path::absolute).transpose()?;
        let context = self.config.entry(&set.name);
        if let Some(url) = url {
            context.url = Some(url.to_string());
        }
        if server_ca.is_some() {
            context.server_ca = server_ca;
        }
        self.save(&format!("context {} is kept; use it with `aiinfra config use-context {0}`", set.name))
    }

    fn save(&self, sentence: &str) -> anyhow::Result<()> {
        self.config.save(&self.path)?;
        Ok(self.output.done(sentence)?)
    }

    fn list(&self, named: Option<&str>) -> anyhow::Result<()> {
        let current = named.unwrap_or_else(|| self.config.current());
        let mut table = Table::new(["CURRENT", "NAME", "SERVER", "LOGGED IN AS", "SERVER CA"]);
        let mut contexts = Vec::new();
        for (name, context) in self.config.contexts() {
            let url = self.config.server(name, None)?;
            let username = self.config.session(name, &url).map(|session| session.username.clone()).unwrap_or_default();
            let server_ca = context.server_ca.as_ref().map(|path| path.display().to_string());
            let mark = if name == current { "*" } else { "" };
            table.row([
                mark.to_owned(),
                name.to_owned(),
                url.to_string(),
                username.clone(),
                server_ca.clone().unwrap_or_default(),
            ]);
            contexts.push(json!({"name": name, "url": url.as_str(), "username": username, "server_ca": server_ca}));
        }
        let answer = json!({"current_context": current, "file": self.path, "contexts": contexts});
        self.output.show(answer, |_: Value| table.render())
    }
}
