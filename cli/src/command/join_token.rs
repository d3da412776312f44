//! `aiinfra join-token …`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::listing::listing;
use crate::api::{JoinToken, JoinTokenList};
use crate::args::{CreateJoinToken, JoinTokenCommand};
use crate::output::{Output, Table, remaining};

pub(super) async fn run(context: &Context, command: JoinTokenCommand) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    match command {
        JoinTokenCommand::Create(CreateJoinToken { ttl, max_uses, description }) => {
            let body = json!({"ttl_seconds": ttl.0, "max_uses": max_uses, "description": description});
            show_command(output, client.post(&["api", "join-tokens"], &body).await?)
        }
        JoinTokenCommand::List(page) => {
            let answer = listing(&client, &["api", "join-tokens"], "join_tokens", Vec::new(), &page).await?;
            output.show(answer, |list: JoinTokenList| {
                output.note_page(&list.page, list.join_tokens.len());
                table(&list.join_tokens, Timestamp::now())
            })
        }
        JoinTokenCommand::Revoke(token) => {
            client.delete(&["api", "join-tokens", &token.id], &[]).await?;
            Ok(output.done(&format!("join token {} is revoked", token.id))?)
        }
    }
}

/// Writes the command that joins a machine as the only result, so that it can be handed on as it is.
pub(super) fn show_command(output: Output, answer: Value) -> anyhow::Result<()> {
    output.show_once(answer, |token: JoinToken| {
        let machines = match token.max_uses {
            0 => "any number of machines".to_owned(),
            1 => "one machine".to_owned(),
            uses => format!("{uses} machines"),
        };
        let time = remaining(token.expires_at, Timestamp::now());
        output.note(&format!("Run this where a machine joins (join token {}, for {machines}, still {time}):", token.id));
        format!("{}\n", token.command)
    })
}

fn table(tokens: &[JoinToken], now: Timestamp) -> String {
    let mut table = Table::new(["ID", "EXPIRES IN", "USES", "NODE", "DESCRIPTION"]);
    for token in tokens {
        let uses = match token.max_uses {
            0 => token.uses.to_string(),
            most => format!("{} of {most}", token.uses),
        };
        table.row([token.id.clone(), remaining(token.expires_at, now), uses, token.node_id.clone(), token.description.clone()]);
    }
    table.render()
}
