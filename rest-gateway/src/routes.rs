//! The route table: from the descriptors' `google.api.http` bindings to a search by path and method.
//!
//! Nothing here is specific to a service. At each segment a literal wins over a variable, and a variable over a rest.

pub(crate) mod rule;

use std::{borrow::Cow, collections::HashMap, ops::Range, time::Duration};

use http::{HeaderMap, Method, StatusCode, uri::PathAndQuery};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tonic::Code;

use crate::{
    percent,
    style::Style,
    template::{Segment, Template},
    transcode::{
        request::{Target, resolve},
        table::{MessageId, Tables},
    },
};
use rule::Rule;

/// The metadata by which a method picks among the statuses of its success.
const PICKED_STATUS: &str = "x-http-status";

/// A contract from which no routes can be made.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The pool has no such service.
    #[error("the descriptors have no service {0}")]
    UnknownService(String),
    /// A binding is wrong.
    #[error("{method}: {reason}")]
    Binding {
        /// The full name of the method.
        method: String,
        /// What is wrong.
        reason: String,
    },
}

/// All routes, with the tables they need.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) tables: Tables,
    routes: Vec<Route>,
    root: Node,
}

/// One binding of a method.
#[derive(Debug)]
pub(crate) struct Route {
    /// Where gRPC calls the method.
    pub(crate) grpc_path: PathAndQuery,
    pub(crate) input: MessageId,
    pub(crate) output: MessageId,
    pub(crate) body: BodyBinding,
    /// The field of the answer that becomes the body, by index; none for all of it.
    pub(crate) response_field: Option<usize>,
    /// Fields bound by the path, with the segments they span.
    pub(crate) variables: Vec<(Target, Range<usize>)>,
    pub(crate) streams: bool,
    /// What numbers the messages of a stream.
    pub(crate) event_id: Option<EventId>,
    /// How long it may take; none for the gateway's own limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) style: Style,
    success_status: StatusCode,
    /// What the method may answer instead.
    other_success_status: Vec<StatusCode>,
    /// What precedes and follows the JSON text of a success.
    pub(crate) around: (Box<str>, &'static str),
    /// The body of a success without content, for who wants one.
    pub(crate) done_body: Box<str>,
    deviations: Vec<Deviation>,
}

/// The field that is the `id` of server-sent events, and the one that says where a client goes on.
#[derive(Debug)]
pub(crate) struct EventId {
    /// In the messages of the stream, by index.
    pub(crate) answer: usize,
    /// In the request.
    pub(crate) request: Target,
}

/// A gRPC code that becomes another HTTP status than usual.
#[derive(Debug)]
struct Deviation {
    code: Code,
    /// Only for errors of this reason; for all when empty.
    reason: Box<str>,
    status: StatusCode,
}

/// What the body of a request fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyBinding {
    /// Nothing: it is not read.
    Nothing,
    /// All fields.
    Message,
    /// One field, by index.
    Field(usize),
}

impl Route {
    /// The HTTP status of an answer: the one that its metadata picks, among those of the contract, else the usual one.
    pub(crate) fn success_status(&self, metadata: &HeaderMap) -> StatusCode {
        let picked = metadata.get(PICKED_STATUS).and_then(|status| StatusCode::from_bytes(status.as_bytes()).ok());
        picked.filter(|status| self.other_success_status.contains(status)).unwrap_or(self.success_status)
    }

    /// The HTTP status of an error: that of the first deviation which fits, else the usual one.
    pub(crate) fn error_status(&self, code: Code, reason: &str) -> StatusCode {
        let fits =
            |deviation: &&Deviation| deviation.code == code && (deviation.reason.is_empty() || *deviation.reason == *reason);
        self.deviations.iter().find(fits).map_or_else(|| crate::style::http_status(code), |deviation| deviation.status)
    }
}

/// The segments of a path, decoded.
pub(crate) type Segments<'p> = Vec<Cow<'p, str>>;

