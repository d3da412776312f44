// Code generated from the OpenAPI document by make sdk. DO NOT EDIT.

package aiinfra

import "time"

// The version of the contract.
const contractVersion = "0.1.0"

// An API token.
type APIToken struct {
	// The token's id, not secret.
	ID string `json:"id"`
	// The token, for `Authorization: Bearer`; only in the answer that made it.
	Token string `json:"token" secret:"true"`
	// What it is for.
	Name string `json:"name"`
	// The most it may do.
	Role string `json:"role"`
	// The user name of its owner.
	Username string `json:"username"`
	// When it expires.
	ExpiresAt time.Time `json:"expires_at"`
	// When it was made.
	CreatedAt time.Time `json:"created_at"`
	// When it was last used, to the minute.
	LastUsedAt time.Time `json:"last_used_at"`
}

// String shows all but secrets.
func (value APIToken) String() string {
	return withoutSecrets(value)
}

// An access key.
type AccessKey struct {
	// The access key id, not secret: `aws_access_key_id`.
	ID string `json:"id"`
	// The secret: `aws_secret_access_key`; only in the answer that made it.
	Secret string `json:"secret" secret:"true"`
	// What it is for.
	Name string `json:"name"`
	// The user name of its owner.
	Username string `json:"username"`
	// When it was made.
	CreatedAt time.Time `json:"created_at"`
	// When its secret was replaced.
	RotatedAt time.Time `json:"rotated_at"`
	// When it was last used, to the minute.
	LastUsedAt time.Time `json:"last_used_at"`
}

// String shows all but secrets.
func (value AccessKey) String() string {
	return withoutSecrets(value)
}

// A person.
type Account struct {
	// A UUID.
	ID string `json:"id"`
	// The user name.
	Username string `json:"username"`
	// The e-mail address; may be empty.
	Email string `json:"email"`
	// `admin`, `operator`, `user` or `readonly`.
	Role string `json:"role"`
	// When the person registered.
	CreatedAt time.Time `json:"created_at"`
	// When the account last changed.
	UpdatedAt time.Time `json:"updated_at"`
	// When the person last logged in.
	LastLoginAt time.Time `json:"last_login_at"`
}

// Credentials.
type AccountLoginRequest struct {
	// The user name. It is required.
	Username string `json:"username"`
	// The password. It is required.
	Password string `json:"password" secret:"true"`
}

// String shows all but secrets.
func (value AccountLoginRequest) String() string {
	return withoutSecrets(value)
}

// A new user.
type AccountRegisterRequest struct {
	// 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard to case. It is required.
	Username string `json:"username"`
	// An e-mail address of at most 254 characters, unique without regard to case; may be left out.
	Email string `json:"email,omitzero"`
	// 8 to 256 bytes; well-known pairs of name and password are refused. It is required.
	Password string `json:"password" secret:"true"`
	// Ignored unless an administrator calls; then as of CreateUser.
	Role string `json:"role,omitzero"`
}

// String shows all but secrets.
func (value AccountRegisterRequest) String() string {
	return withoutSecrets(value)
}

// An event.
type AuditEvent struct {
	// A UUID.
	ID string `json:"id"`
	// The kind of resource.
	EventType string `json:"event_type"`
	// The method's name.
	Action string `json:"action"`
	// The kind of resource; the same as `event_type`.
	Resource string `json:"resource"`
	// Which one; may be empty when the attempt named none.
	ResourceID string `json:"resource_id"`
	// Who: a user name, or `system`, `host:<id>`, `node:<id>`, `join_token:<id>`, `agent_token:<id>`, or empty for nobody known.
	User string `json:"user"`
	// From where; may be empty.
	IPAddress string `json:"ip_address"`
	// What it was before; empty for what is new. Secrets are masked.
	OldValue map[string]any `json:"old_value"`
	// What it is now; empty for what is gone. Secrets are masked.
	NewValue map[string]any `json:"new_value"`
	// More: the gRPC method, the request's id, for failures the error's reason and message.
	Details map[string]any `json:"details"`
	// What became of it.
	Result AuditResult `json:"result"`
	// When.
	Timestamp time.Time `json:"timestamp"`
	// Its place in the chain, from 1 without gaps.
	Sequence int64 `json:"sequence"`
	// Its link's hash, 64 hexadecimal digits.
	Hash string `json:"hash"`
}

// A link of the chain.
type AuditLink struct {
	// Its place, from 1 without gaps; the first ones go when they are older than the retention.
	Sequence int64 `json:"sequence"`
	// The hash of the link before; 64 zeros for the first.
	PreviousHash string `json:"previous_hash"`
	// The event as JSON text, exactly as it was hashed.
	Payload string `json:"payload"`
	// SHA-256 of `previous_hash` and `payload`, one after the other, as hexadecimal digits.
	Hash string `json:"hash"`
}

// What became of it.
//
//   - empty: No filter.
//   - `success`: It was done.
//   - `failure`: It was tried and failed.
//   - `denied`: The caller may not.
type AuditResult string

// Words of [AuditResult]. A newer server may have more.
const (
	AuditResultUnspecified AuditResult = ""
	AuditResultSuccess     AuditResult = "success"
	AuditResultFailure     AuditResult = "failure"
	AuditResultDenied      AuditResult = "denied"
)

// A backend.
type Backend struct {
	// `slurm`, `salt`, `jupyterhub`, `prometheus`.
	Kind string `json:"kind"`
	// Its name in the settings; the kind where there is only one.
	Name string `json:"name"`
	// Where it is, without credentials.
	URL string `json:"url"`
	// How it was found.
	Status BackendStatus `json:"status"`
	// Its version; empty when it does not tell.
	Version string `json:"version"`
	// How long the last answer took in milliseconds.
	LatencyMs float64 `json:"latency_ms"`
	// What went wrong last; empty after a success.
	LastError string `json:"last_error"`
	// When it was asked last; null when never.
	CheckedAt time.Time `json:"checked_at"`
	// The setting that names it.
	Setting string `json:"setting"`
}

// How a backend was found.
//
//   - `unknown`: It was not asked yet.
//   - `up`: It answers.
//   - `down`: It does not, or refuses us.
//   - `not_configured`: No setting names one.
type BackendStatus string

// Words of [BackendStatus]. A newer server may have more.
const (
	BackendStatusUnknown       BackendStatus = "unknown"
	BackendStatusUp            BackendStatus = "up"
	BackendStatusDown          BackendStatus = "down"
	BackendStatusNotConfigured BackendStatus = "not_configured"
)

// A bucket.
type Bucket struct {
	// Its name, unique on this server.
	Name string `json:"name"`
	// The user name of its owner.
	Username string `json:"username"`
	// How many objects it holds; 0 when another server keeps them.
	Objects int64 `json:"objects"`
	// Bytes of their content; 0 when another server keeps them.
	Bytes int64 `json:"bytes"`
	// When it was made.
	CreatedAt time.Time `json:"created_at"`
}

// Which password becomes which.
type ChangePasswordRequest struct {
	// The old password; not needed by an administrator for somebody else.
	OldPassword string `json:"old_password,omitzero" secret:"true"`
	// The new password: 8 to 256 bytes. It is required.
	NewPassword string `json:"new_password" secret:"true"`
}

// String shows all but secrets.
func (value ChangePasswordRequest) String() string {
	return withoutSecrets(value)
}

// It is done.
type ChangePasswordResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// A claim.
type Claim struct {
	// A UUID.
	ID string `json:"id"`
	// Its owner.
	UserID int64 `json:"user_id"`
	// What is wanted.
	Spec *ClaimSpec `json:"spec"`
	// What became of it.
	Status *ClaimStatus `json:"status"`
	// When it was accepted.
	CreatedAt time.Time `json:"created_at"`
	// When it last changed.
	UpdatedAt time.Time `json:"updated_at"`
}

// Why a claim waits.
type ClaimExplanation struct {
	// The claim's id.
	ID string `json:"id"`
	// Where it stands.
	Phase ClaimPhase `json:"phase"`
	// Its place among the waiting claims, from 1; 0 when it does not wait.
	QueuePosition int64 `json:"queue_position"`
	// The whole in a sentence.
	Summary string `json:"summary"`
	// Each node, by host name.
	Nodes []NodeExplanation `json:"nodes"`
}

// Where a claim stands.
//
//   - empty: No filter.
//   - `Pending`: Waits for room.
//   - `Scheduled`: Has a node; its container is being made.
//   - `Running`: Its container runs.
//   - `Failed`: Ended with an error.
//   - `Completed`: Its container ended with exit code 0.
type ClaimPhase string

// Words of [ClaimPhase]. A newer server may have more.
const (
	ClaimPhaseUnspecified ClaimPhase = ""
	ClaimPhasePending     ClaimPhase = "Pending"
	ClaimPhaseScheduled   ClaimPhase = "Scheduled"
	ClaimPhaseRunning     ClaimPhase = "Running"
	ClaimPhaseFailed      ClaimPhase = "Failed"
	ClaimPhaseCompleted   ClaimPhase = "Completed"
)

