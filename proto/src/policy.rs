//! Who may call what: the methods' options as a table, read once from the descriptors.
//!
//! Nothing here knows a method by name. A method without the option is refused by whoever asks the table.

use std::{collections::HashMap, sync::Arc};

use prost::Message as _;
use prost_reflect::DescriptorPool;

use crate::api::v1::Audit;
pub use crate::api::v1::{Access, Limit, Operation, Owner};

/// The number of the method option `utopia.api.v1.operation`.
const OPERATION: u32 = 50100;

/// What the contract says of one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodPolicy {
    /// Who may call it.
    pub access: Access,
    /// Which rate limit it falls under.
    pub limit: Limit,
    /// Whose things it reaches.
    pub owner: Owner,
    /// Whether its answer is a stream.
    pub streams: bool,
}

/// What the audit log records of one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPolicy {
    /// The kind of resource it changes, e.g. `claim`.
    pub resource: Box<str>,
    /// The method's name, e.g. `CreateClaim`.
    pub action: Box<str>,
    /// The field of the request that names the one resource.
    pub id_field: Box<str>,
}

/// The policies of all methods, by gRPC path (`/package.Service/Method`).
#[derive(Debug, Clone)]
pub struct Policies(HashMap<Box<str>, (MethodPolicy, Option<Arc<AuditPolicy>>)>);

impl Policies {
    /// Reads the options of every method in the pool. Methods without an operation are left out.
    #[must_use]
    pub fn from_descriptors(pool: &DescriptorPool) -> Self {
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let entry = |method: prost_reflect::MethodDescriptor| {
            let operation = operation(&method)?;
            let policy = MethodPolicy {
                access: operation.access(),
                limit: operation.limit(),
                owner: operation.owner(),
                streams: method.is_server_streaming(),
            };
            let audit = operation.audit.map(|audit| Arc::new(audit_policy(&method, audit)));
            Some((grpc_path(&method).into(), (policy, audit)))
        };
        Self(methods.filter_map(entry).collect())
    }

    /// The policy of a gRPC path; none for a method that is unknown or has no option.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<MethodPolicy> {
        self.0.get(path).map(|(policy, _)| *policy)
    }

    /// What the audit log records of a gRPC path; none for a method that is not recorded.
    #[must_use]
    pub fn audit(&self, path: &str) -> Option<&Arc<AuditPolicy>> {
        self.0.get(path)?.1.as_ref()
    }

    /// Adds a method of a standard service, for anybody and without a limit.
    pub fn open(&mut self, path: &str) {
        let policy = MethodPolicy { access: Access::Public, limit: Limit::None, owner: Owner::Unspecified, streams: false };
        self.0.insert(path.into(), (policy, None));
    }

    /// All methods with their policies, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MethodPolicy)> {
        self.0.iter().map(|(path, (policy, _))| (&**path, *policy))
    }
}

fn audit_policy(method: &prost_reflect::MethodDescriptor, audit: Audit) -> AuditPolicy {
    let id_field = if audit.id_field.is_empty() { "id" } else { &*audit.id_field };
    AuditPolicy { resource: audit.resource.into(), action: method.name().into(), id_field: id_field.into() }
}

/// The path under which gRPC calls a method.
#[must_use]
pub fn grpc_path(method: &prost_reflect::MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// The operation option of a method, if it has one.
#[must_use]
pub fn operation(method: &prost_reflect::MethodDescriptor) -> Option<Operation> {
    let extension = method.parent_pool().all_extensions().find(|extension| extension.number() == OPERATION)?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    Operation::decode(value.as_message()?.encode_to_vec().as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_says_who_may_call_it() {
        let pool = crate::descriptor_pool();
        let policies = Policies::from_descriptors(&pool);
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let policy = policies.get(&grpc_path(&method)).unwrap_or_else(|| panic!("{} has no operation", method.full_name()));
            assert_ne!(policy.access, Access::Unspecified, "{}", method.full_name());
            assert_ne!(policy.limit, Limit::Unspecified, "{}", method.full_name());
        }
    }

    #[test]
    fn an_unknown_path_has_no_policy() {
        let policies = Policies::from_descriptors(&crate::descriptor_pool());
        assert_eq!(policies.get("/utopia.claim.v1.ClaimService/Nothing"), None);
        assert_eq!(
            policies.get("/utopia.claim.v1.ClaimService/CreateClaim"),
            Some(MethodPolicy { access: Access::User, limit: Limit::General, owner: Owner::Unspecified, streams: false })
        );
    }
}
