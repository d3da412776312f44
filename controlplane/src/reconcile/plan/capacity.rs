//! The free GPUs of the fleet, indexed so that a placement does not look at every node.
//!
//! GPUs of one product and size are of one kind; nodes with the same free GPUs by kind form a group. A fleet has few kinds and few
//! groups, so a claim is matched against groups. A GPU that is taken out is never given again.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap, HashSet},
};

use utopia_proto::{claim::v1::ClaimPhase, link::v1::ContainerPhase};

use super::{
    NodeView, Placement, Snapshot,
    shape::{Filter, Shape},
};
use crate::model::GpuSet;

/// How many GPUs there are of each kind, by kind; kinds without any are left out.
type Profile = Box<[(usize, usize)]>;

/// The free GPUs of the nodes that can be used.
pub(super) struct Capacity<'a> {
    nodes: &'a [NodeView],
    placement: Placement,
    kinds: Kinds<'a>,
    /// For each node its free GPUs, by index.
    free: Vec<Vec<Free<'a>>>,
    /// All GPUs that a node has, free or not; one entry for nodes that are alike.
    totals: HashSet<Profile>,
    groups: Groups,
    /// For each filter and kind, whether it will do.
    admitted: HashMap<Filter<'a>, Box<[bool]>>,
    idlest: Idlest,
}

#[derive(Clone, Copy)]
struct Free<'a> {
    uuid: &'a str,
    kind: usize,
}

impl<'a> Capacity<'a> {
    pub(super) fn new(snapshot: &Snapshot<'a>) -> Self {
        let held = held_gpus(snapshot);
        let mut kinds = Kinds::default();
        let mut free = Vec::with_capacity(snapshot.nodes.len());
        let mut totals = HashSet::new();
        let mut groups = Groups::default();
        for (position, node) in snapshot.nodes.iter().enumerate() {
            let mut gpus = Vec::new();
            if node.is_usable() {
                let all: Vec<_> = node.gpus.iter().map(|gpu| kinds.of(&gpu.name, gpu.memory_bytes)).collect();
                let usable = GpuSet::first(all.len()).without(node.faulty).without(node.busy);
                let mut free: Vec<_> = usable.places().filter(|place| !held.contains(&*node.gpus[*place].uuid)).collect();
                free.sort_by_key(|place| node.gpus[*place].index);
                let free = free.into_iter();
                gpus.extend(free.map(|place| Free { uuid: &node.gpus[place].uuid, kind: all[place] }));
                groups.insert(&profile(gpus.iter().map(|gpu| gpu.kind)), position);
                totals.insert(profile(all.into_iter()));
            }
            free.push(gpus);
        }
        let idlest = Idlest::new(snapshot);
        let placement = snapshot.settings.placement;
        Self { nodes: snapshot.nodes, placement, kinds, free, totals, groups, admitted: HashMap::new(), idlest }
    }

    /// Takes GPUs out for a claim: the node and the keys, by index. None when no node has them.
    pub(super) fn take(&mut self, shape: &Shape<'a>) -> Option<(&'a NodeView, Vec<String>)> {
        if shape.gpu_count == 0 {
            let position = self.idlest.next()?;
            return Some((self.nodes.get(position)?, Vec::new()));
        }
        let admitted = admitted(&mut self.admitted, &self.kinds, shape.filter);
        let position = self.groups.best(shape.gpu_count, admitted, self.placement)?;
        let free = self.free.get_mut(position)?;
        self.groups.remove(&profile(free.iter().map(|gpu| gpu.kind)), position);
        let mut taken = Vec::with_capacity(shape.gpu_count);
        free.retain(|gpu| {
            let is_taken = taken.len() < shape.gpu_count && admitted[gpu.kind];
            if is_taken {
                taken.push(gpu.uuid.to_owned());
            }
            !is_taken
        });
        self.groups.insert(&profile(free.iter().map(|gpu| gpu.kind)), position);
        self.idlest.count(position);
        Some((self.nodes.get(position)?, taken))
    }

    /// The most GPUs of a kind that will do on any one node, free or not.
    pub(super) fn largest(&mut self, shape: &Shape<'a>) -> usize {
        let admitted = admitted(&mut self.admitted, &self.kinds, shape.filter);
        self.totals.iter().map(|profile| suitable(profile, admitted)).max().unwrap_or(0)
    }
}

/// The GPUs that are given away, and those that a container uses without the ledger's knowledge: one of a placement that was taken
/// back runs on until its node has removed it.
pub(super) fn held_gpus<'a>(snapshot: &Snapshot<'a>) -> HashSet<&'a str> {
    let containers = snapshot.nodes.iter().flat_map(|node| node.containers.values().flatten());
    let active = containers.filter(|container| matches!(container.phase(), ContainerPhase::Preparing | ContainerPhase::Running));
    let mut held = HashSet::with_capacity(snapshot.ledger.len());
    held.extend(snapshot.ledger.iter().map(|row| &*row.gpu_uuid));
    held.extend(active.flat_map(|container| &container.gpu_uuids).map(String::as_str));
    held
}