// What a claim asks for.
type ClaimSpec struct {
	// The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters.
	Image string `json:"image"`
	// How much of a machine.
	Resources *Resources `json:"resources"`
	// Replaces the image's CMD when not empty.
	Command []string `json:"command"`
	// Environment, each `NAME=value`.
	Env []string `json:"env"`
	// Absolute path; the image's when empty.
	WorkingDir string `json:"workingDir"`
	// Ports to open on the machine.
	Ports []PortMapping `json:"ports"`
	// Host path to container path; host paths must lie under the allow-list of the node's agent.
	Volumes map[string]string `json:"volumes"`
	// What happens when the node is lost.
	OnNodeLoss NodeLossPolicy `json:"onNodeLoss"`
	// How long a node must be lost before the claim is placed elsewhere, under `reschedule`, in seconds. The server's setting
	// (default 30) when 0.
	RescheduleAfterSeconds int `json:"rescheduleAfterSeconds"`
}

// What a claim asks for.
type ClaimSpecInput struct {
	// The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters.
	Image string `json:"image,omitzero"`
	// How much of a machine.
	Resources *ResourcesInput `json:"resources,omitzero"`
	// Replaces the image's CMD when not empty.
	Command []string `json:"command,omitzero"`
	// Environment, each `NAME=value`.
	Env []string `json:"env,omitzero"`
	// Absolute path; the image's when empty.
	WorkingDir string `json:"workingDir,omitzero"`
	// Ports to open on the machine.
	Ports []PortMappingInput `json:"ports,omitzero"`
	// Host path to container path; host paths must lie under the allow-list of the node's agent.
	Volumes map[string]string `json:"volumes,omitzero"`
	// What happens when the node is lost.
	OnNodeLoss NodeLossPolicy `json:"onNodeLoss,omitzero"`
	// How long a node must be lost before the claim is placed elsewhere, under `reschedule`, in seconds. The server's setting
	// (default 30) when 0.
	RescheduleAfterSeconds int `json:"rescheduleAfterSeconds,omitzero"`
}

// What became of a claim.
type ClaimStatus struct {
	// Where it stands.
	Phase ClaimPhase `json:"phase"`
	// Host name of its node; empty before it has one.
	NodeName string `json:"nodeName"`
	// The runtime's id; empty before there is a container.
	ContainerID string `json:"containerID"`
	// Why it is in this phase, a stable word: `InsufficientGPUs`, `NoNodes`, `ImagePullFailed`, `RuntimeUnavailable`, `PortInUse`,
	// `VolumeNotAllowed`, `NodeLost`, `ContainerExited` and others; empty when there is nothing to say.
	Reason string `json:"reason"`
	// The same in a sentence, or the progress of the present step.
	Message string `json:"message"`
	// Its node's id; empty before it has one.
	NodeID string `json:"nodeID"`
	// The UUIDs of its GPUs.
	GPUUUIDs []string `json:"gpuUUIDs"`
}

// A cluster.
type Cluster struct {
	// Its place in the settings, from 1.
	ID int `json:"id"`
	// Its name in the settings.
	Name string `json:"name"`
	// Whether it can be used.
	Status ClusterStatus `json:"status"`
	// How many nodes it has.
	Nodes int `json:"nodes"`
	// CPUs of all nodes.
	TotalCPUs int `json:"total_cpus"`
	// Memory of all nodes in GiB, rounded, with its unit.
	TotalMemory string `json:"total_memory"`
	// GPUs of all nodes.
	TotalGPUs int `json:"total_gpus"`
	// The version of Slurm; empty while it cannot be reached.
	SlurmVersion string `json:"slurm_version"`
	// The version of its REST API that is spoken.
	APIVersion string `json:"api_version"`
	// Why it cannot be reached.
	Message string `json:"message"`
}

// Whether a cluster can be used.
//
//   - `unknown`: Not known.
//   - `active`: It answers.
//   - `unreachable`: It does not; `message` says why.
type ClusterStatus string

// Words of [ClusterStatus]. A newer server may have more.
const (
	ClusterStatusUnknown     ClusterStatus = "unknown"
	ClusterStatusActive      ClusterStatus = "active"
	ClusterStatusUnreachable ClusterStatus = "unreachable"
)

// A container that an agent made.
type Container struct {
	// The runtime's id.
	ID string `json:"id"`
	// What it is for.
	ClaimID string `json:"claim_id"`
	// The image it was made from.
	Image string `json:"image"`
	// The runtime's word: `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
	Status string `json:"status"`
	// Indexes of its GPUs on the machine, for display.
	GPUIDs []int `json:"gpu_ids"`
	// Container port with protocol (`80/tcp`) to port on the machine.
	Ports map[string]string `json:"ports"`
	// When it was made, in Unix seconds.
	Created int64 `json:"created"`
	// When it was last started, in Unix seconds; 0 when never.
	Started int64 `json:"started"`
	// The container's labels.
	Labels map[string]string `json:"labels"`
}

// An API token to make.
type CreateAPITokenRequest struct {
	// What it is for: 1 to 64 printable characters, unique among the caller's. It is required.
	Name string `json:"name"`
	// The most it may do: a role that is not above the caller's; the caller's own when left out.
	Role string `json:"role,omitzero"`
	// Seconds until it expires: default 2592000 (30 days), at most 31536000 (a year).
	TTLSeconds int64 `json:"ttl_seconds,omitzero"`
}

// An access key to make.
type CreateAccessKeyRequest struct {
	// What it is for: 1 to 64 printable characters, unique among the caller's. It is required.
	Name string `json:"name"`
}

// A claim to make: `{"spec": {...}}`, or the fields of the specification themselves.
type CreateClaimRequest struct {
	// What is wanted.
	Spec *ClaimSpecInput `json:"spec,omitzero"`
	// A key of the caller's, at most 128 characters: the same user and key answer the claim made first.
	RequestID string `json:"request_id,omitzero"`
	// The image, e.g. `registry.example:5000/team/train:1`; at most 512 characters.
	Image string `json:"image,omitzero"`
	// How much of a machine.
	Resources *ResourcesInput `json:"resources,omitzero"`
	// Replaces the image's CMD when not empty.
	Command []string `json:"command,omitzero"`
	// Environment, each `NAME=value`.
	Env []string `json:"env,omitzero"`
	// Absolute path; the image's when empty.
	WorkingDir string `json:"workingDir,omitzero"`
	// Ports to open on the machine.
	Ports []PortMappingInput `json:"ports,omitzero"`
	// Host path to container path; host paths must lie under the allow-list of the node's agent.
	Volumes map[string]string `json:"volumes,omitzero"`
	// What happens when the node is lost.
	OnNodeLoss NodeLossPolicy `json:"onNodeLoss,omitzero"`
	// How long a node must be lost before the claim is placed elsewhere, under `reschedule`, in seconds. The server's setting
	// (default 30) when 0.
	RescheduleAfterSeconds int `json:"rescheduleAfterSeconds,omitzero"`
}

// A container to make.
type CreateContainerByNodeIDRequest struct {
	// What the container is for, and the idempotency key: 1 to 128 letters, digits, `.`, `_` or `-`. It is required.
	ClaimID string `json:"claim_id"`
	// The image, e.g. `registry.example:5000/team/train:1`. Pulled when it is not there. It is required.
	Image string `json:"image"`
	// How many GPUs it gets; 0 is valid.
	GPUCount int `json:"gpu_count,omitzero"`
	// Ports to open on the machine.
	PortMappings []PortMappingInput `json:"port_mappings,omitzero"`
	// Environment, each `NAME=value`.
	EnvVars []string `json:"env_vars,omitzero"`
	// Replaces the image's CMD when not empty.
	Command []string `json:"command,omitzero"`
	// Absolute path; the image's when empty.
	WorkingDir string `json:"working_dir,omitzero"`
	// Host path to container path. Host paths must lie under the agent's allow-list.
	Volumes map[string]string `json:"volumes,omitzero"`
	// Memory limit in MiB; none when 0.
	MemoryLimitMB int64 `json:"memory_limit_mb,omitzero"`
	// CPU limit in cores; none when 0.
	CPULimit float64 `json:"cpu_limit,omitzero"`
}

// A container to make.
type CreateContainerRequest struct {
	// The node; see the service.
	NodeID string `json:"node_id,omitzero"`
	// What the container is for, and the idempotency key: 1 to 128 letters, digits, `.`, `_` or `-`. It is required.
	ClaimID string `json:"claim_id"`
	// The image, e.g. `registry.example:5000/team/train:1`. Pulled when it is not there. It is required.
	Image string `json:"image"`
	// How many GPUs it gets; 0 is valid.
	GPUCount int `json:"gpu_count,omitzero"`
	// Ports to open on the machine.
	PortMappings []PortMappingInput `json:"port_mappings,omitzero"`
	// Environment, each `NAME=value`.
	EnvVars []string `json:"env_vars,omitzero"`
	// Replaces the image's CMD when not empty.
	Command []string `json:"command,omitzero"`
	// Absolute path; the image's when empty.
	WorkingDir string `json:"working_dir,omitzero"`
	// Host path to container path. Host paths must lie under the agent's allow-list.
	Volumes map[string]string `json:"volumes,omitzero"`
	// Memory limit in MiB; none when 0.
	MemoryLimitMB int64 `json:"memory_limit_mb,omitzero"`
	// CPU limit in cores; none when 0.
	CPULimit float64 `json:"cpu_limit,omitzero"`
}

// The container that was made or found.
type CreateContainerResponse struct {
	// The runtime's id.
	ContainerID string `json:"container_id"`
}

