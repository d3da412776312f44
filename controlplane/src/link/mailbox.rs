//! The bounded queue of frames towards one agent, read by the response stream itself: no task and no channel per agent.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use utopia_proto::link::v1::{ControlFrame, control_frame::Frame};

/// How many frames may wait. Commands are bounded above this, so that only an agent that has stopped reading fills it.
const CAPACITY: usize = 256;

/// The queue. One reader.
#[derive(Debug)]
pub struct Mailbox {
    queue: Mutex<Queue>,
    reader: AtomicWaker,
    connection: CancellationToken,
}

#[derive(Debug, Default)]
struct Queue {
    /// Boxed: the queue of an agent that was sent something once keeps its room, and a frame is 300 bytes.
    frames: VecDeque<Box<Frame>>,
    closed: Option<Status>,
}

/// The mailbox takes no more frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Mailbox {
    /// A mailbox whose frames go through a connection that can be ended.
    #[must_use]
    pub fn new(connection: CancellationToken) -> Self {
        Self { queue: Mutex::default(), reader: AtomicWaker::new(), connection }
    }

    /// Queues a frame. A full mailbox closes itself and ends the connection: the agent does not read, so that the reason alone might
    /// never reach it.
    ///
    /// # Errors
    /// [`Closed`] when the session has ended or ends by this.
    pub fn push(&self, frame: Frame) -> Result<(), Closed> {
        {
            let mut queue = self.lock();
            if queue.closed.is_some() {
                return Err(Closed);
            }
            if queue.frames.len() < CAPACITY {
                queue.frames.push_back(Box::new(frame));
                drop(queue);
                self.reader.wake();
                return Ok(());
            }
        }
        self.close(utopia_proto::status::status(
            tonic::Code::ResourceExhausted,
            "AgentNotReading",
            "the agent does not read what is sent to it",
            None,
        ));
        self.connection.cancel();
        Err(Closed)
    }

    /// Ends the session with a status, after the frames that are queued unless the agent does not read them. The first reason stands.
    pub fn close(&self, status: Status) {
        self.lock().closed.get_or_insert(status);
        self.reader.wake();
    }

    /// Why the session has ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<Status> {
        self.lock().closed.clone()
    }

    /// The next frame, or the status with which the session ends.
    pub fn poll(&self, cx: &Context<'_>) -> Poll<Result<ControlFrame, Status>> {
        self.reader.register(cx.waker());
        let mut queue = self.lock();
        if let Some(frame) = queue.frames.pop_front() {
            return Poll::Ready(Ok(ControlFrame { frame: Some(*frame) }));
        }
        match &queue.closed {
            Some(status) => Poll::Ready(Err(status.clone())),
            None => Poll::Pending,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;
    use utopia_proto::link::v1::HeartbeatAck;

    use super::*;

    fn ack(sequence: u64) -> Frame {
        Frame::HeartbeatAck(HeartbeatAck { sequence })
    }

    #[test]
    fn frames_come_out_in_order_and_then_the_reason() {
        let mailbox = Mailbox::new(CancellationToken::new());
        mailbox.push(ack(1)).unwrap();
        mailbox.push(ack(2)).unwrap();
        mailbox.close(Status::unavailable("stopping"));
        assert_eq!(mailbox.push(ack(3)), Err(Closed));

        let waker = noop_waker();
        let cx = Context::from_waker(&waker);
        let mut sequences = Vec::new();
        let status = loop {
            match mailbox.poll(&cx) {
                Poll::Ready(Ok(ControlFrame { frame: Some(Frame::HeartbeatAck(ack)) })) => sequences.push(ack.sequence),
                Poll::Ready(Err(status)) => break status,
                other @ (Poll::Ready(Ok(_)) | Poll::Pending) => panic!("{other:?}"),
            }
        };
        assert_eq!(sequences, [1, 2]);
        assert_eq!(status.message(), "stopping");
    }

    #[test]
    fn an_agent_that_does_not_read_loses_its_session() {
        let connection = CancellationToken::new();
        let mailbox = Mailbox::new(connection.clone());
        for sequence in 0..CAPACITY as u64 {
            mailbox.push(ack(sequence)).unwrap();
        }
        assert!(!connection.is_cancelled());
        assert_eq!(mailbox.push(ack(0)), Err(Closed));
        assert_eq!(mailbox.closed().unwrap().code(), tonic::Code::ResourceExhausted);
        assert!(connection.is_cancelled());
    }
}
