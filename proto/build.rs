//! Compiles the contract without `protoc`: messages and services for Rust, and the descriptor set with its options and comments.

use std::{env, error::Error, fs, path::PathBuf};

const FILES: &[&str] = &[
    "google/api/annotations.proto",
    "utopia/api/v1/options.proto",
    "utopia/iam/v1/iam.proto",
    "utopia/iam/v1/account.proto",
    "utopia/iam/v1/user.proto",
    "utopia/iam/v1/api_token.proto",
    "utopia/node/v1/agent_api.proto",
    "utopia/node/v1/node.proto",
    "utopia/host/v1/host.proto",
    "utopia/machine/v1/machine.proto",
    "utopia/audit/v1/audit.proto",
    "utopia/claim/v1/claim.proto",
    "utopia/event/v1/event.proto",
    "utopia/jupyterhub/v1/jupyterhub.proto",
    "utopia/salt/v1/salt.proto",
    "utopia/webhook/v1/webhook.proto",
    "utopia/monitoring/v1/monitoring.proto",
    "utopia/slurm/v1/slurm.proto",
    "utopia/gpu/v1/gpu.proto",
    "utopia/backend/v1/backend.proto",
    "utopia/storage/v1/storage.proto",
    "utopia/link/v1/link.proto",
    "utopia/link/v1/enrolment.proto",
];

/// The link has a codec of its own, with small buffers: see `codec.rs`.
const LINK: &str = "utopia/link/v1/link.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=google");
    println!("cargo:rerun-if-changed=utopia");

    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    // `file_descriptor_set()` would drop the custom options.
    fs::write(out_dir.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let mut rest = compiler.file_descriptor_set();
    let mut link = rest.clone();
    for file in &mut rest.file {
        if file.name() == LINK {
            file.service.clear();
        }
    }
    link.file.retain(|file| file.name() == LINK);
    for file in &mut link.file {
        file.message_type.clear();
        file.enum_type.clear();
    }

    builder().compile_fds(rest)?;
    let out = out_dir.join("link");
    fs::create_dir_all(&out)?;
    builder().codec_path("crate::codec::LinkCodec").out_dir(out).compile_fds(link)?;
    Ok(())
}

fn builder() -> tonic_prost_build::Builder {
    tonic_prost_build::configure()
        // An rpc named `Connect` would clash with a generated `connect()`.
        .build_transport(false)
        .btree_map(".")
}
