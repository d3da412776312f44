//! Machines: keys, locks and checks.

use futures_util::future::join_all;
use utopia_proto::machine::v1::{MachineRole, MachineStatus};
use uuid::Uuid;

use crate::{
    error::Error,
    model::{
        PageRequest,
        machine::{Finding, Machine, MachineSpec, MachineUpdate, SealedLogin},
    },
    store::{
        MachineFilter, Store,
        testing::{at, on_both_databases, trail},
    },
};

on_both_databases!(
    a_machine_comes_back_as_it_was_kept,
    names_and_addresses_are_taken_once,
    a_check_that_was_overtaken_changes_nothing,
    new_machines_are_checked_first_and_held_ones_never,
    a_machine_in_use_stays_where_it_is,
);

fn machine(name: &str, address: &str, second: i64) -> Machine {
    let spec = MachineSpec {
        name: name.into(),
        ip_address: address.into(),
        ssh_port: 65_535,
        internal_address: "10.0.0.1".into(),
        user: "root".into(),
        role: MachineRole::Etcd,
        artifact_path: "a/b".into(),
        image_repo: "images".into(),
        registry_address: "registry:5000".into(),
        labels: [("rack".to_owned(), name.to_owned())].into(),
    };
    let login = SealedLogin { password: Some(vec![1, 0, 255]), private_key: None };
    Machine::new(Uuid::new_v4(), spec, login, String::new(), at(second))
}

async fn added(store: &Store, name: &str, address: &str, second: i64) -> Machine {
    let machine = machine(name, address, second);
    store.create_machine(&machine, trail()).await.unwrap();
    machine
}

fn found(status: MachineStatus) -> Finding {
    Finding { status, message: "why".into(), host_key: Some("key".into()) }
}

async fn stands(store: &Store, machine: &Machine, status: MachineStatus) {
    let done = store.set_machine_status(machine.id, status, String::new(), at(5), trail()).await.unwrap();
    assert_eq!(done.status, status);
}

async fn a_machine_comes_back_as_it_was_kept(store: Store) {
    let machines = [added(&store, "b", "10.0.0.1", 0).await, added(&store, "a", "10.0.0.2", 1).await];
    assert_eq!(store.machine(machines[0].id).await.unwrap().as_ref(), Some(&machines[0]));
    assert_eq!(store.machine(Uuid::new_v4()).await.unwrap(), None);

    let list = async |filter| store.list_machines(&filter, PageRequest::new(1, 1, 0)).await.unwrap();
    let all = list(MachineFilter::default()).await;
    assert_eq!((all.total, &all.items[..]), (2, &machines[..1]));
    let labelled = list(MachineFilter { labels: "rack=a".parse().unwrap(), ..MachineFilter::default() }).await;
    assert_eq!((labelled.total, &labelled.items[..]), (1, &machines[1..]));
    let workers = list(MachineFilter { role: MachineRole::Worker, ..MachineFilter::default() }).await;
    assert_eq!(workers.total, 0);

    let spec = MachineSpec { labels: [].into(), ..machines[0].spec.clone() };
    let login = SealedLogin { password: None, private_key: Some(vec![2]) };
    let update = MachineUpdate { spec, login, host_key: None };
    let updated = store.update_machine(machines[0].id, update, at(2), trail()).await.unwrap();
    let both = SealedLogin { password: Some(vec![1, 0, 255]), private_key: Some(vec![2]) };
    assert_eq!((&updated.login, updated.updated_at), (&both, at(2)));
    assert_eq!(store.machine(updated.id).await.unwrap(), Some(updated));
    store.delete_machine(machines[0].id, at(3), trail()).await.unwrap();
    assert_eq!(store.machine(machines[0].id).await.unwrap(), None);
    let gone = store.delete_machine(machines[0].id, at(3), trail()).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
}

async fn names_and_addresses_are_taken_once(store: Store) {
    let create = async |machine: Machine| store.create_machine(&machine, trail()).await;
    let made = join_all(["m", "M", "m", "M"].map(|name| create(machine(name, name, 0)))).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, Error::AlreadyExists { reason: "MachineNameTaken", .. }), "{refused:?}");
    }
    let other = added(&store, "other", "10.0.0.9", 0).await;
    let refused = create(machine("third", "10.0.0.9", 0)).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { reason: "MachineAddressTaken", .. }), "{refused:?}");
    let update = MachineUpdate {
        spec: MachineSpec { name: "m".into(), ..other.spec.clone() },
        login: SealedLogin::default(),
        host_key: None,
    };
    let refused = store.update_machine(other.id, update, at(1), trail()).await.unwrap_err();
    assert!(matches!(refused, Error::AlreadyExists { reason: "MachineNameTaken", .. }), "{refused:?}");
    assert_eq!(store.machine(other.id).await.unwrap(), Some(other));
}

async fn a_check_that_was_overtaken_changes_nothing(store: Store) {
    let machine = added(&store, "m", "10.0.0.1", 0).await;
    let checked = machine.clone().checked(&found(MachineStatus::Available), at(2));
    stands(&store, &machine, MachineStatus::Maintenance).await;
    assert!(!store.record_machine_check(&checked, machine.generation).await.unwrap());
    let kept = store.machine(machine.id).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.last_checked_at), (MachineStatus::Maintenance, None));

    let checked = kept.clone().checked(&found(MachineStatus::Available), at(6));
    assert!(store.record_machine_check(&checked, kept.generation).await.unwrap());
    let kept = store.machine(machine.id).await.unwrap().unwrap();
    assert_eq!((kept.status, &*kept.host_key, kept.last_checked_at), (MachineStatus::Maintenance, "key", Some(at(6))));
    store.delete_machine(machine.id, at(7), trail()).await.unwrap();
    assert!(!store.record_machine_check(&checked, kept.generation).await.unwrap());
}

async fn new_machines_are_checked_first_and_held_ones_never(store: Store) {
    let old = added(&store, "old", "10.0.0.1", 0).await;
    let checked = old.clone().checked(&found(MachineStatus::Unavailable), at(10));
    assert!(store.record_machine_check(&checked, old.generation).await.unwrap());
    let new = added(&store, "new", "10.0.0.2", 0).await;
    let held = added(&store, "held", "10.0.0.3", 0).await;
    stands(&store, &held, MachineStatus::Maintenance).await;

    let due = async |before: Option<i64>| store.machines_to_check(before.map(at), 9).await.unwrap();
    assert_eq!(due(None).await, [new.id]);
    assert_eq!(due(Some(9)).await, [new.id]);
    assert_eq!(due(Some(10)).await, [new.id, old.id]);
    assert_eq!(store.machines_to_check(Some(at(10)), 1).await.unwrap(), [new.id]);
    // What was set by hand stands until the next interval.
    stands(&store, &new, MachineStatus::Error).await;
    assert!(due(Some(4)).await.is_empty());
    assert_eq!(due(Some(5)).await, [new.id]);
}

async fn a_machine_in_use_stays_where_it_is(store: Store) {
    let machine = added(&store, "m", "10.0.0.1", 0).await;
    stands(&store, &machine, MachineStatus::InUse).await;
    let set = store.set_machine_status(machine.id, MachineStatus::Available, String::new(), at(6), trail()).await;
    let deleted = store.delete_machine(machine.id, at(6), trail()).await;
    for refused in [set.map(drop), deleted] {
        assert!(matches!(refused, Err(Error::FailedPrecondition { .. })), "{refused:?}");
    }
}