/// Which kinds will do, worked out once for each filter.
fn admitted<'m, 'a>(cache: &'m mut HashMap<Filter<'a>, Box<[bool]>>, kinds: &Kinds<'_>, filter: Filter<'a>) -> &'m [bool] {
    cache.entry(filter).or_insert_with(|| {
        let matcher = filter.matcher();
        let admits = |kind: &Kind<'_>| matcher.admits_name(&kind.lowercase_name) && matcher.admits_memory(kind.memory_bytes);
        kinds.list.iter().map(admits).collect()
    })
}

fn profile(kinds: impl Iterator<Item = usize>) -> Profile {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for kind in kinds {
        match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    counts.sort_unstable();
    counts.into_boxed_slice()
}

fn suitable(profile: &[(usize, usize)], admitted: &[bool]) -> usize {
    profile.iter().filter(|(kind, _)| admitted[*kind]).map(|(_, count)| count).sum()
}

/// The kinds of GPU, numbered.
#[derive(Default)]
struct Kinds<'a> {
    list: Vec<Kind<'a>>,
    numbers: HashMap<(&'a str, u64), usize>,
    /// GPUs of one kind come in rows.
    latest: usize,
}

struct Kind<'a> {
    name: &'a str,
    lowercase_name: String,
    memory_bytes: u64,
}

impl<'a> Kinds<'a> {
    fn of(&mut self, name: &'a str, memory_bytes: u64) -> usize {
        let is_latest = self.list.get(self.latest).is_some_and(|kind| kind.memory_bytes == memory_bytes && kind.name == name);
        if !is_latest {
            self.latest = *self.numbers.entry((name, memory_bytes)).or_insert_with(|| {
                self.list.push(Kind { name, lowercase_name: name.to_lowercase(), memory_bytes });
                self.list.len() - 1
            });
        }
        self.latest
    }
}

/// Nodes by what they have free. Groups are numbered and stay when they are empty.
#[derive(Default)]
struct Groups {
    list: Vec<Group>,
    numbers: HashMap<Profile, usize>,
}

struct Group {
    profile: Profile,
    free: usize,
    /// Positions of nodes; the first is taken first.
    nodes: BTreeSet<usize>,
}

impl Groups {
    fn insert(&mut self, profile: &[(usize, usize)], node: usize) {
        let number = self.numbers.get(profile).copied().unwrap_or_else(|| {
            let free = profile.iter().map(|(_, count)| count).sum();
            self.list.push(Group { profile: profile.into(), free, nodes: BTreeSet::new() });
            self.numbers.insert(profile.into(), self.list.len() - 1);
            self.list.len() - 1
        });
        self.list[number].nodes.insert(node);
    }

    fn remove(&mut self, profile: &[(usize, usize)], node: usize) {
        if let Some(number) = self.numbers.get(profile) {
            self.list[*number].nodes.remove(&node);
        }
    }

    /// The node to take: by the free GPUs that will do, then by all that are free, then by position.
    fn best(&self, gpu_count: usize, admitted: &[bool], placement: Placement) -> Option<usize> {
        let candidate = |group: &Group| {
            let suitable = suitable(&group.profile, admitted);
            let node = *group.nodes.first()?;
            let rank = match placement {
                Placement::Pack => (suitable, group.free),
                Placement::Spread => (usize::MAX - suitable, usize::MAX - group.free),
            };
            (suitable >= gpu_count).then_some((rank, node))
        };
        self.list.iter().filter_map(candidate).min().map(|(_, node)| node)
    }
}

/// Usable nodes by their number of placements, for claims without GPUs.
struct Idlest {
    placements: Vec<usize>,
    /// An entry may lag behind `placements`; it is brought up to date when it comes up.
    heap: BinaryHeap<Reverse<(usize, usize)>>,
}

impl Idlest {
    fn new(snapshot: &Snapshot<'_>) -> Self {
        let positions: HashMap<_, _> = snapshot.nodes.iter().enumerate().map(|(position, node)| (node.id, position)).collect();
        let mut placements = vec![0; snapshot.nodes.len()];
        for claim in snapshot.claims {
            let is_placed = matches!(claim.phase, ClaimPhase::Scheduled | ClaimPhase::Running);
            let node = claim.node_id.filter(|_| is_placed);
            if let Some(position) = node.and_then(|node| positions.get(&node)) {
                placements[*position] += 1;
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
