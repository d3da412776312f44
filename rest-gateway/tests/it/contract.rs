//! The test contract, compiled when a test needs it.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};
use utopia_gateway::transcode::Transcoder;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut compiler = protox::Compiler::new([format!("{root}/tests/it"), format!("{root}/../proto")]).unwrap();
    compiler.include_imports(true).open_file("contract.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
});

pub(crate) fn pool() -> &'static DescriptorPool {
    &POOL
}

pub(crate) fn everything() -> MessageDescriptor {
    POOL.get_message_by_name("test.v1.Everything").unwrap()
}

pub(crate) fn transcoder() -> Transcoder {
    Transcoder::new(&everything()).unwrap()
}
