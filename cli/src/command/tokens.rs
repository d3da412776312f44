//! `aiinfra tokens …`.

use jiff::Timestamp;

use super::listing::listing;
use super::{Context, typed, word};
use crate::api::{ApiToken, ApiTokenList};
use crate::args::{CreateToken, TokensCommand};
use crate::output::{Table, age, remaining};

const TOKENS: [&str; 3] = ["api", "v1", "tokens"];

pub(super) async fn run(context: &Context, command: TokensCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        TokensCommand::Create(CreateToken { name, role, ttl }) => {
            let body = typed([
                ("name", Some(name.into())),
                ("role", role.map(|role| word(role).into())),
                ("ttl_seconds", ttl.map(|ttl| ttl.0.into())),
            ]);
            let answer = client.post(&TOKENS, &body).await?;
            output.show_once(answer, |token: ApiToken| {
                let time = remaining(token.expires_at, Timestamp::now());
                output.note(&format!(
                    "API token {} for {} as {}, still {time}; it is shown this once:",
                    token.id, token.name, token.role
                ));
                format!("{}\n", token.token)
            })
        }
        TokensCommand::List(page) => {
            let answer = listing(&client, &TOKENS, "tokens", Vec::new(), &page).await?;
            output.show(answer, |list: ApiTokenList| {
                output.note_page(&list.page, list.tokens.len());
                table(&list.tokens, Timestamp::now())
            })
        }
        TokensCommand::Revoke(token) => {
            let [api, version, tokens] = TOKENS;
            client.delete(&[api, version, tokens, &token.id], &[]).await?;
            Ok(output.done(&format!("API token {} is revoked", token.id))?)
        }
    }
}

fn table(tokens: &[ApiToken], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "NAME", "USER", "ROLE", "EXPIRES IN", "USED", "AGE"]);
    for token in tokens {
        table.row([
            token.id.clone(),
            token.name.clone(),
            token.username.clone(),
            token.role.clone(),
            remaining(token.expires_at, now),
            age(token.last_used_at, now),
            age(token.created_at, now),
        ]);
    }
    table.render()
}
