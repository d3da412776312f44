//! JSON values of answers, as the fields of the schema show them.
//!
//! What an answer holds stays one tree; objects are borrowed from it, and only what is selected is copied, within a budget.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::{
    Name, Value,
    dynamic::{FieldFuture, FieldValue, ResolverContext},
};

/// What the values of one answer may take up.
pub(super) const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// What a value takes up beside its text.
const VALUE_BYTES: usize = 32;

/// How much an answer may still hold. An alias shows a value again, so that an answer can be larger than all that was received.
#[derive(Debug)]
pub(super) struct Budget(AtomicUsize);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicUsize::new(MAX_ANSWER_BYTES))
    }
}

impl Budget {
    /// Takes so much of it; false when there is not enough left, after which it is spent and the answer is none.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
        taken.is_ok_and(|left| left > bytes)
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Makes it whole again: for the next message of a stream.
    pub(super) fn refill(&self) {
        self.0.store(MAX_ANSWER_BYTES, Ordering::Relaxed);
    }
}

/// About how many bytes a value takes up.
pub(super) fn size(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::String(text) => text.len(),
            Value::List(items) => items.iter().map(size).sum(),
            Value::Object(members) => members.iter().map(|(name, member)| name.len() + size(member)).sum(),
            Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) | Value::Enum(_) => 0,
        }
}

/// How a value of JSON is shown.
#[derive(Debug, Clone)]
pub(super) enum Shown {
    /// As it is.
    Plain,
    /// By the name of its word.
    Word(Arc<HashMap<String, Name>>),
    /// By the fields that are selected.
    Object,
    /// As `true`: that it is done is all there is to tell.
    Done,
}

/// What answers for a member of an object.
pub(super) fn member(
    key: String,
    shown: Shown,
) -> impl for<'a> Fn(ResolverContext<'a>) -> FieldFuture<'a> + Send + Sync + 'static {
    move |context| FieldFuture::Value(find(&context, &key, &shown))
}

fn find<'a>(context: &ResolverContext<'a>, key: &str, shown: &Shown) -> Option<FieldValue<'a>> {
    let budget = &context.data_opt::<Arc<super::Caller>>()?.budget;
    let Some(Value::Object(members)) = context.parent_value.downcast_ref::<Value>() else { return None };
    // A member of a oneof that is not there has no value.
    let value = members.get(key)?;
    let taken = match (shown, value) {
        (Shown::Object, Value::List(items)) => (items.len() + 1) * VALUE_BYTES,
        (Shown::Object, _) => VALUE_BYTES,
        (_, value) => size(value),
    };
    if !budget.take(taken) {
        return None;
    }
    match (shown, value) {
        (_, Value::Null) => None,
        (Shown::Object, Value::List(items)) => Some(FieldValue::list(items.iter().map(|item| FieldValue::borrowed_any(item)))),
        (Shown::Object, value) => Some(FieldValue::borrowed_any(value)),
        (shown, value) => shown.copy(value).map(FieldValue::value),
    }
}

/// A whole answer, as its field of the root shows it.
pub(super) fn root(value: Value, shown: &Shown) -> Option<FieldValue<'static>> {
    match (shown, value) {
        (_, Value::Null) => None,
        (Shown::Object, Value::List(items)) => Some(FieldValue::list(items.into_iter().map(FieldValue::owned_any))),
        (Shown::Object, value) => Some(FieldValue::owned_any(value)),
        (shown, value) => shown.copy(&value).map(FieldValue::value),
    }
}

impl Shown {
    /// A word without a name is the empty one, or one of a newer contract: it has no value, and is left out of lists.
    fn copy(&self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Word(_), Value::List(items)) => Some(Value::List(items.iter().filter_map(|item| self.copy(item)).collect())),
            (Self::Word(names), Value::String(word)) => names.get(word).map(|name| Value::Enum(name.clone())),
            (Self::Word(_), _) => None,
            (Self::Plain | Self::Object | Self::Done, value) => Some(value.clone()),
        }
    }
}
