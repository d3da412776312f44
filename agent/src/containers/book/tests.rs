use super::*;

fn record(claim_id: &str, epoch: u64, gpus: &[&str]) -> Record {
    Record {
        placement: Placement { claim_id: claim_id.to_owned(), epoch },
        spec_hash: "h".to_owned(),
        gpu_uuids: gpus.iter().map(|&uuid| uuid.to_owned()).collect(),
    }
}

fn container(status: Status) -> Observed {
    Observed {
        id: "id".to_owned(),
        name: "name".to_owned(),
        image: "a:1".to_owned(),
        status,
        exit_code: 0,
        out_of_memory: false,
        created_s: 0,
        started_s: 0,
        ports: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

/// A book of containers that nobody is busy with.
fn book(entries: &[(&str, u64, Option<Status>, &[&str])]) -> Book {
    let mut book = Book::default();
    for (claim_id, epoch, status, gpus) in entries {
        let entry = book.entry(&record(claim_id, *epoch, gpus));
        entry.container = status.map(container);
        if status.is_none() {
            entry.failure = Some(Failure { reason: "StartFailed".to_owned(), message: String::new() });
        }
    }
    book
}

#[test]
fn what_to_do_about_a_wanted_placement() {
    let running = Some(Status::Running);
    let older = |epochs: &[u64]| {
        let older = epochs.iter().map(|&epoch| record("c", epoch, &[]).placement).collect();
        Ensure::Make { older }
    };
    let cases = [
        (book(&[]), older(&[])),
        (book(&[("c", 5, running, &[])]), Ensure::Present),
        (book(&[("c", 5, Some(Status::Exited), &[])]), Ensure::Present),
        (book(&[("c", 5, Some(Status::Created), &[])]), older(&[])),
        (book(&[("c", 5, None, &[])]), older(&[])),
        (book(&[("c", 6, running, &[])]), Ensure::Stale { newest: 6 }),
        (book(&[("c", 3, running, &[]), ("c", 4, Some(Status::Exited), &[])]), older(&[3, 4])),
        (book(&[("c", LOCAL, running, &[]), ("cc", 9, running, &[]), ("b", 9, running, &[])]), older(&[])),
    ];
    for (book, expected) in cases {
        assert_eq!(book.ensure(&record("c", 5, &[])), expected, "{book:?}");
    }
    let other = Record { spec_hash: "other".to_owned(), ..record("c", 5, &[]) };
    assert_eq!(book(&[("c", 5, running, &[])]).ensure(&other), Ensure::Differs);
    assert_eq!(book(&[("c", 5, None, &[])]).ensure(&other), older(&[]), "a failure binds nobody");
}

#[test]
fn released_placements_stay_released() {
    let mut book = book(&[("c", 1, Some(Status::Running), &[]), ("c", 2, None, &[]), ("c", LOCAL, None, &[])]);
    assert_eq!(book.release("c", 1), [record("c", 1, &[]).placement]);
    assert_eq!(book.release("c", 2).len(), 2);
    assert_eq!(book.ensure(&record("c", 2, &[])), Ensure::Stale { newest: 2 });
    book.release("c", 1);
    assert_eq!(book.ensure(&record("c", 2, &[])), Ensure::Stale { newest: 2 }, "an older release changes nothing");
    assert!(matches!(book.ensure(&record("c", 3, &[])), Ensure::Make { .. }));
}

#[test]
fn released_claims_are_forgotten_in_their_order() {
    let mut released = Released::default();
    for index in 0..=MAX_RELEASED {
        released.set(&index.to_string(), 1);
    }
    assert_eq!(released.get("0"), None);
    assert_eq!(released.get("1"), Some(1));
    assert_eq!(released.epochs.len(), MAX_RELEASED);
}

#[test]
fn what_to_do_about_a_container_of_the_node_api() {
    let wanted = record("c", LOCAL, &[]);
    assert!(matches!(book(&[]).create(&wanted), Create::Make));
    assert!(matches!(book(&[("c", 7, Some(Status::Running), &[])]).create(&wanted), Create::Make));
    assert!(matches!(book(&[("c", LOCAL, Some(Status::Created), &[])]).create(&wanted), Create::Make));
    for status in [Status::Running, Status::Paused, Status::Exited] {
        assert!(matches!(book(&[("c", LOCAL, Some(status), &[])]).create(&wanted), Create::Found { .. }), "{status:?}");
    }
    let other = Record { spec_hash: "other".to_owned(), ..wanted };
    assert!(matches!(book(&[("c", LOCAL, Some(Status::Exited), &[])]).create(&other), Create::Differs));
}

#[test]
fn gpus_are_held_by_what_runs_or_is_about_to() {
    let cases = [
        (Some(Status::Created), true),
        (Some(Status::Running), true),
        (Some(Status::Paused), true),
        (Some(Status::Restarting), true),
        (Some(Status::Exited), false),
        (Some(Status::Dead), false),
        (Some(Status::Removing), false),
        (None, false),
    ];
    for (status, held) in cases {
        let book = book(&[("c", 1, status, &["GPU-0"])]);
        assert_eq!(book.held_gpus().contains_key("GPU-0"), held, "{status:?}");
        assert_eq!(book.conflict(&record("other", 1, &["GPU-0"])).is_some(), held, "{status:?}");
        assert!(book.conflict(&record("c", 2, &["GPU-0"])).is_none(), "its own older placement goes first");
        assert_eq!(book.conflict(&record("c", LOCAL, &["GPU-0"])).is_some(), held, "the node API is somebody else");
    }
}

#[test]
fn gpus_are_picked_in_order() {
    let book = book(&[("c", 1, Some(Status::Running), &["GPU-1"])]);
    let gpus = ["GPU-0", "GPU-1", "GPU-2", "GPU-3"];
    let unfit = BTreeSet::from(["GPU-2".to_owned()]);
    let cases =
        [(0, Ok(vec![])), (1, Ok(vec!["GPU-0".to_owned()])), (2, Ok(vec!["GPU-0".to_owned(), "GPU-3".to_owned()])), (3, Err(2))];
    for (count, expected) in cases {
        assert_eq!(book.pick(gpus.into_iter(), &unfit, count), expected, "{count}");
    }
}

#[test]
fn only_the_newest_placement_is_started_after_a_crash() {
    let created = Some(Status::Created);
    let book =
        book(&[("a", 1, created, &[]), ("a", 2, Some(Status::Running), &[]), ("b", 4, created, &[]), ("c", LOCAL, created, &[])]);
    assert_eq!(book.left_unstarted(), [record("b", 4, &[]).placement]);
}

#[test]
fn how_containers_are_shown() {
    let phase = |status| book(&[("c", 1, status, &[])]).entries().next().map(|entry| entry.state().phase());
    let cases = [
        (Some(Status::Created), ContainerPhase::Preparing),
        (Some(Status::Running), ContainerPhase::Running),
        (Some(Status::Paused), ContainerPhase::Running),
        (Some(Status::Exited), ContainerPhase::Exited),
        (Some(Status::Dead), ContainerPhase::Exited),
        (None, ContainerPhase::Failed),
    ];
    for (status, expected) in cases {
        assert_eq!(phase(status), Some(expected), "{status:?}");
    }
    let mut entry = Entry::new(record("c", 1, &[]));
    entry.container = Some(Observed { exit_code: 137, out_of_memory: true, ..container(Status::Exited) });
    assert_eq!((entry.state().exit_code, entry.state().reason.as_str()), (137, "OutOfMemory"));
}
