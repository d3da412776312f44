//! The schema, from the descriptors alone.
//!
//! Every method with a binding is a field of one root: what GET reads of `Query`, what else does something of `Mutation`, what streams of
//! `Subscription`. Arguments and members have the keys of the JSON API, so that data is the same here and there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_graphql::{
    Name,
    dynamic::{
        Enum, EnumItem, Field, InputObject, InputValue, Object, Scalar, Schema, SchemaBuilder, Subscription, SubscriptionField,
        Type, TypeRef,
    },
};
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use utopia_proto::policy;

use super::{
    bounds, names,
    operation::Calls,
    values::{self, Shown},
};
use crate::{
    RouteError,
    openapi::{comments::Comments, operation::needs},
    routes::{
        Routes,
        rule::{Rule, rules},
    },
    template::Template,
    transcode::table::{
        Shape,
        options::{is_required, key_of, words},
        shape,
    },
};

const LONG: &str = "Long";
const JSON: &str = "JSON";
const TIMESTAMP: &str = "Timestamp";
const DURATION: &str = "Duration";

const SCALARS: [(&str, &str); 4] = [
    (LONG, "An integer that may need more than 32 bits, as a JSON number. In arguments a text of digits is accepted too."),
    (JSON, "Any JSON value; for maps, an object."),
    (TIMESTAMP, "A time in RFC 3339, in UTC: `2026-01-31T12:00:00Z`."),
    (DURATION, "Seconds with an `s`: `1.5s`."),
];

/// Makes the schema of all methods that have a route.
///
/// # Errors
/// When two things of the contract would have one name, or one has a name that GraphQL does not allow.
pub(super) fn schema(pool: &DescriptorPool, routes: &Routes, calls: &dyn Calls) -> Result<Schema, RouteError> {
    let mut types = Types { comments: Comments::of(pool), names: HashMap::new(), made: Vec::new() };
    let mut roots = Roots::default();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let Some(route) = routes.of_method(&policy::grpc_path(&method)) else { continue };
        let wrong = |reason| RouteError::Binding { method: method.full_name().to_owned(), reason };
        roots.add(&method, route, &mut types, calls).map_err(wrong)?;
    }
    let mut builder = roots.into_builder();
    for (name, description) in SCALARS {
        builder = builder.register(Scalar::new(name).description(description));
    }
    builder = types.made.into_iter().fold(builder, SchemaBuilder::register);
    let wrong =
        |error: async_graphql::dynamic::SchemaError| RouteError::Binding { method: "the schema".to_owned(), reason: error.0 };
    builder.limit_recursive_depth(bounds::MAX_LEVELS + 1).disable_suggestions().finish().map_err(wrong)
}

/// The three roots while they are made.
#[derive(Default)]
struct Roots {
    names: HashSet<String>,
    query: Vec<Field>,
    mutation: Vec<Field>,
    subscription: Vec<SubscriptionField>,
}

impl Roots {
    fn add(&mut self, method: &MethodDescriptor, route: usize, types: &mut Types, calls: &dyn Calls) -> Result<(), String> {
        let name = names::operation(method);
        if !names::is_name(&name) || !self.names.insert(name.clone()) {
            return Err(format!("`{name}` is no name for it, or that of another"));
        }
        let bindings = rules(method);
        let Some(first) = bindings.first() else { return Ok(()) };
        let (ty, shown) = types.answer(method, first)?;
        let arguments = types.arguments(method, &bindings)?;
        let description = types.operation_description(method);
        let deprecation = deprecation(&method.options());
        if method.is_server_streaming() {
            let field = SubscriptionField::new(name, ty, calls.streaming(route, shown)).description(description);
            let field = if deprecation { field.deprecation(None) } else { field };
            self.subscription.push(arguments.into_iter().fold(field, SubscriptionField::argument));
            return Ok(());
        }
        let field = Field::new(name, ty, calls.answering(route, shown)).description(description);
        let field = if deprecation { field.deprecation(None) } else { field };
        let field = arguments.into_iter().fold(field, Field::argument);
        if first.method == "GET" {
            self.query.push(field)
        } else {
            self.mutation.push(field)
        }
        Ok(())
    }

    fn into_builder(self) -> SchemaBuilder {
        let mutation = (!self.mutation.is_empty()).then_some("Mutation");
        let subscription = (!self.subscription.is_empty()).then_some("Subscription");
        let mut builder = Schema::build("Query", mutation, subscription);
        let query = Object::new("Query").description("What can be read. Each field is one call.");
        builder = builder.register(self.query.into_iter().fold(query, Object::field));
        if let Some(name) = mutation {
            let mutation =
                Object::new(name).description("What can be done. Each field is one call, and they are made one after the other.");
            builder = builder.register(self.mutation.into_iter().fold(mutation, Object::field));
        }
        if let Some(name) = subscription {
            let subscription = Subscription::new(name).description("What can be watched, over a WebSocket.");
            builder = builder.register(self.subscription.into_iter().fold(subscription, Subscription::field));
        }
        builder
    }
}