// A new host. What an agent reports later takes the place of totals and versions.
type CreateHostRequest struct {
	// 1 to 128 printable characters, unique without regard to case. It is required.
	Name string `json:"name"`
	// An IPv4 or IPv6 address; may be left out.
	IPAddress string `json:"ip_address,omitzero"`
	// `linux` or `windows`; `linux` when left out.
	OSType string `json:"os_type,omitzero"`
	// At most 128 characters.
	OSVersion string `json:"os_version,omitzero"`
	// `traditional`, `container` or `kubernetes`; `traditional` when left out.
	DeploymentMode string `json:"deployment_mode,omitzero"`
	// Logical CPUs.
	TotalCPU int `json:"total_cpu,omitzero"`
	// Bytes.
	TotalMemory int64 `json:"total_memory,omitzero"`
	// Bytes.
	TotalDisk int64 `json:"total_disk,omitzero"`
	// Keys and values by the rules of Kubernetes labels; at most 64.
	Labels map[string]string `json:"labels,omitzero"`
}

// A host with its agent token.
type CreateHostResponse struct {
	// A UUID, the same as the node's.
	HostID string `json:"host_id"`
	// The name.
	Name string `json:"name"`
	// Where it stands.
	Status HostStatus `json:"status"`
	// The agent token; only in this answer.
	AgentToken string `json:"agent_token" secret:"true"`
}

// String shows all but secrets.
func (value CreateHostResponse) String() string {
	return withoutSecrets(value)
}

// A join token to make.
type CreateJoinTokenRequest struct {
	// Seconds until it expires: default 3600, at most 2592000 (30 days).
	TTLSeconds int64 `json:"ttl_seconds,omitzero"`
	// How many machines may join with it; 0 for any number.
	MaxUses int `json:"max_uses,omitzero"`
	// What it is for, at most 200 characters.
	Description string `json:"description,omitzero"`
}

// A new machine.
type CreateMachineRequest struct {
	// 1 to 128 printable characters, unique without regard to case. It is required.
	Name string `json:"name"`
	// An IPv4 or IPv6 address or a host name. It is required.
	IPAddress string `json:"ip_address"`
	// An address or host name; may be left out.
	InternalAddress string `json:"internal_address,omitzero"`
	// The user to log in as: 1 to 32 characters of a Unix user name. It is required.
	User string `json:"user"`
	// At most 1024 bytes. It is sealed and never shown. A password or a private key is needed.
	Password string `json:"password,omitzero" secret:"true"`
	// What it is for. It is required.
	Role MachineRole `json:"role"`
	// A relative or absolute path of at most 1024 bytes without `..`; may be left out.
	ArtifactPath string `json:"artifact_path,omitzero"`
	// At most 512 characters; may be left out.
	ImageRepo string `json:"image_repo,omitzero"`
	// A host with an optional port; may be left out.
	RegistryAddress string `json:"registry_address,omitzero"`
	// Keys and values by the rules of Kubernetes labels; at most 64.
	Labels map[string]string `json:"labels,omitzero"`
	// The port of SSH; 22 when left out.
	SSHPort int `json:"ssh_port,omitzero"`
	// A private key as OpenSSH or PEM writes it, without a passphrase; at most 16 KiB. It is sealed and never shown. It is tried
	// before the password.
	PrivateKey string `json:"private_key,omitzero" secret:"true"`
	// The host key to expect, as OpenSSH writes it; the first one seen when left out.
	HostKey string `json:"host_key,omitzero"`
}

// String shows all but secrets.
func (value CreateMachineRequest) String() string {
	return withoutSecrets(value)
}

// A new user.
type CreateUserRequest struct {
	// 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard to case. It is required.
	Username string `json:"username"`
	// An e-mail address of at most 254 characters, unique without regard to case; may be left out.
	Email string `json:"email,omitzero"`
	// 8 to 256 bytes; well-known pairs of name and password are refused. It is required.
	Password string `json:"password" secret:"true"`
	// `admin`, `operator`, `user` or `readonly`; `user` when left out.
	Role string `json:"role,omitzero"`
}

// String shows all but secrets.
func (value CreateUserRequest) String() string {
	return withoutSecrets(value)
}

// Who wants what.
type CreateWebhookRequest struct {
	// `https://` or `http://`, at most 2,048 characters, without user and password. It is required.
	URL string `json:"url"`
	// Types of events, 1 to 64; `job.*` is all types of jobs, `*` is all. Those of the audit log are not sent. It is required.
	Events []string `json:"events"`
	// The secret of the signatures: 8 to 256 characters, or `whsec_` and 24 to 64 bytes in base64. A random one when empty.
	Secret string `json:"secret,omitzero"`
	// A note, at most 256 characters.
	Description string `json:"description,omitzero"`
	// Make it without sending events yet.
	Paused bool `json:"paused,omitzero"`
}

// It is done.
type DeleteMachineResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// It is done.
type DeleteUserResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// An event on its way to one subscriber.
type Delivery struct {
	// A UUID.
	ID string `json:"id"`
	// The webhook.
	WebhookID string `json:"webhook_id"`
	// The event, which is the `webhook-id` of every attempt.
	EventID string `json:"event_id"`
	// Its type.
	EventType string `json:"event_type"`
	// How it stands.
	Status DeliveryStatus `json:"status"`
	// How often it was tried.
	Attempts int `json:"attempts"`
	// The HTTP status of the last answer; 0 when there was none.
	ResponseStatus int `json:"response_status"`
	// Why the last attempt failed.
	Error string `json:"error"`
	// How long the last attempt took in milliseconds.
	DurationMs int `json:"duration_ms"`
	// When it was made.
	CreatedAt time.Time `json:"created_at"`
	// When it was tried last; null before.
	AttemptedAt time.Time `json:"attempted_at"`
	// When it is tried next; null when it is over.
	NextAttemptAt time.Time `json:"next_attempt_at"`
}

// How a delivery stands.
//
//   - empty: No filter.
//   - `pending`: It is still tried.
//   - `delivered`: It was answered with 2xx.
//   - `failed`: It was given up.
type DeliveryStatus string

// Words of [DeliveryStatus]. A newer server may have more.
const (
	DeliveryStatusUnspecified DeliveryStatus = ""
	DeliveryStatusPending     DeliveryStatus = "pending"
	DeliveryStatusDelivered   DeliveryStatus = "delivered"
	DeliveryStatusFailed      DeliveryStatus = "failed"
)

// A state to apply.
type DeployRequest struct {
	// Which minions; at most 1,024 characters. It is required.
	Target string `json:"target"`
	// The state, a dotted name of at most 256 characters. It is required.
	State string `json:"state"`
	// Only say what would change.
	Test bool `json:"test,omitzero"`
	// Pillar for this run.
	Pillar map[string]any `json:"pillar,omitzero"`
	// How `target` names minions.
	TargetType TargetType `json:"target_type,omitzero"`
	// Answer at once with the job's id.
	Async bool `json:"async,omitzero"`
	// How long to wait for results in seconds: 1 to 600, 300 when 0.
	TimeoutSeconds int `json:"timeout_seconds,omitzero"`
}

// What became of a state on its minions.
type Deployment struct {
	// Salt's id, 20 digits.
	JobID string `json:"job_id"`
	// The state.
	State string `json:"state"`
	// Which minions were asked for.
	Target string `json:"target"`
	// Every minion has answered.
	Complete bool `json:"complete"`
	// Every minion has answered, and every part of the state holds, or with `test` would.
	Success bool `json:"success"`
	// By minion.
	Results []MinionDeployment `json:"results"`
	// Minions that were asked for and have not answered; those of a list that do not exist are among them.
	Missing []string `json:"missing"`
}

// Empty is a type of the contract.
type Empty struct {
}

// Something that happened.
type Event struct {
	// Where it stands in the log: whoever has seen it goes on from here.
	Cursor string `json:"cursor"`
	// A UUID.
	ID string `json:"id"`
	// What happened, e.g. `claim.running`.
	Type string `json:"type"`
	// The kind of resource: `claim`, `node`, `host`, `gpu`, `job` or `audit`.
	Resource string `json:"resource"`
	// Which one.
	ResourceID string `json:"resource_id"`
	// When.
	Timestamp time.Time `json:"timestamp"`
	// What it is like now.
	Data map[string]any `json:"data"`
}

// A function to run.
type ExecuteRequest struct {
	// Which minions; at most 1,024 characters. It is required.
	Target string `json:"target"`
	// What to run, a function of the allow-list. It is required.
	Function string `json:"function"`
	// Its positional arguments, at most 64. A text like `name=value` is refused, for Salt takes it for a named argument. Whole
	// numbers are sent as integers.
	Args []any `json:"args,omitzero"`
	// Its named arguments. Names that begin with `__` are Salt's own and refused, and so is `localconfig` to functions of `state`.
	Kwargs map[string]any `json:"kwargs,omitzero"`
	// How `target` names minions.
	TargetType TargetType `json:"target_type,omitzero"`
	// Answer at once with the job's id.
	Async bool `json:"async,omitzero"`
	// How long to wait for results in seconds: 1 to 120, 30 when 0.
	TimeoutSeconds int `json:"timeout_seconds,omitzero"`
}

// A GPU.
type FleetGPU struct {
	// Its UUID; empty for those of Slurm, which does not tell.
	UUID string `json:"uuid"`
	// Its number on the node.
	Index int `json:"index"`
	// The product name, or the type as Slurm names it.
	Model string `json:"model"`
	// Memory in MiB; 0 when it is not known.
	MemoryMB int64 `json:"memory_mb"`
	// Who gives it away.
	Source GPUSource `json:"source"`
	// How it stands.
	Status GPUStatus `json:"status"`
	// The node's id; empty for those of Slurm.
	NodeID string `json:"node_id"`
	// The node's name.
	NodeName string `json:"node_name"`
	// The cluster of Slurm.
	Cluster string `json:"cluster"`
	// The claim that has it.
	ClaimID string `json:"claim_id"`
}

