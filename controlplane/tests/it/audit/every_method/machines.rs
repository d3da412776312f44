//! Nodes, their enrolment, hosts and machines.

use jiff::SignedDuration;
use serde_json::json;

use super::{SECRETS, Tour};
use crate::{
    enrolment::{expired, recover},
    machine::{Machine, Node, enrol},
    plane::text,
};

impl Tour<'_> {
    pub(super) async fn nodes(&mut self) {
        let (plane, admin) = (self.plane, self.plane.as_admin());
        let body = json!({"hostname": "n2", "machine_id": "machine-n2"});
        let node = plane.http.post("/api/nodes/register", &body).await.expect(201);
        let id = text(&node, "id");
        let event = self.left("/utopia.node.v1.NodeService/RegisterNode", "", id).await;
        assert_eq!(event["new_value"]["hostname"], "n2");
        let approval = admin.post(&format!("/api/nodes/{id}/approve"), &json!({})).await.expect(200);
        let token = text(&approval, "token").to_owned();
        self.left("/utopia.node.v1.NodeService/ApproveNode", "admin", id).await;

        let machine = Machine::new("n2", 0);
        let certificate = enrol(plane, machine.enrolment(&token)).await.unwrap();
        assert_eq!(certificate.node_id, id);
        let by_token = format!("join_token:{}", text(&approval, "id"));
        self.left("/utopia.link.v1.EnrolmentService/Enrol", &by_token, id).await;
        let node = Node { id: id.to_owned(), machine, certificate };
        let yesterday = expired(&plane.authority(), &node, SignedDuration::from_hours(1));
        recover(plane, node.machine.key.csr().unwrap(), yesterday).await.unwrap();
        self.left("/utopia.link.v1.EnrolmentService/Recover", &format!("node:{id}"), id).await;
        admin.delete(&format!("/api/nodes/{id}")).await.expect(204);
        self.left("/utopia.node.v1.NodeService/DeleteNode", "admin", id).await;
        self.secrets.push(token);
    }

    pub(super) async fn hosts(&mut self) {
        let admin = self.plane.as_admin();
        let body = json!({"name": "h1", "ip_address": "10.0.0.9", "os_type": "linux", "total_cpu": 8, "labels": {"zone": "a"}});
        let host = admin.post("/api/v1/hosts", &body).await.expect(201)["data"].clone();
        let id = text(&host, "host_id");
        let path = format!("/api/v1/hosts/{id}");
        let event = self.left("/utopia.host.v1.HostService/CreateHost", "admin", id).await;
        assert_eq!(event["new_value"]["labels"], json!({"zone": "a"}));
        admin.put(&path, &json!({"labels": {"zone": "b"}})).await.expect(200);
        let event = self.left("/utopia.host.v1.HostService/UpdateHost", "admin", id).await;
        assert_eq!(
            (&event["old_value"]["labels"], &event["new_value"]["labels"]),
            (&json!({"zone": "a"}), &json!({"zone": "b"}))
        );
        let rotated = admin.post(&format!("{path}/agent-token"), &json!({})).await.expect(201)["data"].clone();
        self.left("/utopia.host.v1.HostService/RotateAgentToken", "admin", id).await;
        self.plane.as_operator().put(&format!("{path}/maintenance"), &json!({"reason": "new fans"})).await.expect(200);
        self.left("/utopia.host.v1.HostService/SetMaintenance", "olga", id).await;
        self.plane.as_operator().delete(&format!("{path}/maintenance")).await.expect(200);
        self.left("/utopia.host.v1.HostService/EndMaintenance", "olga", id).await;
        admin.delete(&path).await.expect(204);
        self.left("/utopia.host.v1.HostService/DeleteHost", "admin", id).await;
        self.secrets.extend([&host, &rotated].map(|host| text(host, "agent_token").to_owned()));
    }

    pub(super) async fn machines(&mut self) {
        let operator = self.plane.as_operator();
        // An address of documentation: nobody is there.
        let body = json!({"name": "m1", "ip_address": "192.0.2.1", "user": "ada", "password": SECRETS[3], "role": "worker"});
        let machine = operator.post("/api/v1/machines", &body).await.expect(201)["data"].clone();
        let id = text(&machine, "id");
        let path = format!("/api/v1/machines/{id}");
        let event = self.left("/utopia.machine.v1.MachineService/CreateMachine", "olga", id).await;
        assert_eq!((&event["new_value"]["name"], &event["new_value"]["password"]), (&json!("m1"), &json!("***")));
        let body = json!({"name": "m2", "ip_address": "192.0.2.1", "user": "ada", "role": "worker", "ssh_port": 1});
        operator.put(&path, &body).await.expect(200);
        let event = self.left("/utopia.machine.v1.MachineService/UpdateMachine", "olga", id).await;
        assert_eq!((&event["old_value"]["name"], &event["new_value"]["name"]), (&json!("m1"), &json!("m2")));
        operator.put(&format!("{path}/status"), &json!({"status": "maintenance"})).await.expect(200);
        self.left("/utopia.machine.v1.MachineService/SetMachineStatus", "olga", id).await;
        let body = json!({"name": "m2", "ip_address": "127.0.0.1", "user": "ada", "role": "worker", "ssh_port": 1});
        operator.put(&path, &body).await.expect(200);
        self.log.one().await;
        operator.post(&format!("{path}/check"), &json!({})).await.expect(200);
        self.left("/utopia.machine.v1.MachineService/CheckMachine", "olga", id).await;
        operator.delete(&path).await.expect(200);
        self.left("/utopia.machine.v1.MachineService/DeleteMachine", "olga", id).await;
    }
}
