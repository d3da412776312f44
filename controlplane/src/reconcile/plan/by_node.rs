//! What belongs to each node, put together once: a pass then goes through a large fleet node by node, and finds what it compares in
//! the caches.

use std::iter;

use foldhash::HashMap;
use uuid::Uuid;

use super::NodeView;

/// Where a chain ends: nothing is there.
const NONE: usize = usize::MAX;

/// The positions of the nodes.
pub(super) struct Positions(HashMap<Uuid, usize>);

impl Positions {
    pub(super) fn new(nodes: &[NodeView]) -> Self {
        Self(nodes.iter().enumerate().map(|(position, node)| (node.id, position)).collect())
    }

    pub(super) fn of(&self, node: Uuid) -> Option<usize> {
        self.0.get(&node).copied()
    }

    /// Groups things by the nodes that they are on.
    pub(super) fn group<T: Copy>(&self, things: impl ExactSizeIterator<Item = (Option<Uuid>, T)>) -> ByNode<T> {
        let mut groups = ByNode { latest: vec![NONE; self.0.len() + 1], chained: Vec::with_capacity(things.len()) };
        for (node, thing) in things {
            let position = node.and_then(|node| self.of(node)).unwrap_or(self.0.len());
            let before = std::mem::replace(&mut groups.latest[position], groups.chained.len());
            groups.chained.push((thing, before));
        }
        groups
    }
}

/// Things by the position of their node, and last those of which the node is not known.
pub(super) struct ByNode<T> {
    latest: Vec<usize>,
    /// Each with the place of the one before it on the same node.
    chained: Vec<(T, usize)>,
}

impl<T: Copy> ByNode<T> {
    /// The things on a node, the latest first.
    pub(super) fn on(&self, position: usize) -> impl Iterator<Item = T> {
        let at = |place: usize| self.chained.get(place);
        iter::successors(at(self.latest[position]), move |(_, before)| at(*before)).map(|(thing, _)| *thing)
    }

    /// The things of which the node is not known, the latest first.
    pub(super) fn elsewhere(&self) -> impl Iterator<Item = T> {
        self.on(self.latest.len() - 1)
    }
}
