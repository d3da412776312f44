//! The message that is fuzzed: the one of the test contract that has every kind of field.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};
use utopia_gateway::transcode::Transcoder;

/// Its descriptor.
pub static EVERYTHING: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut compiler =
        protox::Compiler::new([format!("{root}/tests/it"), format!("{root}/../proto")]).expect("the folders exist");
    compiler.include_imports(true).open_file("contract.proto").expect("the contract compiles");
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).expect("the contract is valid");
    pool.get_message_by_name("test.v1.Everything").expect("the contract has the message")
});

/// Its transcoder.
pub static TRANSCODER: LazyLock<Transcoder> =
    LazyLock::new(|| Transcoder::new(&EVERYTHING).expect("the message can be transcoded"));
