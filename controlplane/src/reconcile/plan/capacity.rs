//! The free GPUs of the fleet, indexed so that a placement does not look at every node.
//!
//! GPUs of one product and size are of one kind; nodes with the same free GPUs by kind form a group. A fleet has few kinds and few
//! groups, so a claim is matched against groups. A GPU that is taken out is never given again.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use foldhash::{HashMap, HashMapExt as _, HashSet};
use utopia_proto::claim::v1::ClaimPhase;

use super::{
    NodeView, Placement, Snapshot,
    by_node::Positions,
    held::Held,
    shape::{Filter, Shape},
};
use crate::model::{Gpu, GpuSet};

/// How many GPUs there are of each kind, by kind; kinds without any are left out.
type Profile = [(usize, usize)];

/// The free GPUs of the nodes that can be used.
pub(super) struct Capacity<'a> {
    nodes: &'a [NodeView],
    placement: Placement,
    kinds: Kinds<'a>,
    /// For each node its free GPUs.
    free: Vec<GpuSet>,
    /// All GPUs that a node has, free or not; one entry for nodes that are alike.
    totals: HashSet<Box<Profile>>,
    groups: Groups,
    /// For each filter and kind, whether it will do.
    admitted: HashMap<Filter<'a>, Box<[bool]>>,
    idlest: Idlest,
    /// Where a profile is counted, kept so that counting takes no memory.
    counts: Vec<(usize, usize)>,
}

impl<'a> Capacity<'a> {
    pub(super) fn new(snapshot: &Snapshot<'a>, positions: &Positions) -> Self {
        let mut capacity = Self {
            nodes: snapshot.nodes,
            placement: snapshot.settings.placement,
            kinds: Kinds::default(),
            free: vec![GpuSet::default(); snapshot.nodes.len()],
            totals: HashSet::default(),
            groups: Groups::default(),
            admitted: HashMap::new(),
            idlest: Idlest::new(snapshot, positions),
            counts: Vec::new(),
        };
        let held = Held::new(snapshot, positions);
        for (position, node) in snapshot.nodes.iter().enumerate().filter(|(_, node)| node.is_usable()) {
            let all = GpuSet::first(node.gpus.len());
            capacity.count(position, all);
            if !capacity.totals.contains(&*capacity.counts) {
                capacity.totals.insert(capacity.counts.as_slice().into());
            }
            let usable = all.without(node.faulty).without(node.busy);
            capacity.set_free(position, usable.without(held.among(usable, position)));
        }
        capacity
    }

    /// Takes GPUs out for a claim: the node and the keys, by index. None when no node has them.
    pub(super) fn take(&mut self, shape: &Shape<'a>) -> Option<(&'a NodeView, Vec<String>)> {
        if shape.gpu_count == 0 {
            let position = self.idlest.next()?;
            return Some((self.nodes.get(position)?, Vec::new()));
        }
        let admitted = admitted(&mut self.admitted, &self.kinds, shape.filter);
        let position = self.groups.take(shape.gpu_count, admitted, self.placement)?;
        let (node, free) = (&self.nodes[position], self.free[position]);
        let mut places: Vec<_> = free.places().filter(|place| admitted[self.kinds.of(&node.gpus[*place])]).collect();
        places.sort_by_key(|place| node.gpus[*place].index);
        places.truncate(shape.gpu_count);
        self.set_free(position, free.without(places.iter().copied().collect()));
        self.idlest.count(position);
        Some((node, places.into_iter().map(|place| node.gpus[place].uuid.to_string()).collect()))
    }

    /// The most GPUs of a kind that will do on any one node, free or not.
    pub(super) fn largest(&mut self, shape: &Shape<'a>) -> usize {
        let admitted = admitted(&mut self.admitted, &self.kinds, shape.filter);
        self.totals.iter().map(|profile| suitable(profile, admitted)).max().unwrap_or(0)
    }

    fn set_free(&mut self, position: usize, free: GpuSet) {
        self.free[position] = free;
        self.count(position, free);
        self.groups.insert(&self.counts, position);
    }

    /// Counts some GPUs of a node by kind.
    fn count(&mut self, position: usize, gpus: GpuSet) {
        self.counts.clear();
        let node = &self.nodes[position];
        for place in gpus.places() {
            let kind = self.kinds.of(&node.gpus[place]);
            match self.counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => self.counts.push((kind, 1)),
            }
        }
        self.counts.sort_unstable();
    }
}