/// The types while they are made.
struct Types {
    comments: Comments,
    /// What has a name, by it.
    names: HashMap<String, String>,
    made: Vec<Type>,
}

impl Types {
    /// Takes a name; false when the type has it already.
    fn take(&mut self, name: &str, full_name: &str) -> Result<bool, String> {
        let reserved = ["Query", "Mutation", "Subscription"];
        if reserved.contains(&name) || SCALARS.iter().any(|(scalar, _)| *scalar == name) || !names::is_name(name) {
            return Err(format!("`{name}` is no name for {full_name}"));
        }
        match self.names.insert(name.to_owned(), full_name.to_owned()) {
            None => Ok(true),
            Some(owner) if owner == full_name => Ok(false),
            Some(owner) => Err(format!("{owner} and {full_name} would both be `{name}`")),
        }
    }

    /// The type of a method's answers. It is never required: where a call fails, its field alone is `null`.
    fn answer(&mut self, method: &MethodDescriptor, rule: &Rule) -> Result<(TypeRef, Shown), String> {
        let output = method.output();
        if !rule.response_body.is_empty() {
            let field = output.get_field_by_name(&rule.response_body);
            let field = field.ok_or_else(|| format!("there is no field {}", rule.response_body))?;
            let (ty, shown) = self.output_field(&field)?;
            return Ok((nullable(ty), shown));
        }
        if shape(&output) == Shape::Object && output.fields().len() == 0 {
            return Ok((TypeRef::named(TypeRef::BOOLEAN), Shown::Done));
        }
        let (name, shown) = self.output_message(&output)?;
        Ok((TypeRef::named(name), shown))
    }

    fn output_field(&mut self, field: &FieldDescriptor) -> Result<(TypeRef, Shown), String> {
        if field.is_map() {
            return Ok((TypeRef::named_nn(JSON), Shown::Plain));
        }
        let kind = field.kind();
        let (name, shown) = self.output_kind(&kind)?;
        // Numbers that are not finite are null, and words without a name, which are left out of lists.
        let may_be_null = matches!(kind, Kind::Float | Kind::Double) || is_any(&kind);
        let is_word = matches!(kind, Kind::Enum(_));
        let ty = if field.cardinality() == Cardinality::Repeated {
            if may_be_null { TypeRef::NonNull(Box::new(TypeRef::named_list(name))) } else { TypeRef::named_nn_list_nn(name) }
        } else if may_be_null || is_word || field.supports_presence() {
            TypeRef::named(name)
        } else {
            TypeRef::named_nn(name)
        };
        Ok((ty, shown))
    }

    fn output_kind(&mut self, kind: &Kind) -> Result<(String, Shown), String> {
        if let Kind::Message(message) = kind {
            return self.output_message(message);
        }
        if let Kind::Enum(descriptor) = kind {
            let name = self.enumeration(descriptor)?;
            return Ok((name, Shown::Word(Arc::new(word_names(descriptor)))));
        }
        Ok((scalar_name(kind).to_owned(), Shown::Plain))
    }

    fn output_message(&mut self, message: &MessageDescriptor) -> Result<(String, Shown), String> {
        if let Some(kind) = wrapped(message) {
            return self.output_kind(&kind);
        }
        if let Some(name) = scalar_of(message) {
            return Ok((name.to_owned(), Shown::Plain));
        }
        let name = names::message(message);
        if self.take(&name, message.full_name())? {
            let comment = self.comments.at(&message.parent_file(), message.path()).to_owned();
            let mut object = Object::new(&name).description(comment);
            for field in sorted_fields(message) {
                let key = key(&field)?;
                let (ty, shown) = self.output_field(&field)?;
                let member = Field::new(&key, ty, values::member(key.clone(), shown)).description(self.field_description(&field));
                object = object.field(if deprecation(&field.options()) { member.deprecation(None) } else { member });
            }
            self.made.push(object.into());
        }
        Ok((name, Shown::Object))
    }

    /// The arguments of a method: the fields of its request. Those are required of which the contract says so, or that every binding has in
    /// its path.
    fn arguments(&mut self, method: &MethodDescriptor, bindings: &[Rule]) -> Result<Vec<InputValue>, String> {
        let paths = bindings.iter().map(|rule| Template::parse(&rule.path).map_err(|error| error.to_string()));
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        let in_paths = |field: &FieldDescriptor| {
            let names = [field.name().to_owned(), key_of(field)];
            paths.iter().all(|path| path.variables.iter().any(|variable| names.contains(&variable.field)))
        };
        let fields = sorted_fields(&method.input());
        fields.iter().map(|field| self.input_value(field, is_required(field) || in_paths(field))).collect()
    }