// What one GPU lacks.
type GPUExplanation struct {
	// The GPU's key.
	UUID string `json:"uuid"`
	// Index on the machine, for display.
	Index uint32 `json:"index"`
	// It could be given to the claim.
	Fits bool `json:"fits"`
	// Why not: `Allocated`, `Busy`, `ModelMismatch`, `InsufficientMemory` or `Faulty`; empty when it could.
	Reason string `json:"reason"`
}

// Readings of one GPU.
type GPUMetrics struct {
	// Index on the machine, for display.
	ID uint32 `json:"id"`
	// Degrees Celsius.
	TemperatureC int `json:"temperature_c"`
	// Memory in MiB.
	MemoryTotalMB int64 `json:"memory_total_mb"`
	// Memory in use in MiB.
	MemoryUsedMB int64 `json:"memory_used_mb"`
	// The product name; a simulated one says so.
	Name string `json:"name"`
	// The GPU's key.
	UUID string `json:"uuid"`
	// It is allocated, or a process that is not the agent's uses it, or its use is over the agent's threshold.
	Busy bool `json:"busy"`
	// Use of the GPU, 0 to 100.
	UsagePercent float64 `json:"usage_percent"`
	// Why the readings are missing; empty when they are there.
	Error string `json:"error"`
}

// Who gives a GPU away.
//
//   - empty: No filter.
//   - `agent`: Claims, on a node with an agent.
//   - `slurm`: Jobs of Slurm; claims do not get it.
type GPUSource string

// Words of [GPUSource]. A newer server may have more.
const (
	GPUSourceUnspecified GPUSource = ""
	GPUSourceAgent       GPUSource = "agent"
	GPUSourceSlurm       GPUSource = "slurm"
)

// How a GPU stands.
//
//   - empty: No filter.
//   - `free`: Nobody uses it.
//   - `allocated`: A claim or a job has it.
//   - `busy`: Somebody else uses it.
//   - `faulty`: It could not be read.
//   - `offline`: Its node is not reached.
type GPUStatus string

// Words of [GPUStatus]. A newer server may have more.
const (
	GPUStatusUnspecified GPUStatus = ""
	GPUStatusFree        GPUStatus = "free"
	GPUStatusAllocated   GPUStatus = "allocated"
	GPUStatusBusy        GPUStatus = "busy"
	GPUStatusFaulty      GPUStatus = "faulty"
	GPUStatusOffline     GPUStatus = "offline"
)

// Liveness.
type Health struct {
	// `healthy`; anything else is an error.
	Status string `json:"status"`
	// When this was found.
	Timestamp time.Time `json:"timestamp"`
}

// What a metric was.
type History struct {
	// Its name.
	Metric string `json:"metric"`
	// Its unit: `percent`, `bytes`, `bytes_per_second`, `celsius`, `watts`, `count` or empty.
	Unit string `json:"unit"`
	// Seconds of a step.
	Step int `json:"step"`
	// The steps, oldest first.
	Points []Point `json:"points"`
}

// A host.
type Host struct {
	// A UUID, the same as the node's.
	HostID string `json:"host_id"`
	// The name; the host name when none was given.
	Name string `json:"name"`
	// As the agent reports it; empty before.
	Hostname string `json:"hostname"`
	// As registered, else where its agent connects from.
	IPAddress string `json:"ip_address"`
	// `linux` or `windows`.
	OSType string `json:"os_type"`
	// Operating system with version.
	OSVersion string `json:"os_version"`
	// `traditional`, `container` or `kubernetes`.
	DeploymentMode string `json:"deployment_mode"`
	// Where it stands.
	Status HostStatus `json:"status"`
	// How it is.
	HealthStatus HostHealth `json:"health_status"`
	// Logical CPUs.
	TotalCPU int `json:"total_cpu"`
	// Of these in use, as last reported.
	UsedCPU float64 `json:"used_cpu"`
	// Bytes.
	TotalMemory int64 `json:"total_memory"`
	// Bytes in use, as last reported.
	UsedMemory int64 `json:"used_memory"`
	// Bytes.
	TotalDisk int64 `json:"total_disk"`
	// GPUs.
	TotalGPU int `json:"total_gpu"`
	// Of these allocated to claims, or in use as last reported.
	UsedGPU int `json:"used_gpu"`
	// The administrator's labels, over those of the agent.
	Labels map[string]string `json:"labels"`
	// When it was last heard of.
	LastHeartbeat time.Time `json:"last_heartbeat"`
	// When it was registered or enrolled.
	CreatedAt time.Time `json:"created_at"`
	// Its maintenance; null when it is in none.
	Maintenance *Maintenance `json:"maintenance"`
	// Whether an agent is connected.
	AgentConnected bool `json:"agent_connected"`
}

// A GPU of a host.
type HostGPU struct {
	// Its number on this host, from 1.
	GPUID int `json:"gpu_id"`
	// Its index on the machine, for display.
	GPUIndex int `json:"gpu_index"`
	// The product name; a simulated one says so.
	Name string `json:"name"`
	// Bytes.
	MemoryTotal int64 `json:"memory_total"`
	// What it is doing.
	Status HostGPUStatus `json:"status"`
	// The claim that has it; null when free.
	AllocatedTo *string `json:"allocated_to"`
	// Degrees Celsius; null when not known.
	Temperature *float64 `json:"temperature"`
	// Percent; null when not known.
	Utilization *float64 `json:"utilization"`
	// The GPU's key.
	UUID string `json:"uuid"`
	// Bytes in use; null when not known.
	MemoryUsed *int64 `json:"memory_used"`
}

// What a GPU is doing.
//
//   - `unknown`: Not known: the host is offline.
//   - `available`: Free.
//   - `allocated`: Allocated to a claim.
//   - `busy`: Used by something else.
//   - `error`: Not usable.
type HostGPUStatus string

// Words of [HostGPUStatus]. A newer server may have more.
const (
	HostGPUStatusUnknown   HostGPUStatus = "unknown"
	HostGPUStatusAvailable HostGPUStatus = "available"
	HostGPUStatusAllocated HostGPUStatus = "allocated"
	HostGPUStatusBusy      HostGPUStatus = "busy"
	HostGPUStatusError     HostGPUStatus = "error"
)

// How a host is.
//
//   - `unknown`: Nothing is known, or it is offline.
//   - `healthy`: Nothing is wrong.
//   - `degraded`: It works in part: a GPU is faulty, or it says so.
//   - `unhealthy`: Its container runtime cannot be reached, or it says so.
type HostHealth string

// Words of [HostHealth]. A newer server may have more.
const (
	HostHealthUnknown   HostHealth = "unknown"
	HostHealthHealthy   HostHealth = "healthy"
	HostHealthDegraded  HostHealth = "degraded"
	HostHealthUnhealthy HostHealth = "unhealthy"
)

// Where a host stands.
//
//   - empty: No filter.
//   - `online`: Connected, or heard of by heartbeats.
//   - `offline`: Not heard of.
//   - `maintenance`: In maintenance, connected or not.
type HostStatus string

// Words of [HostStatus]. A newer server may have more.
const (
	HostStatusUnspecified HostStatus = ""
	HostStatusOnline      HostStatus = "online"
	HostStatusOffline     HostStatus = "offline"
	HostStatusMaintenance HostStatus = "maintenance"
)

// A server of a user.
type HubServer struct {
	// Whose.
	Username string `json:"username"`
	// Its name; empty for the first.
	ServerName string `json:"server_name"`
	// How it stands.
	Status ServerStatus `json:"status"`
	// Its path at the hub's public address; empty while it does not run.
	URL string `json:"url"`
	// When it was started; null while it does not run.
	StartedAt time.Time `json:"started_at"`
	// When it was last used; null when never.
	LastActivity time.Time `json:"last_activity"`
}

// A user of the hub.
type HubUser struct {
	// The name.
	Username string `json:"username"`
	// Whether they administrate the hub.
	Admin bool `json:"admin"`
	// Their groups.
	Groups []string `json:"groups"`
	// Their servers as far as the hub knows them, the one without a name first.
	Servers []HubServer `json:"servers"`
	// When they were added.
	CreatedAt time.Time `json:"created_at"`
	// When they were last seen; null when never.
	LastActivity time.Time `json:"last_activity"`
}

// A job.
type Job struct {
	// Slurm's number, unique in its cluster.
	JobID int64 `json:"job_id"`
	// How it stands.
	Status JobStatus `json:"status"`
	// The partition.
	Partition string `json:"partition"`
	// The nodes it has or had.
	Nodes []string `json:"nodes"`
	// When it began to run; null before.
	StartTime time.Time `json:"start_time"`
	// How long it has run, as `HH:MM:SS` or `D-HH:MM:SS`.
	ElapsedTime string `json:"elapsed_time"`
	// The name.
	JobName string `json:"job_name"`
	// The cluster.
	Cluster string `json:"cluster"`
	// The Slurm user.
	User string `json:"user"`
	// When it was accepted.
	SubmitTime time.Time `json:"submit_time"`
	// When it ended; null before.
	EndTime time.Time `json:"end_time"`
	// The state in Slurm's word, e.g. `OUT_OF_MEMORY`.
	SlurmState string `json:"slurm_state"`
	// Why it waits or failed, in Slurm's word; empty for no reason. `ForgottenBySlurm` for a job that is lost.
	Reason string `json:"reason"`
	// Of the script when it has ended; 128 and the signal's number when a signal ended it.
	ExitCode int `json:"exit_code"`
	// CPUs that it has or asks for.
	CPUs int `json:"cpus"`
	// GPUs that it has or asks for, on all nodes.
	GPUs int `json:"gpus"`
	// Minutes; 0 for no limit.
	TimeLimitMinutes int `json:"time_limit_minutes"`
}

