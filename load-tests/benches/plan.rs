//! One pass of the planner over fleets of several sizes, in every situation.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use utopia_controlplane::reconcile::plan::plan;
use utopia_load_tests::fleet::{Fleet, Situation};

fn passes(criterion: &mut Criterion) {
    for situation in Situation::ALL {
        let mut group = criterion.benchmark_group(format!("plan, {}", situation.as_str()));
        group.sample_size(10);
        for nodes in [1_000_usize, 3_000, 10_000] {
            let fleet = Fleet::new(situation, nodes);
            group.throughput(Throughput::Elements(nodes as u64));
            group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
                bencher.iter(|| plan(black_box(&fleet.snapshot())));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, passes);
criterion_main!(benches);
