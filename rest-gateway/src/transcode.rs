//! Protobuf wire format to JSON text and back, driven by flat tables made from descriptors.
//!
//! Both directions are one pass over the input without a tree in between. No input makes them panic: what is malformed
//! is an error that says where.

mod calendar;
pub(crate) mod request;
pub(crate) mod response;
mod scan;
pub(crate) mod table;
mod wire;

use prost_reflect::MessageDescriptor;

/// The two transcoders of one message type.
#[derive(Debug)]
pub struct Transcoder {
    tables: table::Tables,
    message: table::MessageId,
}

/// Input that cannot be transcoded. It displays as a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TranscodeError(String);

impl Transcoder {
    /// Makes the tables of a message and all it refers to.
    ///
    /// # Errors
    /// When the message has groups, or two fields with one key.
    pub fn new(message: &MessageDescriptor) -> Result<Self, TranscodeError> {
        let mut tables = table::Tables::default();
        let message = tables.add(message).map_err(|error| TranscodeError(error.to_string()))?;
        Ok(Self { tables, message })
    }

    /// The JSON text of a message.
    ///
    /// # Errors
    /// When the bytes are not a message of this type.
    pub fn to_json(&self, wire: &[u8]) -> Result<String, TranscodeError> {
        let mut json = String::with_capacity(wire.len() * 2);
        response::message(&self.tables, self.message, wire, &mut json).map_err(|error| TranscodeError(error.to_string()))?;
        Ok(json)
    }

    /// The message that a JSON text stands for.
    ///
    /// # Errors
    /// When the text is no JSON, or a value is not what its field takes.
    pub fn to_wire(&self, json: &[u8]) -> Result<Vec<u8>, TranscodeError> {
        let mut wire = Vec::with_capacity(json.len());
        request::message(&self.tables, self.message, json, &mut wire).map_err(|error| TranscodeError(error.to_string()))?;
        Ok(wire)
    }
}