/// What a path and a method lead to.
#[derive(Debug)]
pub(crate) enum Found<'p> {
    /// An operation, by index.
    Route(usize, Segments<'p>),
    /// A path that has operations, but not with this method.
    OtherMethods {
        /// The methods, as for `Allow`.
        allow: String,
        /// The style of these operations.
        style: Style,
    },
    /// No operation.
    Nothing,
}

impl Routes {
    /// The routes of the named services.
    pub(crate) fn new(pool: &DescriptorPool, services: &[&str]) -> Result<Self, RouteError> {
        let mut routes = Self::default();
        for name in services {
            let service = pool.get_service_by_name(name).ok_or_else(|| RouteError::UnknownService((*name).to_owned()))?;
            for method in service.methods() {
                let wrong = |reason: String| RouteError::Binding { method: method.full_name().to_owned(), reason };
                for rule in rule::rules(&method) {
                    routes.add(&method, &rule).map_err(|reason| wrong(format!("{} {}: {reason}", rule.method, rule.path)))?;
                }
            }
        }
        Ok(routes)
    }

    /// The route with an index that [`Self::find`] gave.
    pub(crate) fn get(&self, index: usize) -> &Route {
        &self.routes[index]
    }

    /// The first route of a method, by its gRPC path.
    pub(crate) fn of_method(&self, grpc_path: &str) -> Option<usize> {
        self.routes.iter().position(|route| route.grpc_path == grpc_path)
    }

    /// Finds the route of a request.
    pub(crate) fn find<'p>(&self, method: &Method, path: &'p str) -> Found<'p> {
        let Some(segments) = split(path) else { return Found::Nothing };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        if let Some(index) = self.root.find(&segments, wanted) {
            return Found::Route(index, segments);
        }
        let mut others = Vec::new();
        self.root.collect(&segments, &mut others);
        let Some((_, first)) = others.first() else { return Found::Nothing };
        let style = self.routes[*first].style;
        let mut names = others.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.sort_unstable();
        names.dedup();
        Found::OtherMethods { allow: names.join(", "), style }
    }

    fn add(&mut self, method: &MethodDescriptor, rule: &Rule) -> Result<(), String> {
        if method.is_client_streaming() {
            return Err("a method that takes a stream has no route".to_owned());
        }
        let template = Template::parse(&rule.path).map_err(|error| error.to_string())?;
        let input = self.tables.add(&method.input()).map_err(|error| error.to_string())?;
        let output = self.tables.add(&method.output()).map_err(|error| error.to_string())?;
        let field = |id: MessageId, name: &str| {
            let key = self.tables[id].key(name).filter(|key| key.inner.is_none());
            key.map(|key| usize::from(key.field)).ok_or_else(|| format!("there is no field {name}"))
        };
        let body = match rule.body.as_str() {
            "" => BodyBinding::Nothing,
            "*" => BodyBinding::Message,
            name => BodyBinding::Field(field(input, name)?),
        };
        let response_field = match rule.response_body.as_str() {
            "" => None,
            name => Some(field(output, name)?),
        };
        let variable = |variable: &crate::template::Variable| {
            let target = resolve(&self.tables, input, &variable.field);
            target.map(|target| (target, variable.span.clone())).ok_or_else(|| format!("{} takes no text", variable.field))
        };
        let variables = template.variables.iter().map(variable).collect::<Result<Vec<_>, _>>()?;
        let operation = utopia_proto::policy::operation(method).unwrap_or_default();
        let rest = operation.rest.unwrap_or_default();
        let event_id = match &*rest.event_id_field {
            "" => None,
            name => {
                let request = resolve(&self.tables, input, name).ok_or_else(|| format!("{name} takes no text"))?;
                Some(EventId { answer: field(output, name)?, request })
            }
        };
        let style = Style::from(rest.style());
        let route = Route {
            grpc_path: utopia_proto::policy::grpc_path(method).parse().map_err(|_| "the method has no path".to_owned())?,
            input,
            output,
            body,
            response_field,
            variables,
            streams: method.is_server_streaming(),
            event_id,
            timeout: (operation.timeout_seconds > 0).then(|| Duration::from_secs(operation.timeout_seconds.into())),
            style,
            success_status: success_status(rest.success_status)?,
            other_success_status: rest.other_success_status.into_iter().map(success_status).collect::<Result<_, _>>()?,
            around: style.around(&rest.success_message),
            done_body: style.done_body(&rest.success_message).into(),
            deviations: deviations(&rest.error_status)?,
        };
        let wanted = rule.method.parse::<Method>().map_err(|_| "the HTTP method has no name".to_owned())?;
        self.root.insert(&template.segments, wanted, self.routes.len())?;
        self.routes.push(route);
        Ok(())
    }
}

