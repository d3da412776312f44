//! Subscriptions over a WebSocket, in `graphql-transport-ws`.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, handshake::client::generate_key},
};

use crate::{
    databases::on_both_databases,
    http::Http,
    people::Member,
    plane::{Plane, claim, text},
    wait::soon,
};

on_both_databases!(
    events_are_watched,
    queries_and_mutations_are_answered_too,
    whoever_breaks_the_protocol_is_told_why,
    a_stream_ends_with_the_credentials,
    pages_of_strange_origins_are_kept_out,
);

/// A client of the protocol.
struct Client(WebSocketStream<TcpStream>);

fn request(http: &Http, origin: Option<&str>) -> Request<()> {
    let address = http.address();
    let request = Request::get(format!("ws://{address}/api/graphql")).header(header::HOST, address.to_string());
    let request = request.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "websocket");
    let request = request.header(header::SEC_WEBSOCKET_VERSION, "13").header(header::SEC_WEBSOCKET_KEY, generate_key());
    let request = request.header(header::SEC_WEBSOCKET_PROTOCOL, "graphql-transport-ws");
    let request = origin.into_iter().fold(request, |request, origin| request.header(header::ORIGIN, origin));
    request.body(()).unwrap()
}

impl Client {
    /// A connection that is not introduced yet.
    async fn open(http: &Http, origin: Option<&str>) -> Result<Self, Error> {
        let stream = TcpStream::connect(http.address()).await.unwrap();
        let (socket, _) = soon("the handshake", client_async(request(http, origin), stream)).await?;
        Ok(Self(socket))
    }

    /// One with a token.
    async fn introduced(http: &Http, token: &str) -> Self {
        let mut client = Self::open(http, None).await.unwrap();
        client.say(&json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {token}")}})).await;
        assert_eq!(client.hear().await, json!({"type": "connection_ack"}));
        client
    }

    async fn say(&mut self, message: &Json) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&json!({"type": "subscribe", "id": id, "payload": {"query": query}})).await;
    }

    /// The next message; the code and reason of the end.
    async fn next(&mut self) -> Result<Json, (u16, String)> {
        loop {
            match soon("a message", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(frame)))) => return Err((frame.code.into(), frame.reason.to_string())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} is no message"),
            }
        }
    }

    async fn hear(&mut self) -> Json {
        self.next().await.unwrap_or_else(|end| panic!("the connection ended: {end:?}"))
    }

    async fn end(&mut self) -> (u16, String) {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}

const EVENTS: &str = "subscription { eventWatchEvents(types: [\"claim.*\"]) { type resource_id cursor data } }";

async fn events_are_watched(plane: &Plane) {
    let user = plane.as_user();
    let mut client = Client::introduced(&plane.http, &plane.people.user.token).await;
    client.subscribe("1", EVENTS).await;
    let bookmark = client.hear().await;
    assert_eq!((&bookmark["type"], &bookmark["id"]), (&json!("next"), &json!("1")));
    assert_eq!(bookmark["payload"]["data"]["eventWatchEvents"]["type"], "bookmark");

    let id = text(&claim(&user, 0).await, "id").to_owned();
    let event = loop {
        let event = client.hear().await["payload"]["data"]["eventWatchEvents"].clone();
        if event["type"] != "bookmark" {
            break event;
        }
    };
    assert_eq!((&event["type"], &event["resource_id"]), (&json!("claim.pending"), &json!(id)));
    assert_eq!(event["data"]["id"], id);

    client.say(&json!({"type": "complete", "id": "1"})).await;
    client.say(&json!({"type": "ping"})).await;
    while client.hear().await["type"] != "pong" {}

    // What is there now, and no more.
    client.subscribe("2", "subscription { eventWatchEvents(cursor: \"0\", once: true) { type } }").await;
    let mut seen = Vec::new();
    loop {
        let message = client.hear().await;
        if message["type"] == "complete" {
            assert_eq!(message["id"], "2");
            break;
        }
        seen.push(message["payload"]["data"]["eventWatchEvents"]["type"].clone());
    }
    assert!(seen.contains(&json!("claim.pending")), "{seen:?}");
}

