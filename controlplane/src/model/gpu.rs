//! The GPUs of a node in the form that its link keeps and every reconcile pass shares. No I/O.

use std::sync::Arc;

use utopia_proto::link::v1::GpuFacts;

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The key.
    pub uuid: Box<str>,
    /// The product name. GPUs that follow each other share one text.
    pub name: Arc<str>,
    /// Index on the machine.
    pub index: u32,
    /// Its memory.
    pub memory_bytes: u64,
}

impl Gpu {
    /// The GPUs of a node as its agent describes them, in its order. Those that no [`GpuSet`] has room for are left out.
    #[must_use]
    pub fn list(facts: Vec<GpuFacts>) -> Arc<[Self]> {
        let mut latest: Option<Arc<str>> = None;
        let gpu = |GpuFacts { uuid, index, name, memory_bytes }: GpuFacts| {
            let name = latest.take().filter(|latest| **latest == *name).unwrap_or_else(|| name.into());
            latest = Some(Arc::clone(&name));
            Self { uuid: uuid.into(), name, index, memory_bytes }
        };
        facts.into_iter().take(GpuSet::CAPACITY).map(gpu).collect()
    }

    /// Whether an agent describes the GPUs of a list so.
    #[must_use]
    pub fn are_described(list: &[Self], facts: &[GpuFacts]) -> bool {
        let facts = facts.iter().take(GpuSet::CAPACITY);
        facts.len() == list.len() && list.iter().zip(facts).all(|(gpu, facts)| gpu.is_described(facts))
    }

    fn is_described(&self, facts: &GpuFacts) -> bool {
        let GpuFacts { uuid, index, name, memory_bytes } = facts;
        *self.uuid == **uuid && self.index == *index && *self.name == **name && self.memory_bytes == *memory_bytes
    }
}

/// Some GPUs of a node, by their places in its list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct GpuSet(u128);

impl GpuSet {
    /// There is room for so many places, from 0; more than any machine has GPUs or parts of them.
    pub const CAPACITY: usize = 128;

    /// The first so many places.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count < Self::CAPACITY { Self((1 << count) - 1) } else { Self(u128::MAX) }
    }

    /// Puts in a place that there is room for.
    pub const fn insert(&mut self, place: usize) {
        if place < Self::CAPACITY {
            self.0 |= 1 << place;
        }
    }

    /// Whether a place is in it.
    #[must_use]
    pub const fn contains(self, place: usize) -> bool {
        place < Self::CAPACITY && self.0 >> place & 1 == 1
    }

    /// How many places are in it.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// No place is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The places of this one that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places, ascending.
    pub fn places(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let place = rest.trailing_zeros() as usize;
            // Clears the lowest place.
            rest &= rest.checked_sub(1)?;
            Some(place)
        })
    }
}

impl FromIterator<usize> for GpuSet {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let mut set = Self::default();
        set.extend(places);
        set
    }
}

impl Extend<usize> for GpuSet {
    fn extend<I: IntoIterator<Item = usize>>(&mut self, places: I) {
        places.into_iter().for_each(|place| self.insert(place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(index: u32, name: &str) -> GpuFacts {
        GpuFacts { uuid: format!("GPU-{index}"), index, name: name.to_owned(), memory_bytes: 80 }
    }

    #[test]
    fn a_list_is_what_the_agent_describes() {
        let described = vec![facts(0, "A100"), facts(1, "A100"), facts(2, "H100")];
        let list = Gpu::list(described.clone());
        assert!(Gpu::are_described(&list, &described));
        assert!(Arc::ptr_eq(&list[0].name, &list[1].name));
        assert_eq!(&*list[2].name, "H100");
        assert!(!Gpu::are_described(&list, &described[..2]));
        let mut moved = described;
        moved[1].index = 7;
        assert!(!Gpu::are_described(&list, &moved));
    }

    #[test]
    fn a_list_ends_where_a_set_does() {
        let described: Vec<_> = (0..200).map(|index| facts(index, "A100")).collect();
        let list = Gpu::list(described.clone());
        assert_eq!(list.len(), GpuSet::CAPACITY);
        assert!(Gpu::are_described(&list, &described));
    }

    #[test]
    fn places_are_put_in_and_told_ascending() {
        let set: GpuSet = [7, 0, 127, 3, 128].into_iter().collect();
        assert!(set.places().eq([0, 3, 7, 127]));
        assert_eq!(set.len(), 4);
        assert!(set.contains(7) && !set.contains(8) && !set.contains(128));
        assert!(GpuSet::default().is_empty() && GpuSet::default().places().next().is_none());
    }

    #[test]
    fn sets_are_combined() {
        let few: GpuSet = [1, 3].into_iter().collect();
        assert!(GpuSet::first(4).without(few).places().eq([0, 2]));
        assert!(GpuSet::first(1).or(few).places().eq([0, 1, 3]));
        assert_eq!([0, 8, 128, 200].map(|count| GpuSet::first(count).len()), [0, 8, 128, 128]);
    }
}
