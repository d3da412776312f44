//! What stands behind the fields of the roots: one call each.

use std::sync::Arc;

use async_graphql::{
    Error, Value,
    dynamic::{FieldFuture, FieldValue, ResolverContext, SubscriptionFieldFuture},
};
use futures_util::StreamExt as _;

use super::{
    Caller, failure,
    values::{self, Shown},
};
use crate::{
    call::{Gateway, direct::Refused},
    upstream::Upstream,
};

/// Answers for a field of `Query` or `Mutation`.
pub(super) type Answering = Box<dyn for<'a> Fn(ResolverContext<'a>) -> FieldFuture<'a> + Send + Sync>;
/// Answers for a field of `Subscription`.
pub(super) type Streaming = Box<dyn for<'a> Fn(ResolverContext<'a>) -> SubscriptionFieldFuture<'a> + Send + Sync>;

/// Makes what answers for methods, which it knows by the index of their route.
pub(super) trait Calls {
    fn answering(&self, route: usize, shown: Shown) -> Answering;
    fn streaming(&self, route: usize, shown: Shown) -> Streaming;
}

impl<S: Upstream> Calls for Arc<Gateway<S>> {
    fn answering(&self, route: usize, shown: Shown) -> Answering {
        let gateway = Self::clone(self);
        Box::new(move |context| {
            let (gateway, shown) = (Self::clone(&gateway), shown.clone());
            FieldFuture::new(async move {
                let answer = async {
                    let caller = context.data::<Arc<Caller>>()?;
                    let text = gateway.value(route, &caller.origin, arguments(&context)?.as_bytes()).await.map_err(error)?;
                    show(caller, &text, &shown)
                };
                // The library leaves out what fails; it is to be null.
                Ok(answer.await.unwrap_or_else(|error| {
                    context.add_error(context.set_error_path(error.into_server_error(context.item.pos)));
                    None
                }))
            })
        })
    }

    fn streaming(&self, route: usize, shown: Shown) -> Streaming {
        let gateway = Self::clone(self);
        Box::new(move |context| {
            let (gateway, shown) = (Self::clone(&gateway), shown.clone());
            SubscriptionFieldFuture::new(async move {
                let caller = Arc::clone(context.data::<Arc<Caller>>()?);
                let texts = gateway.values(route, &caller.origin, arguments(&context)?.as_bytes()).await.map_err(error)?;
                Ok(texts.map(move |text| {
                    caller.budget.refill();
                    let value = show(&caller, &text.map_err(error)?, &shown)?;
                    Ok(value.unwrap_or(FieldValue::NULL))
                }))
            })
        })
    }
}

/// The arguments of a field as a JSON object.
fn arguments(context: &ResolverContext<'_>) -> Result<String, Error> {
    let arguments = Value::Object(context.args.as_index_map().clone());
    serde_json::to_string(&arguments).map_err(|error| Error::new(format!("the arguments cannot be read: {error}")))
}

fn show(caller: &Caller, text: &str, shown: &Shown) -> Result<Option<FieldValue<'static>>, Error> {
    if let Shown::Done = shown {
        return Ok(Some(FieldValue::value(true)));
    }
    if !caller.budget.take(text.len()) {
        return Ok(None);
    }
    let value = serde_json::from_str::<Value>(text);
    let value = value.map_err(|error| {
        tracing::error!(%error, "an answer cannot be shown");
        Error::new("the answer cannot be shown")
    })?;
    Ok(values::root(value, shown))
}

fn error(refused: Refused) -> Error {
    failure::of(&refused.failure, refused.field)
}
