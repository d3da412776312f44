//! Who may call what: the methods' options as a table, read once from the descriptors.
//!
//! Nothing here knows a method by name. A method without the option is refused by whoever asks the table.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::DescriptorPool;

pub use crate::api::v1::{Access, Limit, Operation};

/// The number of the method option `utopia.api.v1.operation`.
const OPERATION: u32 = 50100;

/// What the contract says of one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodPolicy {
    /// Who may call it.
    pub access: Access,
    /// Which rate limit it falls under.
    pub limit: Limit,
}

/// The policies of all methods, by gRPC path (`/package.Service/Method`).
#[derive(Debug, Clone)]
pub struct Policies(HashMap<Box<str>, MethodPolicy>);

impl Policies {
    /// Reads the options of every method in the pool. Methods without an operation are left out.
    #[must_use]
    pub fn from_descriptors(pool: &DescriptorPool) -> Self {
        let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
        let entry = |method: prost_reflect::MethodDescriptor| {
            let operation = operation(&method)?;
            let policy = MethodPolicy { access: operation.access(), limit: operation.limit() };
            Some((grpc_path(&method).into(), policy))
        };
        Self(methods.filter_map(entry).collect())
    }

    /// The policy of a gRPC path; none for a method that is unknown or has no option.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<MethodPolicy> {
        self.0.get(path).copied()
    }

    /// Adds a method of a standard service, for anybody and without a limit.
    pub fn open(&mut self, path: &str) {
        self.0.insert(path.into(), MethodPolicy { access: Access::Public, limit: Limit::None });
    }

    /// All methods with their policies, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MethodPolicy)> {
        self.0.iter().map(|(path, policy)| (&**path, *policy))
    }
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
            Some(MethodPolicy { access: Access::User, limit: Limit::General })
        );
    }
}