/// Which kinds will do, worked out once for each filter.
fn admitted<'m, 'a>(cache: &'m mut HashMap<Filter<'a>, Box<[bool]>>, kinds: &Kinds<'_>, filter: Filter<'a>) -> &'m [bool] {
    cache.entry(filter).or_insert_with(|| {
        let matcher = filter.matcher();
        let admits = |kind: &Kind| matcher.admits_name(&kind.lowercase_name) && matcher.admits_memory(kind.memory_bytes);
        kinds.list.iter().map(admits).collect()
    })
}

fn suitable(profile: &Profile, admitted: &[bool]) -> usize {
    profile.iter().filter(|(kind, _)| admitted[*kind]).map(|(_, count)| count).sum()
}

/// The kinds of GPU, numbered.
#[derive(Default)]
struct Kinds<'a> {
    list: Vec<Kind>,
    numbers: HashMap<(&'a str, u64), usize>,
    /// The latest GPU that was asked for, and its kind.
    latest: Option<(&'a Gpu, usize)>,
}

struct Kind {
    lowercase_name: String,
    memory_bytes: u64,
}

impl<'a> Kinds<'a> {
    fn of(&mut self, gpu: &'a Gpu) -> usize {
        // GPUs of one kind come in rows, and share the text of their name.
        if let Some((latest, kind)) = self.latest
            && Arc::ptr_eq(&latest.name, &gpu.name)
            && latest.memory_bytes == gpu.memory_bytes
        {
            return kind;
        }
        let kind = *self.numbers.entry((&gpu.name, gpu.memory_bytes)).or_insert_with(|| {
            self.list.push(Kind { lowercase_name: gpu.name.to_lowercase(), memory_bytes: gpu.memory_bytes });
            self.list.len() - 1
        });
        self.latest = Some((gpu, kind));
        kind
    }
}

/// Nodes by what they have free. Groups are numbered and stay when they are empty.
#[derive(Default)]
struct Groups {
    list: Vec<Group>,
    numbers: HashMap<Box<Profile>, usize>,
}

struct Group {
    profile: Box<Profile>,
    free: usize,
    /// Positions of nodes; the first is taken first.
    nodes: BinaryHeap<Reverse<usize>>,
}

impl Groups {
    fn insert(&mut self, profile: &Profile, node: usize) {
        let number = self.numbers.get(profile).copied().unwrap_or_else(|| {
            let free = profile.iter().map(|(_, count)| count).sum();
            self.list.push(Group { profile: profile.into(), free, nodes: BinaryHeap::new() });
            self.numbers.insert(profile.into(), self.list.len() - 1);
            self.list.len() - 1
        });
        self.list[number].nodes.push(Reverse(node));
    }

    /// Takes out the best node: by the free GPUs that will do, then by all that are free, then by position.
    fn take(&mut self, gpu_count: usize, admitted: &[bool], placement: Placement) -> Option<usize> {
        let candidate = |(number, group): (usize, &Group)| {
            let suitable = suitable(&group.profile, admitted);
            let Reverse(node) = group.nodes.peek()?;
            let rank = match placement {
                Placement::Pack => (suitable, group.free),
                Placement::Spread => (usize::MAX - suitable, usize::MAX - group.free),
            };
            (suitable >= gpu_count).then_some((rank, *node, number))
        };
        let (_, node, number) = self.list.iter().enumerate().filter_map(candidate).min()?;
        self.list[number].nodes.pop();
        Some(node)
    }
}

/// Usable nodes by their number of placements, for claims without GPUs.
struct Idlest {
    placements: Vec<usize>,
    /// An entry may lag behind `placements`; it is brought up to date when it comes up.
    heap: BinaryHeap<Reverse<(usize, usize)>>,
}

impl Idlest {
    fn new(snapshot: &Snapshot<'_>, positions: &Positions) -> Self {
        let mut placements = vec![0; snapshot.nodes.len()];
        for claim in snapshot.claims {
            let is_placed = matches!(claim.phase, ClaimPhase::Scheduled | ClaimPhase::Running);
            let node = claim.node_id.filter(|_| is_placed);
            if let Some(position) = node.and_then(|node| positions.of(node)) {
                placements[position] += 1;
            }
        }
        let usable = snapshot.nodes.iter().enumerate().filter(|(_, node)| node.is_usable());
        let heap = usable.map(|(position, _)| Reverse((placements[position], position))).collect();
        Self { placements, heap }
    }

    /// One more placement on a node.
    fn count(&mut self, node: usize) {
        self.placements[node] += 1;
    }

    /// The node with the fewest placements; one more is counted there.
    fn next(&mut self) -> Option<usize> {
        loop {
            let mut top = self.heap.peek_mut()?;
            let Reverse((count, node)) = *top;
            let present = self.placements[node];
            if count < present {
                *top = Reverse((present, node));
                continue;
            }
            self.placements[node] += 1;
            *top = Reverse((present + 1, node));
            return Some(node);
        }
    }
}
