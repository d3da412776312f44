//! The link's codec: protobuf with small buffers.
//!
//! tonic's defaults give every stream 8 KiB each way; with ten thousand idle agents that is most of the memory. Frames of
//! the link are small, and a larger one only makes its buffer grow.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// The largest frame on the link in bytes. A decode buffer never shrinks again, so a larger one would cost its size for
/// as long as the stream lives.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

const BUFFER_BYTES: usize = 256;

/// Encodes `T` and decodes `U`.
#[derive(Debug, Clone)]
pub struct LinkCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for LinkCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for LinkCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(BUFFER_BYTES, BUFFER_BYTES))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(BufferSettings::new(BUFFER_BYTES, BUFFER_BYTES))
    }
}