// How a job stands.
//
//   - empty: No filter; of a job: not known.
//   - `pending`: It waits, is held or is being prepared.
//   - `running`: It runs, is suspended or is being cleaned up.
//   - `completed`: It ended with exit code 0.
//   - `failed`: It ended otherwise, or its node did.
//   - `cancelled`: Somebody cancelled it, or it gave way to another.
//   - `timeout`: It reached its time limit or its deadline.
//   - `lost`: Slurm has forgotten it before anybody here saw it end; the rest is what was known last.
type JobStatus string

// Words of [JobStatus]. A newer server may have more.
const (
	JobStatusUnspecified JobStatus = ""
	JobStatusPending     JobStatus = "pending"
	JobStatusRunning     JobStatus = "running"
	JobStatusCompleted   JobStatus = "completed"
	JobStatusFailed      JobStatus = "failed"
	JobStatusCancelled   JobStatus = "cancelled"
	JobStatusTimeout     JobStatus = "timeout"
	JobStatusLost        JobStatus = "lost"
)

// A join token.
type JoinToken struct {
	// The token's id, not secret.
	ID string `json:"id"`
	// The token; only in the answer that made it.
	Token string `json:"token" secret:"true"`
	// The SHA-256 of the control plane's CA certificate, `sha256:<hex>`, which the agent pins.
	CaHash string `json:"ca_hash"`
	// The command that joins a machine; only in the answer that made the token.
	Command string `json:"command" secret:"true"`
	// When it expires.
	ExpiresAt time.Time `json:"expires_at"`
	// How many machines may join with it; 0 for any number.
	MaxUses int `json:"max_uses"`
	// How many have.
	Uses int `json:"uses"`
	// The one node it is for; empty for any.
	NodeID string `json:"node_id"`
	// What it is for.
	Description string `json:"description"`
}

// String shows all but secrets.
func (value JoinToken) String() string {
	return withoutSecrets(value)
}

// A user to add.
type JupyterHubCreateUserRequest struct {
	// The name, at most 64 characters: letters, digits, `-`, `_`, `.` and `@`. It is required.
	Username string `json:"username"`
	// Whether they administrate the hub.
	Admin bool `json:"admin,omitzero"`
}

// A page of users.
type JupyterHubListUsersResponse struct {
	// By name.
	Users []HubUser `json:"users"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Users on a page.
	Limit int `json:"limit"`
}

func (page *JupyterHubListUsersResponse) contents() ([]HubUser, int, int) {
	return page.Users, int(page.Page), int(page.Total)
}

// A page of API tokens.
type ListAPITokensResponse struct {
	// Newest first.
	Tokens []APIToken `json:"tokens"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Tokens on a page.
	Limit int `json:"limit"`
}

func (page *ListAPITokensResponse) contents() ([]APIToken, int, int) {
	return page.Tokens, int(page.Page), int(page.Total)
}

// A page of access keys.
type ListAccessKeysResponse struct {
	// Newest first.
	AccessKeys []AccessKey `json:"access_keys"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Keys on a page.
	Limit int `json:"limit"`
}

func (page *ListAccessKeysResponse) contents() ([]AccessKey, int, int) {
	return page.AccessKeys, int(page.Page), int(page.Total)
}

// A page of events.
type ListAuditEventsResponse struct {
	// Newest first.
	Events []AuditEvent `json:"events"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Events on a page.
	Limit int `json:"limit"`
}

func (page *ListAuditEventsResponse) contents() ([]AuditEvent, int, int) {
	return page.Events, int(page.Page), int(page.Total)
}

// All backends.
type ListBackendsResponse struct {
	// By kind and name.
	Backends []Backend `json:"backends"`
}

// A page of buckets.
type ListBucketsResponse struct {
	// By name.
	Buckets []Bucket `json:"buckets"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Buckets on a page.
	Limit int `json:"limit"`
	// What all buckets hold, on all pages.
	Usage *Usage `json:"usage"`
}

func (page *ListBucketsResponse) contents() ([]Bucket, int, int) {
	return page.Buckets, int(page.Page), int(page.Total)
}

// A page of claims.
type ListClaimsResponse struct {
	// Newest first.
	Claims []Claim `json:"claims"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Claims on a page.
	Limit int `json:"limit"`
}

func (page *ListClaimsResponse) contents() ([]Claim, int, int) {
	return page.Claims, int(page.Page), int(page.Total)
}

// All clusters.
type ListClustersResponse struct {
	// In the order of the settings.
	Clusters []Cluster `json:"clusters"`
}

// A page of deliveries.
type ListDeliveriesResponse struct {
	// Newest first.
	Deliveries []Delivery `json:"deliveries"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Deliveries on a page.
	Limit int `json:"limit"`
}

func (page *ListDeliveriesResponse) contents() ([]Delivery, int, int) {
	return page.Deliveries, int(page.Page), int(page.Total)
}

// A page of GPUs.
type ListGPUsResponse struct {
	// By node and index.
	GPUs []FleetGPU `json:"gpus"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// GPUs on a page.
	Limit int `json:"limit"`
	// Sources that could not be asked, each with its reason; their GPUs are missing.
	Warnings []string `json:"warnings"`
}

// A host's GPUs.
type ListHostGPUsResponse struct {
	// By index.
	Items []HostGPU `json:"items"`
}

// A page of hosts.
type ListHostsResponse struct {
	// By when they were registered or enrolled, then id.
	Items []Host `json:"items"`
	// Which page.
	Pagination *Pagination `json:"pagination"`
}

func (page *ListHostsResponse) contents() ([]Host, int, int) {
	if page.Pagination == nil {
		return page.Items, 0, 0
	}
	return page.Items, int(page.Pagination.Page), int(page.Pagination.Total)
}

// A page of jobs.
type ListJobsResponse struct {
	// Newest first.
	Jobs []Job `json:"jobs"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Jobs on a page.
	Limit int `json:"limit"`
}

func (page *ListJobsResponse) contents() ([]Job, int, int) {
	return page.Jobs, int(page.Page), int(page.Total)
}

// A page of join tokens.
type ListJoinTokensResponse struct {
	// Newest first.
	JoinTokens []JoinToken `json:"join_tokens"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Tokens on a page.
	Limit int `json:"limit"`
}

func (page *ListJoinTokensResponse) contents() ([]JoinToken, int, int) {
	return page.JoinTokens, int(page.Page), int(page.Total)
}

// A page of machines.
type ListMachinesResponse struct {
	// By when they were added, then id.
	Machines []Machine `json:"machines"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Machines on a page.
	Limit int `json:"limit"`
}

func (page *ListMachinesResponse) contents() ([]Machine, int, int) {
	return page.Machines, int(page.Page), int(page.Total)
}

// All metrics.
type ListMetricsResponse struct {
	// By name.
	Metrics []Metric `json:"metrics"`
}

// A page of minions.
type ListMinionsResponse struct {
	// By name, without all their grains.
	Minions []Minion `json:"minions"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Minions on a page.
	Limit int `json:"limit"`
}

func (page *ListMinionsResponse) contents() ([]Minion, int, int) {
	return page.Minions, int(page.Page), int(page.Total)
}

// A page of nodes.
type ListNodesResponse struct {
	// By host name, then id.
	Nodes []Node `json:"nodes"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Nodes on a page.
	Limit int `json:"limit"`
}

func (page *ListNodesResponse) contents() ([]Node, int, int) {
	return page.Nodes, int(page.Page), int(page.Total)
}

// All roles.
type ListRolesResponse struct {
	// The roles, by name.
	Roles []Role `json:"roles"`
}

// A page of users.
type ListUsersResponse struct {
	// By when they registered.
	Users []Account `json:"users"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Users on a page.
	Limit int `json:"limit"`
}

func (page *ListUsersResponse) contents() ([]Account, int, int) {
	return page.Users, int(page.Page), int(page.Total)
}

// A page of subscriptions.
type ListWebhooksResponse struct {
	// Newest first.
	Webhooks []Webhook `json:"webhooks"`
	// How many there are on all pages.
	Total int64 `json:"total"`
	// This page.
	Page int `json:"page"`
	// Webhooks on a page.
	Limit int `json:"limit"`
}

func (page *ListWebhooksResponse) contents() ([]Webhook, int, int) {
	return page.Webhooks, int(page.Page), int(page.Total)
}

// Something that a container wrote.
type LogEntry struct {
	// Where to.
	Stream LogStream `json:"stream"`
	// When.
	Time time.Time `json:"time"`
	// A line with its end, or a part of one that is longer than 16 KiB. What is not UTF-8 is replaced by U+FFFD.
	Text string `json:"text"`
}

// Where a container writes.
//
//   - empty: Not known.
//   - `stdout`: Its standard output.
//   - `stderr`: Its standard error.
type LogStream string

