//! A call that the audit log is to know: which resource it names, and how it failed if it does.
//!
//! The name is read from the request as it goes by. No more of the request is kept than [`MAX_BYTES`], and nothing of it but the one
//! field ever leaves this module.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Value};
use tonic::{Code, Status, body::Body};
use utopia_proto::{
    policy::{Policies, grpc_path},
    status,
};

use super::journal::Journal;
use crate::{
    auth::limits,
    model::audit::{AuditResult, Trail},
};

/// The most that is kept of a request.
const MAX_BYTES: usize = 64 * 1024;

/// How long a request may take to arrive that is refused already.
const BODY_DEADLINE: Duration = Duration::from_secs(2);

/// The longest resource id and message that is written down, in characters.
const MAX_CHARACTERS: usize = 300;

/// A message of gRPC has a flag and its length before it.
const FRAME_HEADER: usize = 5;

/// Which field of each audited method's request names the resource.
#[derive(Debug, Default)]
pub(super) struct Subjects(HashMap<Box<str>, FieldDescriptor>);

impl Subjects {
    pub(super) fn new(pool: &DescriptorPool, policies: &Policies) -> Self {
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let entry = |method: prost_reflect::MethodDescriptor| {
            let path = grpc_path(&method);
            let field = method.input().get_field_by_name(&policies.audit(&path)?.id_field)?;
            Some((path.into(), field))
        };
        Self(methods.filter_map(entry).collect())
    }

    pub(super) fn of(&self, path: &str) -> Option<FieldDescriptor> {
        self.0.get(path).cloned()
    }
}

/// What has gone by of a request.
type Seen = Arc<Mutex<Vec<Bytes>>>;

/// A call under way.
#[derive(Debug)]
pub(super) struct Attempt {
    trail: Trail,
    subject: Option<FieldDescriptor>,
    seen: Seen,
    journal: Journal,
}

impl Attempt {
    pub(super) fn new(trail: Trail, subject: Option<FieldDescriptor>, journal: Journal) -> Self {
        Self { trail, subject, seen: Seen::default(), journal }
    }

    /// The body of the request, which this listens to.
    pub(super) fn listen(&self, body: Body) -> Body {
        // Without a field that names something there is nothing to hear.
        if self.subject.is_none() { body } else { Body::new(Tap { body, seen: self.seen.clone(), left: MAX_BYTES }) }
    }

    /// Writes down how the call failed in the service.
    pub(super) fn failed(self, status: &Status) {
        let result = match status.code() {
            Code::PermissionDenied => AuditResult::Denied,
            Code::Ok => return,
            Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
            | Code::Unauthenticated => AuditResult::Failure,
        };
        self.conclude(result, status);
    }

    /// Writes down that the call was refused, with the resource that its request names if that arrives soon.
    pub(super) async fn refused(self, body: Body, status: &Status) {
        // When the client hangs up, this future ends early, and the entry is written all the same.
        let mut refused = Refused { attempt: Some(self), status };
        let Some(attempt) = &mut refused.attempt else { return };
        let mut body = attempt.listen(body);
        if attempt.subject.is_some() {
            let arrive = async { while let Some(Ok(_)) = body.frame().await {} };
            // Whatever has come by then is what there is.
            let _ = tokio::time::timeout(BODY_DEADLINE, arrive).await;
        }
    }

    fn conclude(self, result: fn(String, String) -> AuditResult, status: &Status) {
        let reason = status::reason(status);
        if reason == limits::REASON {
            return;
        }
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let resource_id = self.subject.and_then(|field| named(&field, seen)).unwrap_or_default();
        self.journal.take(self.trail, cut(resource_id), result(reason, cut(status.message().to_owned())));
    }
}

/// A refusal that is written down when this goes out of scope.
struct Refused<'a> {
    attempt: Option<Attempt>,
    status: &'a Status,
}

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.conclude(AuditResult::Denied, self.status);
        }
    }
}

/// What the field of the first message says.
fn named(field: &FieldDescriptor, seen: Vec<Bytes>) -> Option<String> {
    let mut bytes = match <[Bytes; 1]>::try_from(seen) {
        Ok([bytes]) => bytes,
        Err(parts) => parts.concat().into(),
    };
    if bytes.len() < FRAME_HEADER || bytes.get_u8() != 0 {
        return None;
    }
    let length = usize::try_from(bytes.get_u32()).ok()?;
    let message = DynamicMessage::decode(field.parent_message().clone(), bytes.get(..length)?).ok()?;
    Some(match &*message.get_field(field) {
        Value::String(text) => text.clone(),
        Value::I64(number) => number.to_string(),
        Value::I32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::Bool(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Bytes(_)
        | Value::EnumNumber(_)
        | Value::Message(_)
        | Value::List(_)
        | Value::Map(_) => return None,
    })
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        text.truncate(end);
    }
    text
}

/// A body that is listened to.
struct Tap {
    body: Body,
    seen: Seen,
    left: usize,
}

impl HttpBody for Tap {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && self.left > 0
        {
            let kept = data.slice(..data.len().min(self.left));
            self.left -= kept.len();
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use utopia_proto::iam::v1::LoginRequest;

    use super::*;

    fn field() -> FieldDescriptor {
        let pool = utopia_proto::descriptor_pool();
        let policies = Policies::from_descriptors(&pool);
        Subjects::new(&pool, &policies).of("/utopia.iam.v1.IamService/Login").unwrap()
    }

    fn framed(username: &str) -> Vec<u8> {
        let message = LoginRequest { username: username.into(), password: "secret-of-ada".into() }.encode_to_vec();
        let mut frame = vec![0];
        frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(&message);
        frame
    }

    #[test]
    fn the_resource_is_named_however_the_request_arrives() {
        let frame = framed("ada");
        let whole = vec![Bytes::from(frame.clone())];
        let in_bytes = frame.iter().map(|byte| Bytes::from(vec![*byte])).collect();
        let more = vec![Bytes::from([&*frame, b"more"].concat())];
        for seen in [whole, in_bytes, more] {
            assert_eq!(named(&field(), seen).as_deref(), Some("ada"));
        }
    }

    #[test]
    fn what_is_not_a_whole_message_names_nothing() {
        let frame = framed("ada");
        let mut compressed = frame.clone();
        compressed[0] = 1;
        let mut too_long = frame.clone();
        too_long[1] = 255;
        let nonsense = [&[0, 0, 0, 0, 4], &[255; 4][..]].concat();
        for bytes in [Vec::new(), vec![0; 4], frame[..frame.len() - 1].to_vec(), compressed, too_long, nonsense] {
            assert_eq!(named(&field(), vec![Bytes::from(bytes)]), None);
        }
        assert_eq!(named(&field(), Vec::new()), None);
    }

    #[tokio::test]
    async fn no_more_of_a_request_is_kept_than_is_needed() {
        let seen = Seen::default();
        let body = Body::new(http_body_util::Full::new(Bytes::from(vec![7; MAX_BYTES + 10])));
        let mut tap = Tap { body, seen: seen.clone(), left: MAX_BYTES };
        assert_eq!(tap.frame().await.unwrap().unwrap().into_data().unwrap().len(), MAX_BYTES + 10);
        assert_eq!(seen.lock().unwrap().iter().map(Bytes::len).sum::<usize>(), MAX_BYTES);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("ä".repeat(MAX_CHARACTERS + 1)).chars().count(), MAX_CHARACTERS);
        assert_eq!(cut("short".into()), "short");
    }
}
