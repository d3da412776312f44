//! `utopia.machine.v1.MachineService`.

mod spec;

use prost_types::Timestamp as WireTimestamp;
use tonic::{Request, Response, Status, async_trait};
use utopia_proto::machine::v1::{
    CheckMachineRequest, CreateMachineRequest, DeleteMachineRequest, DeleteMachineResponse, GetMachineRequest,
    ListMachinesRequest, ListMachinesResponse, Machine as WireMachine, MachineRole, MachineStatus, SetMachineStatusRequest,
    UpdateMachineRequest, machine_service_server::MachineService,
};
use uuid::Uuid;

use super::{convert, validate};
use crate::{
    auth::identity::Identity,
    checks::Checker,
    clock::Clock,
    error::{Error, Result},
    model::{
        PageRequest,
        audit::AuditResult,
        machine::{Machine, MachineUpdate},
        selector::Selector,
    },
    seal::Sealer,
    store::{MachineFilter, Store},
};

/// Machines on a page when the caller does not say.
const DEFAULT_LIMIT: i32 = 10;

/// The service.
#[derive(Debug, Clone)]
pub struct Machines {
    /// Has the machines.
    pub store: Store,
    /// Seals their secrets.
    pub sealer: Sealer,
    /// Checks them.
    pub checker: Checker,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl MachineService for Machines {
    async fn create_machine(&self, request: Request<CreateMachineRequest>) -> Result<Response<WireMachine>, Status> {
        let trail = Identity::trail(&request);
        let request = request.into_inner();
        if request.password.is_empty() && request.private_key.is_empty() {
            return Err(Error::missing("password").into());
        }
        let id = Uuid::new_v4();
        let login = spec::sealed_login(&request, &self.sealer, id)?;
        let host_key = spec::host_key(&request)?.unwrap_or_default();
        let machine = Machine::new(id, spec::machine(request)?, login, host_key, self.clock.now());
        self.store.create_machine(&machine, &trail).await?;
        tracing::info!(machine = %id, name = machine.spec.name, "machine added");
        self.checker.wake();
        Ok(Response::new(show(machine)))
    }

    async fn list_machines(&self, request: Request<ListMachinesRequest>) -> Result<Response<ListMachinesResponse>, Status> {
        let ListMachinesRequest { page, limit, page_size, status, role, labels } = request.into_inner();
        let window = PageRequest::with_default(page, limit, page_size, DEFAULT_LIMIT);
        let unknown = |field| move |_| Error::invalid(field, "is not among the words for it");
        let filter = MachineFilter {
            status: MachineStatus::try_from(status).map_err(unknown("status"))?,
            role: MachineRole::try_from(role).map_err(unknown("role"))?,
            labels: labels.parse::<Selector>().map_err(|error| Error::invalid("labels", error.to_string()))?,
        };
        let page = self.store.list_machines(&filter, window).await?;
        Ok(Response::new(ListMachinesResponse {
            machines: page.items.into_iter().map(show).collect(),
            total: page.total,
            page: window.page,
            limit: window.limit,
        }))
    }

    async fn get_machine(&self, request: Request<GetMachineRequest>) -> Result<Response<WireMachine>, Status> {
        let id = validate::id("machine", &request.get_ref().id)?;
        let machine = self.store.machine(id).await?.ok_or_else(|| Error::not_found("machine", id))?;
        Ok(Response::new(show(machine)))
    }

    async fn update_machine(&self, request: Request<UpdateMachineRequest>) -> Result<Response<WireMachine>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("machine", &request.get_ref().id)?;
        let request = spec::contents(request.into_inner());
        let login = spec::sealed_login(&request, &self.sealer, id)?;
        let update = MachineUpdate { host_key: spec::host_key(&request)?, spec: spec::machine(request)?, login };
        let machine = self.store.update_machine(id, update, self.clock.now(), &trail).await?;
        tracing::info!(machine = %id, name = machine.spec.name, "machine updated");
        self.checker.wake();
        Ok(Response::new(show(machine)))
    }

    async fn delete_machine(&self, request: Request<DeleteMachineRequest>) -> Result<Response<DeleteMachineResponse>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("machine", &request.get_ref().id)?;
        self.store.delete_machine(id, self.clock.now(), &trail).await?;
        tracing::info!(machine = %id, "machine deleted");
        Ok(Response::new(DeleteMachineResponse { message: "Machine deleted successfully".to_owned() }))
    }

    async fn set_machine_status(&self, request: Request<SetMachineStatusRequest>) -> Result<Response<WireMachine>, Status> {
        let trail = Identity::trail(&request);
        let SetMachineStatusRequest { id, status, message } = request.into_inner();
        let id = validate::id("machine", &id)?;
        let status = settable(status)?;
        spec::characters("message", &message, 500)?;
        let machine = self.store.set_machine_status(id, status, message, self.clock.now(), &trail).await?;
        tracing::info!(machine = %id, status = crate::model::machine::word(machine.status), "machine's status set");
        Ok(Response::new(show(machine)))
    }

    async fn check_machine(&self, request: Request<CheckMachineRequest>) -> Result<Response<WireMachine>, Status> {
        let trail = Identity::trail(&request);
        let id = validate::id("machine", &request.get_ref().id)?;
        let machine = self.checker.check(id).await?;
        self.store.record(&trail, machine.examination(), AuditResult::Success, self.clock.now()).await?;
        Ok(Response::new(show(machine)))
    }
}

/// A status that may be set by hand.
fn settable(status: i32) -> Result<MachineStatus> {
    let rule = "must be available, unavailable, maintenance or error";
    let status = MachineStatus::try_from(status).map_err(|_| Error::invalid("status", rule))?;
    match status {
        MachineStatus::Unspecified => Err(Error::missing("status")),
        MachineStatus::Available | MachineStatus::Unavailable | MachineStatus::Maintenance | MachineStatus::Error => Ok(status),
        MachineStatus::InUse | MachineStatus::Deploying | MachineStatus::Offline => Err(Error::invalid("status", rule)),
    }
}

/// The machine without its secrets.
fn show(machine: Machine) -> WireMachine {
    let Machine { id, spec, login, status, message, host_key, last_checked_at, generation: _, created_at, updated_at } = machine;
    let at = |at| Some::<WireTimestamp>(convert::timestamp(at));
    WireMachine {
        id: id.to_string(),
        name: spec.name,
        ip_address: spec.ip_address,
        internal_address: spec.internal_address,
        user: spec.user,
        role: spec.role.into(),
        status: status.into(),
        message,
        artifact_path: spec.artifact_path,
        image_repo: spec.image_repo,
        registry_address: spec.registry_address,
        labels: spec.labels,
        ssh_port: spec.ssh_port.into(),
        host_key,
        has_password: login.password.is_some(),
        has_private_key: login.private_key.is_some(),
        last_checked_at: last_checked_at.and_then(at),
        created_at: at(created_at),
        updated_at: at(updated_at),
    }
}