    fn input_value(&mut self, field: &FieldDescriptor, is_required: bool) -> Result<InputValue, String> {
        let name = if field.is_map() { JSON.to_owned() } else { self.input_kind(&field.kind())? };
        let is_list = field.cardinality() == Cardinality::Repeated && !field.is_map();
        let ty = match (is_list, is_required) {
            (true, true) => TypeRef::named_nn_list_nn(name),
            (true, false) => TypeRef::named_nn_list(name),
            (false, true) => TypeRef::named_nn(name),
            (false, false) => TypeRef::named(name),
        };
        Ok(InputValue::new(key(field)?, ty).description(self.field_description(field)))
    }

    fn input_kind(&mut self, kind: &Kind) -> Result<String, String> {
        if let Kind::Message(message) = kind {
            return match (wrapped(message), scalar_of(message)) {
                (Some(kind), _) => self.input_kind(&kind),
                (None, Some(name)) => Ok(name.to_owned()),
                (None, None) => self.input_message(message),
            };
        }
        if let Kind::Enum(descriptor) = kind {
            return self.enumeration(descriptor);
        }
        Ok(scalar_name(kind).to_owned())
    }

    fn input_message(&mut self, message: &MessageDescriptor) -> Result<String, String> {
        let name = names::input(message);
        if self.take(&name, &format!("{} as an argument", message.full_name()))? {
            let comment = self.comments.at(&message.parent_file(), message.path()).to_owned();
            let mut object = InputObject::new(&name).description(comment);
            for field in sorted_fields(message) {
                object = object.field(self.input_value(&field, is_required(&field))?);
            }
            self.made.push(object.into());
        }
        Ok(name)
    }

    fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Result<String, String> {
        let name = names::enumeration(descriptor);
        if self.take(&name, descriptor.full_name())? {
            let comment = self.comments.at(&descriptor.parent_file(), descriptor.path()).to_owned();
            let mut made = Enum::new(&name).description(comment);
            let mut known = HashSet::new();
            for value in descriptor.values() {
                let Some(word) = names::word(&words(&value).0).filter(|word| known.insert(word.clone())) else { continue };
                let comment = self.comments.at(&descriptor.parent_file(), value.path());
                let item = EnumItem::new(word).description(comment);
                made = made.item(if deprecation(&value.options()) { item.deprecation(None) } else { item });
            }
            self.made.push(made.into());
        }
        Ok(name)
    }

    fn field_description(&self, field: &FieldDescriptor) -> String {
        self.comments.at(&field.parent_file(), field.path()).to_owned()
    }

    fn operation_description(&self, method: &MethodDescriptor) -> String {
        let comment = self.comments.at(&method.parent_file(), method.path());
        let needs = needs(&policy::operation(method).unwrap_or_default());
        let separator = if comment.is_empty() { "" } else { "\n\n" };
        format!("{comment}{separator}{needs}")
    }
}

fn nullable(ty: TypeRef) -> TypeRef {
    match ty {
        TypeRef::NonNull(inner) => *inner,
        TypeRef::Named(_) | TypeRef::List(_) => ty,
    }
}

fn sorted_fields(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let mut fields = message.fields().collect::<Vec<_>>();
    fields.sort_by_key(FieldDescriptor::number);
    fields
}

fn key(field: &FieldDescriptor) -> Result<String, String> {
    let key = key_of(field);
    if names::is_name(&key) { Ok(key) } else { Err(format!("`{key}` is no name of GraphQL")) }
}

fn word_names(descriptor: &EnumDescriptor) -> HashMap<String, Name> {
    let words = descriptor.values().map(|value| words(&value).0);
    words.filter_map(|word| names::word(&word).map(|name| (word, Name::new(name)))).collect()
}

fn deprecation(options: &DynamicMessage) -> bool {
    options.get_field_by_name("deprecated").is_some_and(|value| value.as_bool() == Some(true))
}

/// What a wrapper holds.
fn wrapped(message: &MessageDescriptor) -> Option<Kind> {
    if shape(message) == Shape::Wrapper { message.get_field(1).map(|field| field.kind()) } else { None }
}

fn is_any(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if shape(message) == Shape::Value)
}

/// The scalar that stands for a message; none where its fields can be selected.
fn scalar_of(message: &MessageDescriptor) -> Option<&'static str> {
    match shape(message) {
        Shape::Timestamp => Some(TIMESTAMP),
        Shape::Duration => Some(DURATION),
        Shape::FieldMask => Some(TypeRef::STRING),
        Shape::Struct | Shape::Value | Shape::ListValue => Some(JSON),
        // An object without members has nothing to select.
        Shape::Object if message.fields().len() == 0 => Some(JSON),
        Shape::Object | Shape::Wrapper => None,
    }
}

fn scalar_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => TypeRef::BOOLEAN,
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => TypeRef::INT,
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64 => LONG,
        Kind::Float | Kind::Double => TypeRef::FLOAT,
        Kind::String | Kind::Bytes => TypeRef::STRING,
        Kind::Enum(_) | Kind::Message(_) => JSON,
    }
}