// Words of [LogStream]. A newer server may have more.
const (
	LogStreamUnspecified LogStream = ""
	LogStreamStdout      LogStream = "stdout"
	LogStreamStderr      LogStream = "stderr"
)

// Credentials.
type LoginRequest struct {
	// The user name. It is required.
	Username string `json:"username"`
	// The password. It is required.
	Password string `json:"password" secret:"true"`
}

// String shows all but secrets.
func (value LoginRequest) String() string {
	return withoutSecrets(value)
}

// A token and whom it stands for.
type LoginResponse struct {
	// A JWT for `Authorization: Bearer`.
	Token string `json:"token" secret:"true"`
	// The user.
	User *User `json:"user"`
}

// String shows all but secrets.
func (value LoginResponse) String() string {
	return withoutSecrets(value)
}

// It is done.
type LogoutResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// A machine.
type Machine struct {
	// A UUID.
	ID string `json:"id"`
	// The name.
	Name string `json:"name"`
	// Where SSH reaches it.
	IPAddress string `json:"ip_address"`
	// Its address inside the cluster's network; may be empty.
	InternalAddress string `json:"internal_address"`
	// The user to log in as.
	User string `json:"user"`
	// What it is for.
	Role MachineRole `json:"role"`
	// Where it stands.
	Status MachineStatus `json:"status"`
	// Why it stands so; may be empty.
	Message string `json:"message"`
	// A path below the artifact directory; may be empty.
	ArtifactPath string `json:"artifact_path"`
	// A repository of images; may be empty.
	ImageRepo string `json:"image_repo"`
	// A registry's host and port; may be empty.
	RegistryAddress string `json:"registry_address"`
	// Labels.
	Labels map[string]string `json:"labels"`
	// The port of SSH.
	SSHPort int `json:"ssh_port"`
	// The host key that is pinned, as OpenSSH writes it; empty before the first log-in.
	HostKey string `json:"host_key"`
	// Whether a password is kept.
	HasPassword bool `json:"has_password"`
	// Whether a private key is kept.
	HasPrivateKey bool `json:"has_private_key"`
	// When it was last checked.
	LastCheckedAt time.Time `json:"last_checked_at"`
	// When it was added.
	CreatedAt time.Time `json:"created_at"`
	// When it last changed.
	UpdatedAt time.Time `json:"updated_at"`
}

// What a machine is for.
//
//   - empty: No filter.
//   - `master`: Control plane of a cluster.
//   - `worker`: Worker of a cluster.
//   - `etcd`: etcd member.
//   - `registry`: Registry of images.
type MachineRole string

// Words of [MachineRole]. A newer server may have more.
const (
	MachineRoleUnspecified MachineRole = ""
	MachineRoleMaster      MachineRole = "master"
	MachineRoleWorker      MachineRole = "worker"
	MachineRoleEtcd        MachineRole = "etcd"
	MachineRoleRegistry    MachineRole = "registry"
)

// Where a machine stands.
//
//   - empty: No filter.
//   - `available`: It can be logged in to, and nobody uses it.
//   - `unavailable`: It cannot be logged in to; `message` says why.
//   - `maintenance`: Set aside by hand.
//   - `error`: Something went wrong with it.
//   - `in_use`: Member of a cluster.
//   - `deploying`: On its way into a cluster.
//   - `offline`: Not checked yet.
type MachineStatus string

// Words of [MachineStatus]. A newer server may have more.
const (
	MachineStatusUnspecified MachineStatus = ""
	MachineStatusAvailable   MachineStatus = "available"
	MachineStatusUnavailable MachineStatus = "unavailable"
	MachineStatusMaintenance MachineStatus = "maintenance"
	MachineStatusError       MachineStatus = "error"
	MachineStatusInUse       MachineStatus = "in_use"
	MachineStatusDeploying   MachineStatus = "deploying"
	MachineStatusOffline     MachineStatus = "offline"
)

// A host's maintenance.
type Maintenance struct {
	// Why.
	Reason string `json:"reason"`
	// What happens to its claims.
	Claims MaintenanceClaims `json:"claims"`
	// Since when.
	Since time.Time `json:"since"`
	// Claims that are still there: placed on the host, or with a container that is still being removed.
	RemainingClaims int `json:"remaining_claims"`
}

// What happens to the claims on a host in maintenance.
//
//   - empty: As MAINTENANCE_CLAIMS_KEEP.
//   - `keep`: They go on running.
//   - `move`: They are stopped there and placed elsewhere.
type MaintenanceClaims string

// Words of [MaintenanceClaims]. A newer server may have more.
const (
	MaintenanceClaimsUnspecified MaintenanceClaims = ""
	MaintenanceClaimsKeep        MaintenanceClaims = "keep"
	MaintenanceClaimsMove        MaintenanceClaims = "move"
)

// A metric.
type Metric struct {
	// Its name.
	Name string `json:"name"`
	// Its unit.
	Unit string `json:"unit"`
	// Whether each GPU has one.
	PerGPU bool `json:"per_gpu"`
	// What it is.
	Description string `json:"description"`
}

// A minion.
type Minion struct {
	// Its name.
	ID string `json:"id"`
	// Whether it answers.
	Status MinionStatus `json:"status"`
	// The operating system; empty when the minion was never heard of.
	OS string `json:"os"`
	// Its release.
	OSRelease string `json:"os_release"`
	// CPUs.
	CPUs int `json:"cpus"`
	// Memory in MiB.
	MemoryMB int64 `json:"memory_mb"`
	// IPv4 addresses.
	IPAddresses []string `json:"ip_addresses"`
	// The version of Salt on it.
	SaltVersion string `json:"salt_version"`
	// All grains; in lists empty.
	Grains map[string]any `json:"grains"`
}

// What became of a state on one minion.
type MinionDeployment struct {
	// The minion's name.
	Minion string `json:"minion"`
	// Every part of the state holds, or with `test` would.
	Success bool `json:"success"`
	// Its parts, in the order in which they ran.
	States []StateResult `json:"states"`
	// Why none ran, e.g. that there is no such state.
	Errors []string `json:"errors"`
}

// What a function did on one minion.
type MinionResult struct {
	// The minion's name.
	Minion string `json:"minion"`
	// It ended with return code 0, and no state of it failed.
	Success bool `json:"success"`
	// What the function returned.
	Result any `json:"result"`
	// The return code.
	ReturnCode int `json:"return_code"`
}

// Whether a minion answers.
//
//   - empty: No filter.
//   - `up`: It answers.
//   - `down`: It does not.
type MinionStatus string

// Words of [MinionStatus]. A newer server may have more.
const (
	MinionStatusUnspecified MinionStatus = ""
	MinionStatusUp          MinionStatus = "up"
	MinionStatusDown        MinionStatus = "down"
)

// Readings.
type MonitoringSystemMetrics struct {
	// Use of all cores together, 0 to 100.
	CPUUsage float64 `json:"cpu_usage"`
	// Memory in use, 0 to 100.
	MemoryUsage float64 `json:"memory_usage"`
	// Use of the file system that holds the agent's data, 0 to 100.
	DiskUsage float64 `json:"disk_usage"`
	// Bytes received per second on all interfaces but the loopback.
	NetworkIn float64 `json:"network_in"`
	// Bytes sent per second.
	NetworkOut float64 `json:"network_out"`
	// Use of the GPUs, 0 to 100.
	GPUUsage float64 `json:"gpu_usage"`
	// Memory in use of the GPUs, 0 to 100.
	GPUMemoryUsage float64 `json:"gpu_memory_usage"`
	// How many nodes were read.
	Nodes int `json:"nodes"`
	// How many GPUs were read.
	GPUs int `json:"gpus"`
	// When the answer was made.
	Timestamp time.Time `json:"timestamp"`
}

// A machine.
type Node struct {
	// A UUID, the same as the host's.
	ID string `json:"id"`
	// As the agent reports it.
	Hostname string `json:"hostname"`
	// Where it stands.
	Status NodeState `json:"status"`
	// The GPUs, by index.
	GPUs []NodeGPU `json:"gpus"`
	// Logical CPUs.
	CPUCount int `json:"cpu_count"`
	// Memory in MiB.
	MemoryMB int64 `json:"memory_mb"`
	// Operating system with version.
	OS string `json:"os"`
	// The kernel's release.
	Kernel string `json:"kernel"`
	// The agent's version.
	AgentVersion string `json:"agent_version"`
	// The container runtime with version; empty when it cannot be reached.
	Runtime string `json:"runtime"`
	// The agent's labels.
	Labels map[string]string `json:"labels"`
	// When it was last heard of.
	LastSeenAt time.Time `json:"last_seen_at"`
	// When it was announced or enrolled.
	CreatedAt time.Time `json:"created_at"`
	// Claims are not placed here for now: see HostService.
	InMaintenance bool `json:"in_maintenance"`
}

// What one node lacks.
type NodeExplanation struct {
	// The node's id.
	NodeID string `json:"node_id"`
	// Its host name.
	NodeName string `json:"node_name"`
	// The claim fits there now.
	Fits bool `json:"fits"`
	// Why it does not, a stable word: `NodeOffline`, `InsufficientGPUs`, `RuntimeUnavailable` and others; empty when it fits.
	Reason string `json:"reason"`
	// The same in a sentence.
	Message string `json:"message"`
	// Its GPUs, by index.
	GPUs []GPUExplanation `json:"gpus"`
}

