//! What the guard asks of the policies at every call.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use utopia_proto::policy::Policies;

fn lookups(criterion: &mut Criterion) {
    let policies = Policies::from_descriptors(&utopia_proto::descriptor_pool());
    let mut group = criterion.benchmark_group("policy");
    for (name, path) in [
        ("of an audited method", "/utopia.claim.v1.ClaimService/CreateClaim"),
        ("of a method that is not audited", "/utopia.iam.v1.AccountService/GetProfile"),
        ("of no method", "/utopia.claim.v1.ClaimService/Nothing"),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let path = black_box(path);
                (policies.get(path), policies.audit(path).is_some())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, lookups);
criterion_main!(benches);
