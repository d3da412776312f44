// A page of another origin that speaks gRPC-Web to the control plane. Bundled by run.mjs.
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const show = (line) => document.body.append(Object.assign(document.createElement("pre"), { textContent: line }));

// Logs in, makes and lists hosts, watches a claim, and makes a mistake; answers what a script would see.
globalThis.use = async (baseUrl, username, password) => {
  const bytes = new Uint8Array(await (await fetch("/descriptors.bin")).arrayBuffer());
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  const headers = new Headers();
  const authorize = (next) => (request) => {
    headers.forEach((value, name) => request.header.set(name, value));
    return next(request);
  };
  const transport = createGrpcWebTransport({ baseUrl, interceptors: [authorize] });
  const client = (service) => createClient(registry.getService(service), transport);

  const session = await client("utopia.iam.v1.IamService").login({ username, password });
  headers.set("authorization", `Bearer ${session.token}`);
  show(`logged in as ${session.user.username}`);

  const seen = {};
  const service = client("utopia.host.v1.HostService");
  for (const name of ["gpu-01", "gpu-02"]) await service.createHost({ name, labels: { region: "us-west" } });
  const listed = await service.listHosts({}, { onHeader: (found) => (seen.id = found.get("x-request-id")) });
  for (const host of listed.items) show(`host ${host.name} in ${host.labels.region}`);
  const claims = client("utopia.claim.v1.ClaimService");
  const made = await claims.createClaim({ spec: { image: "registry.example/none:1", resources: { gpuCount: 0 } } });
  let streamed = 0;
  for await (const claim of claims.watchClaim({ id: made.id })) {
    show(`claim ${claim.id} is in phase ${claim.status.phase}`);
    streamed += 1;
    break;
  }
  let error;
  try {
    await claims.getClaim({ id: "00000000-0000-4000-8000-000000000000" });
  } catch (caught) {
    error = ConnectError.from(caught);
    show(`error ${Code[error.code]}: ${error.rawMessage}`);
  }
  await claims.deleteClaim({ id: made.id });
  return {
    user: session.user.username,
    hosts: listed.items.map((host) => host.name),
    requestId: seen.id,
    streamed,
    code: Code[error?.code],
    message: error?.rawMessage,
    details: error?.metadata.has("grpc-status-details-bin") || error?.details.length > 0,
  };
};