async fn queries_and_mutations_are_answered_too(plane: &Plane) {
    let mut client = Client::introduced(&plane.http, &plane.people.user.token).await;
    client.subscribe("q", "{ claimListClaims { total } }").await;
    assert_eq!(client.hear().await["payload"]["data"], json!({"claimListClaims": {"total": 0}}));
    assert_eq!(client.hear().await, json!({"type": "complete", "id": "q"}));
    client.subscribe("m", "mutation { claimDeleteClaim(id: \"nothing\") }").await;
    assert_eq!(client.hear().await["payload"]["errors"][0]["extensions"]["code"], "NotFound");
    assert_eq!(client.hear().await, json!({"type": "complete", "id": "m"}));
    // Nothing was done, and nothing follows.
    client.subscribe("bad", "{ nothing }").await;
    let error = client.hear().await;
    assert_eq!((&error["type"], &error["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("InvalidQuery")));

    let mut stranger = Client::introduced(&plane.http, "nonsense").await;
    stranger.subscribe("1", EVENTS).await;
    assert_eq!(stranger.hear().await["payload"]["errors"][0]["extensions"]["status"], 401);
    assert_eq!(stranger.hear().await, json!({"type": "complete", "id": "1"}));
    stranger.subscribe("2", "{ __schema { queryType { name } } }").await;
    assert_eq!(stranger.hear().await["payload"][0]["extensions"]["status"], 401);
}

async fn whoever_breaks_the_protocol_is_told_why(plane: &Plane) {
    let mut early = Client::open(&plane.http, None).await.unwrap();
    early.subscribe("1", EVENTS).await;
    assert_eq!(early.end().await.0, 4401);

    let token = &plane.people.user.token;
    let init = json!({"type": "connection_init"});
    for (code, messages) in [
        (4429, vec![init.clone()]),
        (4400, vec![json!({"type": "nonsense"})]),
        (4400, vec![json!([1])]),
        (4409, vec![json!({"type": "subscribe", "id": "1", "payload": {"query": EVENTS}}); 2]),
        (4400, vec![json!({"type": "subscribe", "id": "x".repeat(200), "payload": {"query": EVENTS}})]),
    ] {
        let mut client = Client::introduced(&plane.http, token).await;
        for message in &messages {
            client.say(message).await;
        }
        assert_eq!(client.end().await.0, code, "{messages:?}");
    }

    let mut greedy = Client::introduced(&plane.http, token).await;
    for id in 0..17 {
        greedy.subscribe(&id.to_string(), EVENTS).await;
    }
    let refused = loop {
        let message = greedy.hear().await;
        if message["type"] == "error" {
            break message;
        }
    };
    assert_eq!((&refused["id"], &refused["payload"][0]["extensions"]["code"]), (&json!("16"), &json!("TooManyOperations")));
}

async fn a_stream_ends_with_the_credentials(plane: &Plane) {
    let member = Member::new(plane, "leaver", "user").await;
    let mut client = Client::introduced(&plane.http, &member.token).await;
    client.subscribe("1", EVENTS).await;
    assert_eq!(client.hear().await["payload"]["data"]["eventWatchEvents"]["type"], "bookmark");
    member.http.post("/api/v1/auth/logout", &json!({})).await.expect(200);
    let error = loop {
        let message = client.hear().await;
        if message["payload"]["errors"].is_array() {
            break message["payload"]["errors"][0]["extensions"].clone();
        }
    };
    assert_eq!(error["status"], 401, "{error}");
    assert_eq!(client.hear().await, json!({"type": "complete", "id": "1"}));
}

async fn pages_of_strange_origins_are_kept_out(plane: &Plane) {
    let own = format!("http://{}", plane.http.address());
    Client::open(&plane.http, Some(&own)).await.unwrap();
    let Err(Error::Http(refused)) = Client::open(&plane.http, Some("https://strange.example")).await.map(drop) else {
        panic!("a page of another origin is not refused");
    };
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_says_so() {
    crate::databases::with_sqlite(async |url| {
        let plane = Plane::start(url).await;
        let mut client = Client::introduced(&plane.http, &plane.people.user.token).await;
        client.subscribe("1", EVENTS).await;
        client.hear().await;
        let ((), end) = tokio::join!(plane.stop(), client.end());
        assert_eq!(end, (1001, "the server ends".to_owned()));
    })
    .await;
}
