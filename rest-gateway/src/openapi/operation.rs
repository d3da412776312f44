//! One operation: a binding of a method.

use prost_reflect::MethodDescriptor;
use utopia_proto::{
    api::v1::{Access, Limit, Operation, Owner},
    policy,
};

use super::{
    Path,
    answers::{Answers, answers},
    comments::first_sentence,
    example,
    json::{Json, Object},
    parameters,
    schema::Schemas,
    tag_name,
};
use crate::routes::rule::Rule;

/// A binding with what the contract says of it.
pub(super) struct Binding<'c> {
    pub(super) method: &'c MethodDescriptor,
    pub(super) rule: &'c Rule,
    pub(super) options: &'c Operation,
    pub(super) comment: &'c str,
    pub(super) has_path_parameters: bool,
}

/// The operation of the method's binding with an index.
pub(super) fn operation(
    method: &MethodDescriptor,
    rule: &Rule,
    index: usize,
    path: &Path,
    schemas: &mut Schemas,
    components: &mut Answers,
) -> Result<Object, String> {
    let options = policy::operation(method).unwrap_or_default();
    let service = method.parent_service();
    let comment = schemas.comments.at(&method.parent_file(), method.path()).to_owned();
    let about = schemas.comments.at(&method.parent_file(), service.path()).to_owned();
    let (summary, rest) = first_sentence(&comment);
    // What the service says beyond its first paragraph holds for each of its operations.
    let (_, in_general) = about.split_once("\n\n").unwrap_or_default();
    let suffix = if index == 0 { String::new() } else { format!("_{}", index + 1) };
    let id = format!("{}_{}{suffix}", service.name(), method.name());

    let in_path = path.parameters.iter().filter_map(|(_, field)| field.clone()).collect::<Vec<_>>();
    let mut parameters = parameters::of_path(path, &method.input(), schemas)?;
    let mut request_body = None;
    match rule.body.as_str() {
        "" => parameters.extend(parameters::of_query(&method.input(), &in_path, schemas)),
        "*" => request_body = message_body(method, &in_path, &id, schemas),
        name => {
            let without = in_path.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
            parameters.extend(parameters::of_query(&method.input(), &without, schemas));
            request_body = Some(field_body(method, name, schemas)?);
        }
    }
    if options.rest.as_ref().is_some_and(|rest| rest.success_status == 204) {
        parameters.push(parameters::prefer());
    }
    if options.rest.as_ref().is_some_and(|rest| !rest.event_id_field.is_empty()) {
        parameters.push(parameters::last_event_id());
    }
    let all = format!("{comment}\n{about}");
    let binding = Binding { method, rule, options: &options, comment: &all, has_path_parameters: !path.parameters.is_empty() };
    let operation = Object::default()
        .with("operationId", id)
        .with("tags", vec![tag_name(service)])
        // A summary is plain text.
        .with_text("summary", &summary.replace('`', ""))
        .with_text("description", &description(&[rest, in_general], &options));
    let operation = if parameters.is_empty() { operation } else { operation.with("parameters", parameters) };
    Ok(operation
        .with_some("requestBody", request_body)
        .with("responses", answers(&binding, schemas, components)?)
        .with("security", security(options.access()))
        .with("x-grpc-method", policy::grpc_path(method)))
}

/// The body of a request that is its whole message; none when the path holds all of it.
fn message_body(method: &MethodDescriptor, in_path: &[String], id: &str, schemas: &mut Schemas) -> Option<Object> {
    let message = method.input();
    let without = message.fields().map(|field| field.name().to_owned()).filter(|name| in_path.contains(name)).collect::<Vec<_>>();
    if without.len() == message.fields().len() {
        return None;
    }
    let schema = schemas.body(&message, &without, id);
    Some(body(schema, example::of_message(&message, &without)))
}

fn field_body(method: &MethodDescriptor, name: &str, schemas: &mut Schemas) -> Result<Object, String> {
    let field = method.input().get_field_by_name(name).ok_or_else(|| format!("there is no field {name}"))?;
    Ok(body(schemas.field(&field, super::schema::Direction::Request), example::of_value(&field)))
}

fn body(schema: Object, example: Option<Json>) -> Object {
    let content = Object::default().with("schema", schema).with_some("example", example);
    Object::default().with("required", true).with("content", Object::default().with("application/json", content))
}

fn description(paragraphs: &[&str], options: &Operation) -> String {
    let needs = needs(options);
    let paragraphs = paragraphs.iter().copied().chain([needs.as_str()]).filter(|paragraph| !paragraph.is_empty());
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Who may call an operation, what it reaches, and which limit it counts towards.
pub(crate) fn needs(options: &Operation) -> String {
    let access = match options.access() {
        Access::Unspecified => "Nobody may call it.",
        Access::Public => "Needs no credentials.",
        Access::Reader => "Needs a person's token, of any role.",
        Access::User => "Needs the role `user`, `operator` or `admin`.",
        Access::Operator => "Needs the role `operator` or `admin`.",
        Access::Admin => "Needs the role `admin`.",
        Access::AgentToken => "Needs the agent token of the host.",
        Access::AgentCertificate => "Needs the certificate of a node.",
    };
    let owner = match options.owner() {
        Owner::Unspecified => "",
        Owner::OrOperator => " Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.",
        Owner::OrAdmin => " Reaches what is the caller's own; with the role `admin`, everybody's.",
        Owner::Only => " Reaches what is the caller's own.",
    };
    let limit = match options.limit() {
        Limit::Unspecified | Limit::General => " Counts towards the general limit.",
        Limit::Login => " Counts towards the limit of log-ins.",
        Limit::Admin => " Counts towards the limit of administrators' operations.",
        Limit::None => "",
    };
    format!("{access}{owner}{limit}")
}

/// Any one of these opens the door.
fn security(access: Access) -> Vec<Object> {
    let with = |name: &str| Object::default().with(name, Vec::<String>::new());
    match access {
        // Who has credentials may show them all the same.
        Access::Public => vec![Object::default(), with("bearer")],
        Access::AgentToken => vec![with("agentBearer"), with("agentHeader")],
        Access::Unspecified | Access::Reader | Access::User | Access::Operator | Access::Admin | Access::AgentCertificate => {
            vec![with("bearer")]
        }
    }
}