// A GPU of a node.
type NodeGPU struct {
	// The GPU's key.
	UUID string `json:"uuid"`
	// Index on the machine, for display.
	Index uint32 `json:"index"`
	// The product name; a simulated one says so.
	Name string `json:"name"`
	// Memory in MiB.
	MemoryMB int64 `json:"memory_mb"`
	// The claim it is allocated to; empty when free.
	ClaimID string `json:"claim_id"`
	// Why it cannot be allocated although it is free; empty when it can.
	Unavailable string `json:"unavailable"`
}

// What happens to a claim when its node is lost.
//
//   - empty: As `keep`.
//   - `keep`: The claim waits for its node.
//   - `reschedule`: The claim is placed elsewhere after a time.
type NodeLossPolicy string

// Words of [NodeLossPolicy]. A newer server may have more.
const (
	NodeLossPolicyUnspecified NodeLossPolicy = ""
	NodeLossPolicyKeep        NodeLossPolicy = "keep"
	NodeLossPolicyReschedule  NodeLossPolicy = "reschedule"
)

// Readings of one machine.
type NodeMetrics struct {
	// The node; empty before the agent has enrolled.
	NodeID string `json:"node_id"`
	// Use of all cores together, 0 to 100.
	CPUUsagePercent float64 `json:"cpu_usage_percent"`
	// Memory in use, 0 to 100.
	MemoryUsagePercent float64 `json:"memory_usage_percent"`
	// The GPUs, by index.
	GPUs []GPUMetrics `json:"gpus"`
	// The machine.
	System *SystemMetrics `json:"system"`
}

// Where a node stands.
//
//   - empty: No filter.
//   - `Pending`: Announced, without authority.
//   - `Online`: Connected.
//   - `Offline`: Enrolled and not connected.
type NodeState string

// Words of [NodeState]. A newer server may have more.
const (
	NodeStateUnspecified NodeState = ""
	NodeStatePending     NodeState = "Pending"
	NodeStateOnline      NodeState = "Online"
	NodeStateOffline     NodeState = "Offline"
)

// Which page of how many.
type Pagination struct {
	// This page.
	Page int `json:"page"`
	// Hosts on a page.
	PageSize int `json:"page_size"`
	// Hosts on all pages.
	Total int64 `json:"total"`
	// How many pages; 0 without hosts.
	TotalPages int64 `json:"total_pages"`
}

// A step.
type Point struct {
	// Its beginning.
	Timestamp time.Time `json:"timestamp"`
	// The mean of what was measured in it.
	Value float64 `json:"value"`
}

// A port of a container made reachable on its machine.
type PortMapping struct {
	// Port on the machine, 1 to 65535; 0 lets the agent choose.
	HostPort int `json:"host_port"`
	// Port in the container, 1 to 65535.
	ContainerPort int `json:"container_port"`
	// `tcp` (also when empty) or `udp`.
	Protocol string `json:"protocol"`
}

// A port of a container made reachable on its machine.
type PortMappingInput struct {
	// Port on the machine, 1 to 65535; 0 lets the agent choose.
	HostPort int `json:"host_port,omitzero"`
	// Port in the container, 1 to 65535. It is required.
	ContainerPort int `json:"container_port"`
	// `tcp` (also when empty) or `udp`.
	Protocol string `json:"protocol,omitzero"`
}

// How far a start has come.
type Progress struct {
	// 0 to 100.
	Progress int `json:"progress"`
	// What is done, in the hub's words.
	Message string `json:"message"`
	// It can be used.
	Ready bool `json:"ready"`
	// It did not start.
	Failed bool `json:"failed"`
	// Its path at the hub's public address, when it is ready.
	URL string `json:"url"`
}

// A token to exchange.
type RefreshRequest struct {
	// The old token. It is required.
	Token string `json:"token" secret:"true"`
}

// String shows all but secrets.
func (value RefreshRequest) String() string {
	return withoutSecrets(value)
}

// A machine that announces itself.
type RegisterNodeRequest struct {
	// 1 to 253 characters of a host name. It is required.
	Hostname string `json:"hostname"`
	// A stable id of the machine, at most 128 characters. With it, registering again answers the same node while that is
	// `Pending`.
	MachineID string `json:"machine_id,omitzero"`
}

// The node that was announced.
type RegisterNodeResponse struct {
	// The node's id, a UUID.
	ID string `json:"id"`
}

// A new user.
type RegisterRequest struct {
	// 3 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. Unique without regard to case. It is required.
	Username string `json:"username"`
	// 8 to 256 bytes; well-known pairs of name and password are refused. It is required.
	Password string `json:"password" secret:"true"`
}

// String shows all but secrets.
func (value RegisterRequest) String() string {
	return withoutSecrets(value)
}

// How a host is doing.
type ReportHeartbeatRequest struct {
	// A hint.
	Status string `json:"status,omitzero"`
	// How it is.
	HealthStatus HostHealth `json:"health_status,omitzero"`
	// CPUs in use.
	UsedCPU float64 `json:"used_cpu,omitzero"`
	// Bytes in use.
	UsedMemory int64 `json:"used_memory,omitzero"`
	// GPUs in use.
	UsedGPU int `json:"used_gpu,omitzero"`
}

// How much of a machine a claim wants.
type Resources struct {
	// GPUs, 0 to 1024; 0 is a claim without GPUs.
	GPUCount int `json:"gpuCount"`
	// A part of the GPU's product name, compared without regard to case; any when empty.
	GPUModel string `json:"gpuModel"`
	// The least memory of each GPU in MiB; any when 0.
	GPUMemoryMB int64 `json:"gpuMemoryMb"`
	// Memory limit of the container in MiB; none when 0.
	MemoryMB int64 `json:"memoryMb"`
	// CPU limit of the container in cores; none when 0.
	CPUs float64 `json:"cpus"`
}

// How much of a machine a claim wants.
type ResourcesInput struct {
	// GPUs, 0 to 1024; 0 is a claim without GPUs.
	GPUCount int `json:"gpuCount,omitzero"`
	// A part of the GPU's product name, compared without regard to case; any when empty.
	GPUModel string `json:"gpuModel,omitzero"`
	// The least memory of each GPU in MiB; any when 0.
	GPUMemoryMB int64 `json:"gpuMemoryMb,omitzero"`
	// Memory limit of the container in MiB; none when 0.
	MemoryMB int64 `json:"memoryMb,omitzero"`
	// CPU limit of the container in cores; none when 0.
	CPUs float64 `json:"cpus,omitzero"`
}

// It is done.
type RevokeAPITokenResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// It is done.
type RevokeAccessKeyResponse struct {
	// A sentence.
	Message string `json:"message"`
}

// A role.
type Role struct {
	// The name.
	Name string `json:"name"`
	// What it allows.
	Policy *RolePolicy `json:"policy"`
}

// What a role allows. Both fields absent: no GPU at all.
type RolePolicy struct {
	// No limits.
	AllowAll bool `json:"allow_all"`
	// The most GPUs that all live claims of one user may ask for together. Ignored under `allow_all`.
	MaxGPUCount *int `json:"max_gpu_count"`
}

// What a role allows. Both fields absent: no GPU at all.
type RolePolicyInput struct {
	// No limits.
	AllowAll bool `json:"allow_all,omitzero"`
	// The most GPUs that all live claims of one user may ask for together. Ignored under `allow_all`.
	MaxGPUCount *int `json:"max_gpu_count,omitzero"`
}

// A job and its results.
type SaltJob struct {
	// Salt's id, 20 digits.
	JobID string `json:"job_id"`
	// The function.
	Function string `json:"function"`
	// Which minions were asked for.
	Target string `json:"target"`
	// Every minion has answered.
	Complete bool `json:"complete"`
	// Every minion has answered, and each with success.
	Success bool `json:"success"`
	// By minion.
	Results []MinionResult `json:"results"`
	// Minions that were asked for and have not answered; those of a list that do not exist are among them.
	Missing []string `json:"missing"`
	// When it began by the master's own clock, which tells no zone.
	StartTime string `json:"start_time"`
}

// How a server stands.
//
//   - `stopped`: It does not run.
//   - `starting`: It starts.
//   - `ready`: It can be used.
//   - `stopping`: It stops.
type ServerStatus string

// Words of [ServerStatus]. A newer server may have more.
const (
	ServerStatusStopped  ServerStatus = "stopped"
	ServerStatusStarting ServerStatus = "starting"
	ServerStatusReady    ServerStatus = "ready"
	ServerStatusStopping ServerStatus = "stopping"
)

// A token and whom it stands for.
type Session struct {
	// A JWT for `Authorization: Bearer`.
	Token string `json:"token" secret:"true"`
	// Seconds until it expires.
	ExpiresIn int64 `json:"expires_in"`
	// The user.
	User *Account `json:"user"`
}

// String shows all but secrets.
func (value Session) String() string {
	return withoutSecrets(value)
}

// A status to set.
type SetMachineStatusRequest struct {
	// `available`, `unavailable`, `maintenance` or `error`. It is required.
	Status MachineStatus `json:"status"`
	// Why, at most 500 characters.
	Message string `json:"message,omitzero"`
}

// A maintenance.
type SetMaintenanceRequest struct {
	// Why, at most 200 characters.
	Reason string `json:"reason,omitzero"`
	// What happens to the claims that are there; `keep` when left out.
	Claims MaintenanceClaims `json:"claims,omitzero"`
}