fn success_status(status: u32) -> Result<StatusCode, String> {
    let status = if status == 0 { 200 } else { status };
    http_status(status).filter(StatusCode::is_success).ok_or_else(|| format!("{status} is no status of success"))
}

fn deviations(entries: &[utopia_proto::api::v1::ErrorStatus]) -> Result<Vec<Deviation>, String> {
    let deviation = |entry: &utopia_proto::api::v1::ErrorStatus| {
        let code = i32::try_from(entry.grpc_code).map_or(Code::Unknown, Code::from_i32);
        let status = http_status(entry.http_status).filter(|status| status.is_client_error() || status.is_server_error());
        let status = status.ok_or_else(|| format!("{} is no status of an error", entry.http_status))?;
        Ok(Deviation { code, reason: entry.reason.as_str().into(), status })
    };
    entries.iter().map(deviation).collect()
}

fn http_status(status: u32) -> Option<StatusCode> {
    u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok())
}

fn split(path: &str) -> Option<Segments<'_>> {
    let path = path.strip_prefix('/')?;
    if path.is_empty() { Some(Vec::new()) } else { path.split('/').map(percent::segment).collect() }
}

/// A node of the tree of segments.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    one: Option<Box<Node>>,
    /// Routes that end with `**` here.
    rest: Vec<(Method, usize)>,
    /// Routes that end here.
    ends: Vec<(Method, usize)>,
}

impl Node {
    fn insert(&mut self, segments: &[Segment], method: Method, route: usize) -> Result<(), String> {
        let ends = match segments {
            [] => &mut self.ends,
            [Segment::Rest, ..] => &mut self.rest,
            [Segment::One, more @ ..] => return self.one.get_or_insert_default().insert(more, method, route),
            [Segment::Literal(text), more @ ..] => {
                return self.literals.entry(text.as_str().into()).or_default().insert(more, method, route);
            }
        };
        if ends.iter().any(|(taken, _)| *taken == method) {
            return Err("another operation has the same route".to_owned());
        }
        ends.push((method, route));
        Ok(())
    }

    fn find(&self, segments: &[Cow<'_, str>], method: &Method) -> Option<usize> {
        let with_method = |ends: &[(Method, usize)]| ends.iter().find(|(known, _)| known == method).map(|(_, route)| *route);
        let deeper = match segments {
            [] => with_method(&self.ends),
            [first, more @ ..] => {
                let literal = self.literals.get(&**first).and_then(|node| node.find(more, method));
                literal.or_else(|| self.one(first)?.find(more, method))
            }
        };
        deeper.or_else(|| with_method(&self.rest))
    }

    fn collect<'n>(&'n self, segments: &[Cow<'_, str>], found: &mut Vec<&'n (Method, usize)>) {
        match segments {
            [] => found.extend(&self.ends),
            [first, more @ ..] => {
                if let Some(node) = self.literals.get(&**first) {
                    node.collect(more, found);
                }
                if let Some(node) = self.one(first) {
                    node.collect(more, found);
                }
            }
        }
        found.extend(&self.rest);
    }

    fn one(&self, segment: &str) -> Option<&Self> {
        self.one.as_deref().filter(|_| !segment.is_empty())
    }
}
