//! The OpenAPI 3.1 document, from the descriptors alone.
//!
//! Every binding of a method is an operation. What is written here of keys, words and types comes from the same
//! functions as the transcoder's tables, and the error statuses from the same mapping. One contract gives one text.

mod answers;
pub(crate) mod comments;
mod example;
mod json;
pub(crate) mod operation;
mod parameters;
mod schema;

use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};

use crate::{
    RouteError,
    routes::rule::{Rule, rules},
    template::{Segment, Template},
};
use answers::Answers;
use json::{Json, Object};
use operation::operation;
use schema::Schemas;

const DESCRIPTION: &str = "\
Every operation is also a gRPC method; `x-grpc-method` names it. gRPC-Web is served at the same address.

**Styles.** Operations answer either the thing itself, with errors as `{\"error\", \"code\"}`, or an envelope `{\"code\", \"message\", \
\"data\"}`. The HTTP status is the real one in both.

**Values.** Answers hold all of their members: what is absent is `null`, `0`, `\"\"`, `false`, `[]` or `{}`. Times are RFC 3339 in UTC. \
Integers of 64 bits are JSON numbers. In requests unknown members are ignored, `null` is as good as nothing, words are compared without regard \
to case, and the names of the `.proto` files are accepted beside the ones shown here.

**Credentials.** A token of `/api/auth/login` or an API token goes into `Authorization: Bearer`. A token that does not hold is refused \
with 401; where none is needed it is as good as none.

**Limits.** An answer of 429 says in `Retry-After` how many seconds to wait.

Every answer has an `X-Request-Id`, which the server's log knows too; a request may bring its own.";

/// The text of the document.
///
/// # Errors
/// When a binding is wrong.
pub(crate) fn document(pool: &DescriptorPool, services: &[String]) -> Result<String, RouteError> {
    let find = |name: &String| pool.get_service_by_name(name).ok_or_else(|| RouteError::UnknownService(name.clone()));
    let services = services.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let methods = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
    let methods = methods.filter(|method| !rules(method).is_empty()).collect::<Vec<_>>();
    let mut schemas = Schemas::new(pool, methods.iter().map(MethodDescriptor::output));
    let mut answers = Answers::default();

    let mut paths = Paths::default();
    for method in &methods {
        for (index, rule) in rules(method).iter().enumerate() {
            let wrong = |reason: String| RouteError::Binding { method: method.full_name().to_owned(), reason };
            let path = paths.path(rule).map_err(wrong)?;
            let operation = operation(method, rule, index, &path, &mut schemas, &mut answers).map_err(wrong)?;
            paths.add(&path, rule, operation);
        }
    }
    let tags = services.iter().filter(|service| methods.iter().any(|method| method.parent_service() == *service));
    let tags = tags.map(|service| tag(service, &schemas)).collect::<Vec<_>>();
    answers.add_schemas();
    let components = Object::default()
        .with("securitySchemes", security_schemes())
        .with("headers", answers::headers())
        .with("responses", answers.responses)
        .with("schemas", answers.schemas.into_iter().chain(schemas.components).collect::<Object>());
    let license = Object::default().with("name", "Apache License 2.0").with("identifier", "Apache-2.0");
    let info = Object::default()
        .with("title", "Utopia API")
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("description", DESCRIPTION)
        .with("license", license);
    let document = Object::default()
        .with("openapi", "3.1.0")
        .with("info", info)
        .with("servers", vec![Object::default().with("url", "/").with("description", "This server")])
        .with("tags", tags)
        .with("paths", paths.into_object())
        .with("components", components);
    let mut text = String::new();
    Json::from(document).write(&mut text);
    Ok(text)
}

/// The name under which a service's operations stand together.
fn tag_name(service: &ServiceDescriptor) -> &str {
    service.name()
}

fn tag(service: &ServiceDescriptor, schemas: &Schemas) -> Object {
    let comment = schemas.comments.at(&service.parent_file(), service.path());
    let (first, _) = comment.split_once("\n\n").unwrap_or((comment, ""));
    Object::default().with("name", tag_name(service)).with_text("description", first)
}

fn security_schemes() -> Object {
    let scheme = |kind: &str| Object::default().with("type", kind);
    Object::default()
        .with(
            "bearer",
            scheme("http")
                .with("scheme", "bearer")
                .with("description", "A person: the token of a log-in (a JWT, valid for 24 hours) or an API token."),
        )
        .with("agentBearer", scheme("http").with("scheme", "bearer").with("description", "A host: its agent token."))
        .with(
            "agentHeader",
            scheme("apiKey")
                .with("in", "header")
                .with("name", "X-Agent-Token")
                .with("description", "A host: its agent token, in a header of its own."),
        )
}

/// A path as the document writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Path {
    /// `/hosts/{host_id}`.
    text: String,
    /// The parameters, as the path names them, and the field that each fills; none for what fills no field.
    parameters: Vec<(String, Option<String>)>,
}

/// The paths in the order in which the contract has them.
#[derive(Debug, Default)]
struct Paths(Vec<(String, Object)>);

impl Paths {
    /// The path of a rule. Two templates that differ in names only are one path, with the names of the first.
    fn path(&self, rule: &Rule) -> Result<Path, String> {
        let template = Template::parse(&rule.path).map_err(|error| error.to_string())?;
        let mut path = Path { text: String::new(), parameters: Vec::new() };
        for (index, segment) in template.segments.iter().enumerate() {
            path.text.push('/');
            if let Segment::Literal(text) = segment {
                path.text.push_str(text);
                continue;
            }
            let field = template.variables.iter().find(|variable| variable.span.contains(&index));
            let field = field.map(|variable| variable.field.clone());
            let mut name = field.clone().unwrap_or_else(|| "wildcard".to_owned());
            if path.parameters.iter().any(|(taken, _)| *taken == name) {
                name = format!("{name}_{}", path.parameters.len() + 1);
            }
            path.text.push_str(&format!("{{{name}}}"));
            path.parameters.push((name, field));
        }
        if path.text.is_empty() {
            path.text.push('/');
        }
        if let Some((known, _)) = self.0.iter().find(|(known, _)| shape(known) == shape(&path.text)) {
            let names = known.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
            for (parameter, name) in path.parameters.iter_mut().zip(names) {
                name.clone_into(&mut parameter.0);
            }
            path.text.clone_from(known);
        }
        Ok(path)
    }

    fn add(&mut self, path: &Path, rule: &Rule, operation: Object) {
        let method = rule.method.to_lowercase();
        match self.0.iter_mut().find(|(known, _)| *known == path.text) {
            Some((_, operations)) => operations.push(method, operation),
            None => self.0.push((path.text.clone(), Object::default().with(method, operation))),
        }
    }

    fn into_object(self) -> Object {
        self.0.into_iter().map(|(path, operations)| (path, operations.into())).collect()
    }
}

/// A path without the names of its parameters.
fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
