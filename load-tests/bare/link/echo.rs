//! Commands by the least that it takes: a queue for each agent, and who waits for which answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use utopia_proto::link::v1::agent_frame::Frame;
use utopia_proto::link::v1::agent_link_server::AgentLink;
use utopia_proto::link::v1::command::Action;
use utopia_proto::link::v1::{AgentFrame, Command, ControlFrame, control_frame};
use utopia_proto::node::v1::GetHealthRequest;
use uuid::Uuid;

use super::trigger::{PATIENCE, Reach};
use super::{Answers, answer};

/// Commands that may wait for one agent to read them.
const CAPACITY: usize = 16;

/// The link with commands. Clones have the same agents.
#[derive(Debug, Clone, Default)]
pub(super) struct Echo(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    agents: Mutex<HashMap<String, mpsc::Sender<ControlFrame>>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

impl Echo {
    async fn send(&self, agent: mpsc::Sender<ControlFrame>) -> anyhow::Result<oneshot::Receiver<()>> {
        let id = Uuid::new_v4().to_string();
        let (reply, answered) = oneshot::channel();
        lock(&self.0.waiting).insert(id.clone(), reply);
        let timeout_ms = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
        let command = Command { id, timeout_ms, action: Some(Action::GetHealth(GetHealthRequest::default())) };
        agent.send(ControlFrame { frame: Some(control_frame::Frame::Command(command)) }).await.context("the agent has left")?;
        Ok(answered)
    }

    fn handle(&self, frame: AgentFrame, queue: &mpsc::Sender<ControlFrame>) -> Option<ControlFrame> {
        match frame.frame {
            Some(Frame::Result(result)) => {
                if let Some(reply) = lock(&self.0.waiting).remove(&result.id) {
                    // Whoever waited may have given up.
                    let _ = reply.send(());
                }
                None
            }
            Some(Frame::Hello(hello)) => {
                lock(&self.0.agents).insert(hello.node_id.clone(), queue.clone());
                answer(AgentFrame { frame: Some(Frame::Hello(hello)) })
            }
            frame => answer(AgentFrame { frame }),
        }
    }
}

impl Reach for Echo {
    async fn ask(&self, node_id: &str) -> anyhow::Result<()> {
        let agent = lock(&self.0.agents).get(node_id).cloned().context("no such agent")?;
        Ok(self.send(agent).await?.await?)
    }

    async fn ask_all(&self) -> anyhow::Result<usize> {
        let agents: Vec<_> = lock(&self.0.agents).values().cloned().collect();
        let mut answers = Vec::with_capacity(agents.len());
        for agent in agents {
            answers.push(self.send(agent).await?);
        }
        let count = answers.len();
        for answered in answers {
            answered.await?;
        }
        Ok(count)
    }
}

#[async_trait]
impl AgentLink for Echo {
    type ConnectStream = Answers;

    async fn connect(&self, request: Request<Streaming<AgentFrame>>) -> Result<Response<Answers>, Status> {
        let (queue, commands) = mpsc::channel(CAPACITY);
        let this = self.clone();
        let answers = request
            .into_inner()
            .filter_map(move |frame| std::future::ready(frame.map(|frame| this.handle(frame, &queue)).transpose()));
        Ok(Response::new(Box::pin(stream::select(ReceiverStream::new(commands).map(Ok), answers))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
