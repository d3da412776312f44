//! The contract of the control plane: Rust types of every message and service in `proto/utopia`, the descriptors with
//! their options and comments, and what is derived from the options.

pub mod chain;
pub mod codec;
mod command;
pub mod policy;
pub mod status;

/// The encoded `FileDescriptorSet` of the whole contract, with custom options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors as a pool.
///
/// # Panics
/// Never for a build that passed its tests: the descriptors are compiled in.
#[must_use]
pub fn descriptor_pool() -> prost_reflect::DescriptorPool {
    prost_reflect::DescriptorPool::decode(DESCRIPTORS).expect("compiled-in descriptors are valid")
}

macro_rules! package {
    ($area:ident, $doc:literal, $($file:literal),+) => {
        #[doc = $doc]
        pub mod $area {
            /// Version 1.
            #[allow(missing_docs, clippy::all, clippy::too_many_lines, reason = "generated; the comments of the .proto files are the documentation")]
            pub mod v1 {
                $(include!(concat!(env!("OUT_DIR"), $file));)+
            }
        }
    };
}

package!(api, "Method options.", "/utopia.api.v1.rs");
package!(iam, "People.", "/utopia.iam.v1.rs");
package!(node, "Nodes and the node API.", "/utopia.node.v1.rs");
package!(claim, "GPU claims.", "/utopia.claim.v1.rs");
package!(host, "Hosts.", "/utopia.host.v1.rs");
package!(machine, "Machines reached over SSH.", "/utopia.machine.v1.rs");
package!(audit, "The audit log.", "/utopia.audit.v1.rs");
package!(jupyterhub, "JupyterHub's users and their servers.", "/utopia.jupyterhub.v1.rs");
package!(backend, "How the servers of others are found.", "/utopia.backend.v1.rs");
package!(event, "The log of events.", "/utopia.event.v1.rs");
package!(salt, "SaltStack.", "/utopia.salt.v1.rs");
package!(webhook, "Webhooks.", "/utopia.webhook.v1.rs");
package!(monitoring, "Metrics now and before.", "/utopia.monitoring.v1.rs");
package!(slurm, "Slurm's clusters, jobs and nodes.", "/utopia.slurm.v1.rs");
package!(gpu, "The GPUs of the fleet.", "/utopia.gpu.v1.rs");
package!(storage, "Object storage.", "/utopia.storage.v1.rs");
package!(link, "The agents' link and enrolment.", "/utopia.link.v1.rs", "/link/utopia.link.v1.rs");