// Equal GPUs of a node.
type SlurmGPUs struct {
	// The type as Slurm names it; empty when it has none.
	Type string `json:"type"`
	// How many.
	Count int `json:"count"`
	// How many of them are in use.
	Used int `json:"used"`
}

// All nodes of a cluster.
type SlurmListNodesResponse struct {
	// By name.
	Nodes []SlurmNode `json:"nodes"`
}

// A node of Slurm.
type SlurmNode struct {
	// The name.
	Name string `json:"name"`
	// Slurm's word in lower case: `idle`, `mixed`, `allocated`, `down`, `drained` …
	State string `json:"state"`
	// CPUs.
	CPUs int `json:"cpus"`
	// Memory in GiB, rounded, with its unit.
	Memory string `json:"memory"`
	// The jobs on it.
	Jobs []int64 `json:"jobs"`
	// CPUs in use.
	AllocatedCPUs int `json:"allocated_cpus"`
	// Its GPUs.
	GPUs []SlurmGPUs `json:"gpus"`
	// Why it is down or drained.
	Reason string `json:"reason"`
	// The cluster.
	Cluster string `json:"cluster"`
}

// Which server.
type StartServerRequest struct {
	// Its name; the one without a name when empty.
	ServerName string `json:"server_name,omitzero"`
}

// One part of a state.
type StateResult struct {
	// Its id in the state.
	ID string `json:"id"`
	// The function, e.g. `file.managed`.
	Function string `json:"function"`
	// What it is about, e.g. a path.
	Name string `json:"name"`
	// It holds; with `test`, it would.
	Success bool `json:"success"`
	// It was changed, or with `test` would be.
	Changed bool `json:"changed"`
	// What was done.
	Comment string `json:"comment"`
	// What changed.
	Changes map[string]any `json:"changes"`
	// Milliseconds.
	DurationMs float64 `json:"duration_ms"`
}

// A batch job to submit.
type SubmitJobRequest struct {
	// The cluster's name.
	Cluster string `json:"cluster,omitzero"`
	// At most 128 characters; `job` when empty.
	JobName string `json:"job_name,omitzero"`
	// Slurm's default when empty.
	Partition string `json:"partition,omitzero"`
	// How many nodes; 1 when 0.
	Nodes int `json:"nodes,omitzero"`
	// How many tasks; Slurm's default when 0.
	Ntasks int `json:"ntasks,omitzero"`
	// The script with its `#!` line, at most 256 KiB, without NUL. It goes to Slurm as it is; nothing here runs it. It is
	// required.
	Script string `json:"script"`
	// CPUs of each task; Slurm's default when 0.
	CPUsPerTask int `json:"cpus_per_task,omitzero"`
	// Memory on each node in MiB; Slurm's default when 0.
	MemoryPerNodeMB int64 `json:"memory_per_node_mb,omitzero"`
	// GPUs on each node.
	GPUsPerNode int `json:"gpus_per_node,omitzero"`
	// The type of the GPUs as Slurm names it; any when empty.
	GPUType string `json:"gpu_type,omitzero"`
	// The longest it may run in minutes; the partition's when 0.
	TimeLimitMinutes int `json:"time_limit_minutes,omitzero"`
	// Where it runs, an absolute path on the nodes; `/tmp` when empty.
	WorkingDirectory string `json:"working_directory,omitzero"`
	// Environment; `PATH` has a default.
	Environment map[string]string `json:"environment,omitzero"`
	// Where its output goes, with Slurm's patterns, e.g. `%j`; in the working directory when empty.
	StandardOutput string `json:"standard_output,omitzero"`
	// Where its errors go; with the output when empty.
	StandardError string `json:"standard_error,omitzero"`
	// The account that pays; the user's default when empty.
	Account string `json:"account,omitzero"`
}

// A job that was accepted.
type SubmitJobResponse struct {
	// Slurm's number, unique in its cluster.
	JobID int64 `json:"job_id"`
	// How it stands.
	Status JobStatus `json:"status"`
	// When it was accepted.
	SubmitTime time.Time `json:"submit_time"`
	// Where.
	Cluster string `json:"cluster"`
}

// Readings of the machine apart from its GPUs.
type SystemMetrics struct {
	// Use of all cores together, 0 to 100.
	CPUUsagePercent float64 `json:"cpu_usage_percent"`
	// Memory in use, 0 to 100.
	MemoryUsagePercent float64 `json:"memory_usage_percent"`
	// Memory in MiB.
	MemoryTotalMB int64 `json:"memory_total_mb"`
	// Memory in use in MiB.
	MemoryUsedMB int64 `json:"memory_used_mb"`
	// Use of the file system that holds the agent's data, 0 to 100.
	DiskUsagePercent float64 `json:"disk_usage_percent"`
	// Mean number of runnable tasks over one minute.
	LoadAverage float64 `json:"load_average"`
	// Seconds since the machine started.
	Uptime int64 `json:"uptime"`
}

// How a target names minions.
//
//   - empty: As TARGET_TYPE_GLOB.
//   - `glob`: A shell pattern of names.
//   - `list`: Names, separated by commas.
//   - `grain`: A grain and a pattern of its value, `name:pattern`.
type TargetType string

// Words of [TargetType]. A newer server may have more.
const (
	TargetTypeUnspecified TargetType = ""
	TargetTypeGlob        TargetType = "glob"
	TargetTypeList        TargetType = "list"
	TargetTypeGrain       TargetType = "grain"
)

// A token for trying things out.
type TestToken struct {
	// A JWT for `Authorization: Bearer`.
	Token string `json:"token" secret:"true"`
}

// String shows all but secrets.
func (value TestToken) String() string {
	return withoutSecrets(value)
}

// What changes. Fields that are left out stay.
type UpdateHostRequest struct {
	// 1 to 128 printable characters, unique without regard to case.
	Name *string `json:"name,omitzero"`
	// All of the administrator's labels, an object of strings; it replaces the old ones.
	Labels map[string]any `json:"labels,omitzero"`
	// An IPv4 or IPv6 address; empty for none.
	IPAddress *string `json:"ip_address,omitzero"`
	// At most 128 characters.
	OSVersion *string `json:"os_version,omitzero"`
	// `traditional`, `container` or `kubernetes`.
	DeploymentMode *string `json:"deployment_mode,omitzero"`
}

// What becomes of a machine.
type UpdateMachineRequest struct {
	// 1 to 128 printable characters, unique without regard to case. It is required.
	Name string `json:"name"`
	// An IPv4 or IPv6 address or a host name. It is required.
	IPAddress string `json:"ip_address"`
	// An address or host name; may be left out.
	InternalAddress string `json:"internal_address,omitzero"`
	// The user to log in as. It is required.
	User string `json:"user"`
	// A new password; the old one stays when left out.
	Password string `json:"password,omitzero" secret:"true"`
	// What it is for. It is required.
	Role MachineRole `json:"role"`
	// A path of at most 1024 bytes without `..`; may be left out.
	ArtifactPath string `json:"artifact_path,omitzero"`
	// At most 512 characters; may be left out.
	ImageRepo string `json:"image_repo,omitzero"`
	// A host with an optional port; may be left out.
	RegistryAddress string `json:"registry_address,omitzero"`
	// Keys and values by the rules of Kubernetes labels; at most 64.
	Labels map[string]string `json:"labels,omitzero"`
	// The port of SSH; 22 when left out.
	SSHPort int `json:"ssh_port,omitzero"`
	// A new private key; the old one stays when left out.
	PrivateKey string `json:"private_key,omitzero" secret:"true"`
	// The host key to expect. When left out, the pinned one stays, unless address or port change: then the next one seen is
	// pinned.
	HostKey string `json:"host_key,omitzero"`
}

// String shows all but secrets.
func (value UpdateMachineRequest) String() string {
	return withoutSecrets(value)
}

// What changes.
type UpdateUserRequest struct {
	// The new e-mail address; empty for none.
	Email *string `json:"email,omitzero"`
	// The new role.
	Role *string `json:"role,omitzero"`
}

// What it is to be.
type UpdateWebhookRequest struct {
	// As of subscribing. It is required.
	URL string `json:"url"`
	// As of subscribing. It is required.
	Events []string `json:"events"`
	// The present one stays when empty.
	Secret string `json:"secret,omitzero"`
	// As of subscribing.
	Description string `json:"description,omitzero"`
	// Whether events are not sent. What happens meanwhile is not sent later.
	Paused bool `json:"paused,omitzero"`
}

// What is kept.
type Usage struct {
	// Buckets.
	Buckets int64 `json:"buckets"`
	// Objects.
	Objects int64 `json:"objects"`
	// Bytes of content.
	Bytes int64 `json:"bytes"`
}

// A person.
type User struct {
	// Integer id, ascending.
	ID int64 `json:"id"`
	// The user name.
	Username string `json:"username"`
	// `admin`, `operator`, `user` or `readonly`.
	Role string `json:"role"`
}

// A subscription.
type Webhook struct {
	// A UUID.
	ID string `json:"id"`
	// Where events are sent.
	URL string `json:"url"`
	// Which types; `job.*` is all types of jobs, `*` is all.
	Events []string `json:"events"`
	// Whether events are sent.
	Active bool `json:"active"`
	// A note.
	Description string `json:"description"`
	// When it was made.
	CreatedAt time.Time `json:"created_at"`
	// When it was changed.
	UpdatedAt time.Time `json:"updated_at"`
	// The secret of the signatures, in the answer to subscribing only.
	Secret string `json:"secret"`
}
