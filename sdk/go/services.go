// Code generated from the OpenAPI document by make sdk. DO NOT EDIT.

package aiinfra

import (
	"context"
	"iter"
	"time"
)

// Services are all services of the contract.
type Services struct {
	IAM        *IAMService
	Account    *AccountService
	Users      *UsersService
	APITokens  *APITokensService
	NodeAgent  *NodeAgentService
	Nodes      *NodesService
	JoinTokens *JoinTokensService
	Hosts      *HostsService
	Machines   *MachinesService
	Audit      *AuditService
	Claims     *ClaimsService
	Events     *EventsService
	JupyterHub *JupyterHubService
	Salt       *SaltService
	Webhooks   *WebhooksService
	Monitoring *MonitoringService
	Slurm      *SlurmService
	GPUs       *GPUsService
	Backends   *BackendsService
	AccessKeys *AccessKeysService
	Storage    *StorageService
}

func newServices(connection *connection) Services {
	return Services{
		IAM:        &IAMService{connection},
		Account:    &AccountService{connection},
		Users:      &UsersService{connection},
		APITokens:  &APITokensService{connection},
		NodeAgent:  &NodeAgentService{connection},
		Nodes:      &NodesService{connection},
		JoinTokens: &JoinTokensService{connection},
		Hosts:      &HostsService{connection},
		Machines:   &MachinesService{connection},
		Audit:      &AuditService{connection},
		Claims:     &ClaimsService{connection},
		Events:     &EventsService{connection},
		JupyterHub: &JupyterHubService{connection},
		Salt:       &SaltService{connection},
		Webhooks:   &WebhooksService{connection},
		Monitoring: &MonitoringService{connection},
		Slurm:      &SlurmService{connection},
		GPUs:       &GPUsService{connection},
		Backends:   &BackendsService{connection},
		AccessKeys: &AccessKeysService{connection},
		Storage:    &StorageService{connection},
	}
}

// IAMService has the operations of client.IAM.
type IAMService struct {
	connection *connection
}

// Register: registers a new user with the role user.
//
// Errors: ALREADY_EXISTS when the user name is taken; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *IAMService) Register(body RegisterRequest) (*User, error) {
	return service.RegisterContext(context.Background(), body)
}

// RegisterContext is [IAMService.Register] with a context.
func (service *IAMService) RegisterContext(ctx context.Context, body RegisterRequest) (*User, error) {
	var result User
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/auth/register", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Login: exchanges a user name and password for a bearer token, valid for 24 hours.
//
// Errors: UNAUTHENTICATED, alike for an unknown user and a wrong password; RESOURCE_EXHAUSTED (`LoginLocked`) after too many
// failures in a row.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *IAMService) Login(body LoginRequest) (*LoginResponse, error) {
	return service.LoginContext(context.Background(), body)
}

// LoginContext is [IAMService.Login] with a context.
func (service *IAMService) LoginContext(ctx context.Context, body LoginRequest) (*LoginResponse, error) {
	var result LoginResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/auth/login", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ListRoles: lists the roles and their policies.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *IAMService) ListRoles() (*ListRolesResponse, error) {
	return service.ListRolesContext(context.Background())
}

// ListRolesContext is [IAMService.ListRoles] with a context.
func (service *IAMService) ListRolesContext(ctx context.Context) (*ListRolesResponse, error) {
	var result ListRolesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/roles"}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SetRolePolicy: sets what a role allows; it holds for the next claim that is admitted.
//
// The policy of `admin` cannot be narrowed.
//
// Errors: NOT_FOUND for an unknown role; INVALID_ARGUMENT for a negative number.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *IAMService) SetRolePolicy(role string, body RolePolicyInput) (*Role, error) {
	return service.SetRolePolicyContext(context.Background(), role, body)
}

// SetRolePolicyContext is [IAMService.SetRolePolicy] with a context.
func (service *IAMService) SetRolePolicyContext(ctx context.Context, role string, body RolePolicyInput) (*Role, error) {
	var result Role
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/roles/{role}/policy", arguments: []any{role}, body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AccountService has the operations of client.Account.
type AccountService struct {
	connection *connection
}

// Login: exchanges a user name and password for a bearer token, valid for 24 hours.
//
// Errors: UNAUTHENTICATED (`InvalidCredentials`), alike for an unknown user and a wrong password; RESOURCE_EXHAUSTED
// (`LoginLocked`) after five failures in a row, for one second that doubles with each further failure up to 15 minutes.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *AccountService) Login(body AccountLoginRequest) (*Session, error) {
	return service.LoginContext(context.Background(), body)
}

// LoginContext is [AccountService.Login] with a context.
func (service *AccountService) LoginContext(ctx context.Context, body AccountLoginRequest) (*Session, error) {
	var result Session
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/auth/login", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Register: registers a new user.
//
// The role is `user`; only an administrator who is logged in may name another.
//
// Errors: ALREADY_EXISTS when the user name or the e-mail address is taken; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *AccountService) Register(body AccountRegisterRequest) (*Account, error) {
	return service.RegisterContext(context.Background(), body)
}

// RegisterContext is [AccountService.Register] with a context.
func (service *AccountService) RegisterContext(ctx context.Context, body AccountRegisterRequest) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/auth/register", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Refresh: exchanges a token, valid or expired for at most ten minutes, for a new one.
//
// The old one is revoked.
//
// Errors: UNAUTHENTICATED for any other token, one that was revoked or exchanged before included.
//
// Needs no credentials. Counts towards the general limit.
func (service *AccountService) Refresh(body RefreshRequest) (*Session, error) {
	return service.RefreshContext(context.Background(), body)
}

// RefreshContext is [AccountService.Refresh] with a context.
func (service *AccountService) RefreshContext(ctx context.Context, body RefreshRequest) (*Session, error) {
	var result Session
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/auth/refresh", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetProfile: the caller's own account.
//
// What another replica of the control plane changed shows within two seconds.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *AccountService) GetProfile() (*Account, error) {
	return service.GetProfileContext(context.Background())
}

// GetProfileContext is [AccountService.GetProfile] with a context.
func (service *AccountService) GetProfileContext(ctx context.Context) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/auth/profile", envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Logout: revokes the token it is called with.
//
// Errors: FAILED_PRECONDITION (`NotASession`) when called with an API token.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *AccountService) Logout() (*LogoutResponse, error) {
	return service.LogoutContext(context.Background())
}

// LogoutContext is [AccountService.Logout] with a context.
func (service *AccountService) LogoutContext(ctx context.Context) (*LogoutResponse, error) {
	var result LogoutResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/auth/logout", envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// CreateTestToken: a token of a plain user for trying things out.
//
// It exists only under the development flag.
//
// Errors: NOT_FOUND without the flag.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *AccountService) CreateTestToken() (*TestToken, error) {
	return service.CreateTestTokenContext(context.Background())
}

// CreateTestTokenContext is [AccountService.CreateTestToken] with a context.
func (service *AccountService) CreateTestTokenContext(ctx context.Context) (*TestToken, error) {
	var result TestToken
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/auth/token", envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// UsersService has the operations of client.Users.
type UsersService struct {
	connection *connection
}

// UsersListParams are what [UsersService.List] may be told. What is zero is not said.
type UsersListParams struct {
	// From 1.
	Page int `query:"page"`
	// Users on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
	// Only users with this role.
	Role string `query:"role"`
	// Only users whose name or e-mail address contains this, without regard to case.
	Search string `query:"search"`
}

// List: lists users in the order in which they registered.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *UsersService) List(params ...UsersListParams) (*ListUsersResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [UsersService.List] with a context.
func (service *UsersService) ListContext(ctx context.Context, params ...UsersListParams) (*ListUsersResponse, error) {
	var result ListUsersResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/users", params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [UsersService.List] gives in pages, fetched as it is consumed.
func (service *UsersService) All(params ...UsersListParams) iter.Seq2[Account, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [UsersService.All] with a context.
func (service *UsersService) AllContext(ctx context.Context, params ...UsersListParams) iter.Seq2[Account, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Account](func(number int) (*ListUsersResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: makes a user with any role.
//
// Errors: ALREADY_EXISTS when the user name or the e-mail address is taken; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *UsersService) Create(body CreateUserRequest) (*Account, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [UsersService.Create] with a context.
func (service *UsersService) CreateContext(ctx context.Context, body CreateUserRequest) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/users", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Get: one user.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *UsersService) Get(id string) (*Account, error) {
	return service.GetContext(context.Background(), id)
}

// GetContext is [UsersService.Get] with a context.
func (service *UsersService) GetContext(ctx context.Context, id string) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/users/{id}", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Update: changes the e-mail address or the role; what is left out stays.
//
// A changed role ends all of the user's sessions at once; API tokens go on with at most the new role.
//
// Errors: NOT_FOUND, also for anybody else's account unless an administrator calls; PERMISSION_DENIED (`OwnRole`) for another
// role of one's own; ALREADY_EXISTS (`EmailTaken`); FAILED_PRECONDITION (`LastAdministrator`).
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *UsersService) Update(id string, body UpdateUserRequest) (*Account, error) {
	return service.UpdateContext(context.Background(), id, body)
}

// UpdateContext is [UsersService.Update] with a context.
func (service *UsersService) UpdateContext(ctx context.Context, id string, body UpdateUserRequest) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/users/{id}", arguments: []any{id}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// UsersDeleteParams are what [UsersService.Delete] may be told. What is zero is not said.
type UsersDeleteParams struct {
	// Delete the user's live claims as well.
	Force bool `query:"force"`
}

// Delete: deletes a user.
//
// All of their sessions and API tokens end at once, and the user name is free again.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`LastAdministrator`; `UserHasClaims` while the user has live claims, unless `force`,
// which deletes these).
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *UsersService) Delete(id string, params ...UsersDeleteParams) (*DeleteUserResponse, error) {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [UsersService.Delete] with a context.
func (service *UsersService) DeleteContext(ctx context.Context, id string, params ...UsersDeleteParams) (*DeleteUserResponse, error) {
	var result DeleteUserResponse
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/users/{id}", arguments: []any{id}, params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ChangePassword: sets a new password, ends all of the user's sessions at once, and lifts a lock.
//
// An administrator needs no old one for somebody else. API tokens are not touched.
//
// Errors: NOT_FOUND; PERMISSION_DENIED when the old one is wrong (`WrongPassword`), or when called with an API token
// (`NotASession`); INVALID_ARGUMENT when the new one breaks its rule; RESOURCE_EXHAUSTED (`LoginLocked`) after too many
// failures in a row; FAILED_PRECONDITION (`UserChanged`) when somebody else changed the password meanwhile.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// limit of log-ins.
func (service *UsersService) ChangePassword(id string, body ChangePasswordRequest) (*ChangePasswordResponse, error) {
	return service.ChangePasswordContext(context.Background(), id, body)
}

// ChangePasswordContext is [UsersService.ChangePassword] with a context.
func (service *UsersService) ChangePasswordContext(ctx context.Context, id string, body ChangePasswordRequest) (*ChangePasswordResponse, error) {
	var result ChangePasswordResponse
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/users/{id}/password", arguments: []any{id}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Unlock: lifts the lock that too many failed log-ins put on a user.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *UsersService) Unlock(id string) (*Account, error) {
	return service.UnlockContext(context.Background(), id)
}

// UnlockContext is [UsersService.Unlock] with a context.
func (service *UsersService) UnlockContext(ctx context.Context, id string) (*Account, error) {
	var result Account
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/users/{id}/unlock", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// APITokensService has the operations of client.APITokens.
type APITokensService struct {
	connection *connection
}

// APITokensListParams are what [APITokensService.List] may be told. What is zero is not said.
type APITokensListParams struct {
	// From 1.
	Page int `query:"page"`
	// Tokens on a page: default 20, at most 100.
	Limit int `query:"limit"`
}

// List: lists API tokens that have not expired, without their secrets, newest first: the caller's, or for an administrator
// everybody's.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *APITokensService) List(params ...APITokensListParams) (*ListAPITokensResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [APITokensService.List] with a context.
func (service *APITokensService) ListContext(ctx context.Context, params ...APITokensListParams) (*ListAPITokensResponse, error) {
	var result ListAPITokensResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/tokens", params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [APITokensService.List] gives in pages, fetched as it is consumed.
func (service *APITokensService) All(params ...APITokensListParams) iter.Seq2[APIToken, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [APITokensService.All] with a context.
func (service *APITokensService) AllContext(ctx context.Context, params ...APITokensListParams) iter.Seq2[APIToken, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[APIToken](func(number int) (*ListAPITokensResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: makes an API token for the caller.
//
// The token is shown this once.
//
// Errors: ALREADY_EXISTS when the caller has a token of this name; INVALID_ARGUMENT when a field breaks its rule;
// PERMISSION_DENIED when the role is above the caller's (`RoleTooHigh`), or when called with an API token (`NotASession`);
// RESOURCE_EXHAUSTED (`TooManyApiTokens`) with 100 of them.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *APITokensService) Create(body CreateAPITokenRequest) (*APIToken, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [APITokensService.Create] with a context.
func (service *APITokensService) CreateContext(ctx context.Context, body CreateAPITokenRequest) (*APIToken, error) {
	var result APIToken
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/tokens", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Revoke: revokes an API token at once.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *APITokensService) Revoke(id string) (*RevokeAPITokenResponse, error) {
	return service.RevokeContext(context.Background(), id)
}

// RevokeContext is [APITokensService.Revoke] with a context.
func (service *APITokensService) RevokeContext(ctx context.Context, id string) (*RevokeAPITokenResponse, error) {
	var result RevokeAPITokenResponse
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/tokens/{id}", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodeAgentService has the operations of client.NodeAgent.
type NodeAgentService struct {
	connection *connection
}

// NodeAgentListContainersParams are what [NodeAgentService.ListContainers] may be told. What is zero is not said.
type NodeAgentListContainersParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
}

// ListContainers: lists the containers that the agent made, running or not, oldest first.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) ListContainers(params ...NodeAgentListContainersParams) ([]Container, error) {
	return service.ListContainersContext(context.Background(), params...)
}

// ListContainersContext is [NodeAgentService.ListContainers] with a context.
func (service *NodeAgentService) ListContainersContext(ctx context.Context, params ...NodeAgentListContainersParams) ([]Container, error) {
	return call[[]Container](ctx, service.connection, request{method: "GET", path: "/api/v1/containers", params: first(params)})
}

// CreateContainer: creates and starts a container.
//
// It answers when the container runs, after a pull if need be, which may take minutes. `claim_id` is the idempotency key: the
// same claim with the same specification answers the same container. Errors: ALREADY_EXISTS for the same claim with another
// specification; FAILED_PRECONDITION when GPUs are short, a port is taken, or the image cannot be pulled; INVALID_ARGUMENT;
// UNAVAILABLE when the container runtime cannot be reached.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) CreateContainer(body CreateContainerRequest) (*CreateContainerResponse, error) {
	return service.CreateContainerContext(context.Background(), body)
}

// CreateContainerContext is [NodeAgentService.CreateContainer] with a context.
func (service *NodeAgentService) CreateContainerContext(ctx context.Context, body CreateContainerRequest) (*CreateContainerResponse, error) {
	var result CreateContainerResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/containers", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ListContainersByNodeID: lists the containers that the agent made, running or not, oldest first.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) ListContainersByNodeID(nodeID string) ([]Container, error) {
	return service.ListContainersByNodeIDContext(context.Background(), nodeID)
}

// ListContainersByNodeIDContext is [NodeAgentService.ListContainersByNodeID] with a context.
func (service *NodeAgentService) ListContainersByNodeIDContext(ctx context.Context, nodeID string) ([]Container, error) {
	return call[[]Container](ctx, service.connection, request{method: "GET", path: "/api/nodes/{node_id}/containers", arguments: []any{nodeID}})
}

// CreateContainerByNodeID: creates and starts a container.
//
// It answers when the container runs, after a pull if need be, which may take minutes. `claim_id` is the idempotency key: the
// same claim with the same specification answers the same container. Errors: ALREADY_EXISTS for the same claim with another
// specification; FAILED_PRECONDITION when GPUs are short, a port is taken, or the image cannot be pulled; INVALID_ARGUMENT;
// UNAVAILABLE when the container runtime cannot be reached.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) CreateContainerByNodeID(nodeID string, body CreateContainerByNodeIDRequest) (*CreateContainerResponse, error) {
	return service.CreateContainerByNodeIDContext(context.Background(), nodeID, body)
}

// CreateContainerByNodeIDContext is [NodeAgentService.CreateContainerByNodeID] with a context.
func (service *NodeAgentService) CreateContainerByNodeIDContext(ctx context.Context, nodeID string, body CreateContainerByNodeIDRequest) (*CreateContainerResponse, error) {
	var result CreateContainerResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/nodes/{node_id}/containers", arguments: []any{nodeID}, body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodeAgentGetContainerParams are what [NodeAgentService.GetContainer] may be told. What is zero is not said.
type NodeAgentGetContainerParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
}

// GetContainer: one container that the agent made.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) GetContainer(id string, params ...NodeAgentGetContainerParams) (*Container, error) {
	return service.GetContainerContext(context.Background(), id, params...)
}

// GetContainerContext is [NodeAgentService.GetContainer] with a context.
func (service *NodeAgentService) GetContainerContext(ctx context.Context, id string, params ...NodeAgentGetContainerParams) (*Container, error) {
	var result Container
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/containers/{id}", arguments: []any{id}, params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodeAgentDeleteContainerParams are what [NodeAgentService.DeleteContainer] may be told. What is zero is not said.
type NodeAgentDeleteContainerParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// DeleteContainer: stops and removes a container that the agent made.
//
// Any other container is NOT_FOUND.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) DeleteContainer(id string, params ...NodeAgentDeleteContainerParams) error {
	return service.DeleteContainerContext(context.Background(), id, params...)
}

// DeleteContainerContext is [NodeAgentService.DeleteContainer] with a context.
func (service *NodeAgentService) DeleteContainerContext(ctx context.Context, id string, params ...NodeAgentDeleteContainerParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/containers/{id}", arguments: []any{id}, params: first(params)}, nil)
}

// GetContainerByNodeID: one container that the agent made.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) GetContainerByNodeID(nodeID string, id string) (*Container, error) {
	return service.GetContainerByNodeIDContext(context.Background(), nodeID, id)
}

// GetContainerByNodeIDContext is [NodeAgentService.GetContainerByNodeID] with a context.
func (service *NodeAgentService) GetContainerByNodeIDContext(ctx context.Context, nodeID string, id string) (*Container, error) {
	var result Container
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes/{node_id}/containers/{id}", arguments: []any{nodeID, id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodeAgentDeleteContainerByNodeIDParams are what [NodeAgentService.DeleteContainerByNodeID] may be told. What is zero is not said.
type NodeAgentDeleteContainerByNodeIDParams struct {
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// DeleteContainerByNodeID: stops and removes a container that the agent made.
//
// Any other container is NOT_FOUND.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) DeleteContainerByNodeID(nodeID string, id string, params ...NodeAgentDeleteContainerByNodeIDParams) error {
	return service.DeleteContainerByNodeIDContext(context.Background(), nodeID, id, params...)
}

// DeleteContainerByNodeIDContext is [NodeAgentService.DeleteContainerByNodeID] with a context.
func (service *NodeAgentService) DeleteContainerByNodeIDContext(ctx context.Context, nodeID string, id string, params ...NodeAgentDeleteContainerByNodeIDParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/nodes/{node_id}/containers/{id}", arguments: []any{nodeID, id}, params: first(params)}, nil)
}

// NodeAgentStreamContainerLogsParams are what [NodeAgentService.StreamContainerLogs] may be told. What is zero is not said.
type NodeAgentStreamContainerLogsParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
	// Send what the container writes from now on as well, until it ends.
	Follow bool `query:"follow"`
	// Only the last so many entries; all when 0.
	Tail int `query:"tail"`
	// Only what was written then or later.
	Since time.Time `query:"since"`
}

// StreamContainerLogs: sends what a container wrote to its standard output and error, oldest first; with follow until it ends.
//
// At most 16 at a time on one node. Errors: NOT_FOUND; FAILED_PRECONDITION (`LogsUnavailable`) where the container runtime
// keeps none; RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED (`ReaderTooSlow`) for who takes nothing for five minutes while there is
// more.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) StreamContainerLogs(id string, params ...NodeAgentStreamContainerLogsParams) iter.Seq2[LogEntry, error] {
	return service.StreamContainerLogsContext(context.Background(), id, params...)
}

// StreamContainerLogsContext is [NodeAgentService.StreamContainerLogs] with a context.
func (service *NodeAgentService) StreamContainerLogsContext(ctx context.Context, id string, params ...NodeAgentStreamContainerLogsParams) iter.Seq2[LogEntry, error] {
	return stream[LogEntry](ctx, service.connection, request{method: "GET", path: "/api/v1/containers/{id}/logs", arguments: []any{id}, params: first(params)})
}

// NodeAgentStreamContainerLogsByNodeIDParams are what [NodeAgentService.StreamContainerLogsByNodeID] may be told. What is zero is not said.
type NodeAgentStreamContainerLogsByNodeIDParams struct {
	// Send what the container writes from now on as well, until it ends.
	Follow bool `query:"follow"`
	// Only the last so many entries; all when 0.
	Tail int `query:"tail"`
	// Only what was written then or later.
	Since time.Time `query:"since"`
}

// StreamContainerLogsByNodeID: sends what a container wrote to its standard output and error, oldest first; with follow until
// it ends.
//
// At most 16 at a time on one node. Errors: NOT_FOUND; FAILED_PRECONDITION (`LogsUnavailable`) where the container runtime
// keeps none; RESOURCE_EXHAUSTED; DEADLINE_EXCEEDED (`ReaderTooSlow`) for who takes nothing for five minutes while there is
// more.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) StreamContainerLogsByNodeID(nodeID string, id string, params ...NodeAgentStreamContainerLogsByNodeIDParams) iter.Seq2[LogEntry, error] {
	return service.StreamContainerLogsByNodeIDContext(context.Background(), nodeID, id, params...)
}

// StreamContainerLogsByNodeIDContext is [NodeAgentService.StreamContainerLogsByNodeID] with a context.
func (service *NodeAgentService) StreamContainerLogsByNodeIDContext(ctx context.Context, nodeID string, id string, params ...NodeAgentStreamContainerLogsByNodeIDParams) iter.Seq2[LogEntry, error] {
	return stream[LogEntry](ctx, service.connection, request{method: "GET", path: "/api/nodes/{node_id}/containers/{id}/logs", arguments: []any{nodeID, id}, params: first(params)})
}

// NodeAgentGetMetricsParams are what [NodeAgentService.GetMetrics] may be told. What is zero is not said.
type NodeAgentGetMetricsParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
}

// GetMetrics: the node's readings, taken when asked.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *NodeAgentService) GetMetrics(params ...NodeAgentGetMetricsParams) (*NodeMetrics, error) {
	return service.GetMetricsContext(context.Background(), params...)
}

// GetMetricsContext is [NodeAgentService.GetMetrics] with a context.
func (service *NodeAgentService) GetMetricsContext(ctx context.Context, params ...NodeAgentGetMetricsParams) (*NodeMetrics, error) {
	var result NodeMetrics
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/metrics", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetMetricsByNodeID: the node's readings, taken when asked.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *NodeAgentService) GetMetricsByNodeID(nodeID string) (*NodeMetrics, error) {
	return service.GetMetricsByNodeIDContext(context.Background(), nodeID)
}

// GetMetricsByNodeIDContext is [NodeAgentService.GetMetricsByNodeID] with a context.
func (service *NodeAgentService) GetMetricsByNodeIDContext(ctx context.Context, nodeID string) (*NodeMetrics, error) {
	var result NodeMetrics
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes/{node_id}/metrics", arguments: []any{nodeID}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodeAgentGetHealthParams are what [NodeAgentService.GetHealth] may be told. What is zero is not said.
type NodeAgentGetHealthParams struct {
	// The node; see the method.
	NodeID string `query:"node_id"`
}

// GetHealth: liveness.
//
// Without `node_id`, of the process that answers; with it, of that node (a token is then needed).
//
// On an agent: UNAVAILABLE when the container runtime cannot be reached; a missing GPU is no fault.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs no credentials.
func (service *NodeAgentService) GetHealth(params ...NodeAgentGetHealthParams) (*Health, error) {
	return service.GetHealthContext(context.Background(), params...)
}

// GetHealthContext is [NodeAgentService.GetHealth] with a context.
func (service *NodeAgentService) GetHealthContext(ctx context.Context, params ...NodeAgentGetHealthParams) (*Health, error) {
	var result Health
	if err := service.connection.do(ctx, request{method: "GET", path: "/health", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetHealthByNodeID: liveness.
//
// Without `node_id`, of the process that answers; with it, of that node (a token is then needed).
//
// On an agent: UNAVAILABLE when the container runtime cannot be reached; a missing GPU is no fault.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs no credentials.
func (service *NodeAgentService) GetHealthByNodeID(nodeID string) (*Health, error) {
	return service.GetHealthByNodeIDContext(context.Background(), nodeID)
}

// GetHealthByNodeIDContext is [NodeAgentService.GetHealthByNodeID] with a context.
func (service *NodeAgentService) GetHealthByNodeIDContext(ctx context.Context, nodeID string) (*Health, error) {
	var result Health
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes/{node_id}/health", arguments: []any{nodeID}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodesService has the operations of client.Nodes.
type NodesService struct {
	connection *connection
}

// Register: announces a machine.
//
// It gives no authority: the node stays `Pending` until an agent enrols as it with a join token, and a pending node is
// forgotten after a day.
//
// Needs no credentials. Counts towards the limit of log-ins.
func (service *NodesService) Register(body RegisterNodeRequest) (*RegisterNodeResponse, error) {
	return service.RegisterContext(context.Background(), body)
}

// RegisterContext is [NodesService.Register] with a context.
func (service *NodesService) RegisterContext(ctx context.Context, body RegisterNodeRequest) (*RegisterNodeResponse, error) {
	var result RegisterNodeResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/nodes/register", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetStatus: the node's readings, asked of its agent over the link.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeNotOnline`); UNAVAILABLE or DEADLINE_EXCEEDED when the agent fails.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *NodesService) GetStatus(id string) (*NodeMetrics, error) {
	return service.GetStatusContext(context.Background(), id)
}

// GetStatusContext is [NodesService.GetStatus] with a context.
func (service *NodesService) GetStatusContext(ctx context.Context, id string) (*NodeMetrics, error) {
	var result NodeMetrics
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes/{id}/status", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodesListParams are what [NodesService.List] may be told. What is zero is not said.
type NodesListParams struct {
	// From 1.
	Page int `query:"page"`
	// Nodes on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
	// Only nodes in this state.
	Status NodeState `query:"status"`
}

// List: lists nodes by host name.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *NodesService) List(params ...NodesListParams) (*ListNodesResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [NodesService.List] with a context.
func (service *NodesService) ListContext(ctx context.Context, params ...NodesListParams) (*ListNodesResponse, error) {
	var result ListNodesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [NodesService.List] gives in pages, fetched as it is consumed.
func (service *NodesService) All(params ...NodesListParams) iter.Seq2[Node, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [NodesService.All] with a context.
func (service *NodesService) AllContext(ctx context.Context, params ...NodesListParams) iter.Seq2[Node, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Node](func(number int) (*ListNodesResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Get: one node.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *NodesService) Get(id string) (*Node, error) {
	return service.GetContext(context.Background(), id)
}

// GetContext is [NodesService.Get] with a context.
func (service *NodesService) GetContext(ctx context.Context, id string) (*Node, error) {
	var result Node
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes/{id}", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// NodesDeleteParams are what [NodesService.Delete] may be told. What is zero is not said.
type NodesDeleteParams struct {
	// Fail the live claims placed there.
	Force bool `query:"force"`
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// Delete: deletes a node: its certificates are refused from now on and its link is cut.
//
// Its containers are left as they are.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`, which fails
// them.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *NodesService) Delete(id string, params ...NodesDeleteParams) error {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [NodesService.Delete] with a context.
func (service *NodesService) DeleteContext(ctx context.Context, id string, params ...NodesDeleteParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/nodes/{id}", arguments: []any{id}, params: first(params)}, nil)
}

// Approve: approves a pending node: answers a join token that enrols this node only, once, within an hour.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION when the node is not `Pending`.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *NodesService) Approve(id string) (*JoinToken, error) {
	return service.ApproveContext(context.Background(), id)
}

// ApproveContext is [NodesService.Approve] with a context.
func (service *NodesService) ApproveContext(ctx context.Context, id string) (*JoinToken, error) {
	var result JoinToken
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/nodes/{id}/approve", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// JoinTokensService has the operations of client.JoinTokens.
type JoinTokensService struct {
	connection *connection
}

// JoinTokensListParams are what [JoinTokensService.List] may be told. What is zero is not said.
type JoinTokensListParams struct {
	// From 1.
	Page int `query:"page"`
	// Tokens on a page: default 20, at most 100.
	Limit int `query:"limit"`
}

// List: lists join tokens that can still be used, without their secrets, newest first.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *JoinTokensService) List(params ...JoinTokensListParams) (*ListJoinTokensResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [JoinTokensService.List] with a context.
func (service *JoinTokensService) ListContext(ctx context.Context, params ...JoinTokensListParams) (*ListJoinTokensResponse, error) {
	var result ListJoinTokensResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/join-tokens", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [JoinTokensService.List] gives in pages, fetched as it is consumed.
func (service *JoinTokensService) All(params ...JoinTokensListParams) iter.Seq2[JoinToken, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [JoinTokensService.All] with a context.
func (service *JoinTokensService) AllContext(ctx context.Context, params ...JoinTokensListParams) iter.Seq2[JoinToken, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[JoinToken](func(number int) (*ListJoinTokensResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: makes a join token.
//
// The token is shown this once.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *JoinTokensService) Create(body CreateJoinTokenRequest) (*JoinToken, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [JoinTokensService.Create] with a context.
func (service *JoinTokensService) CreateContext(ctx context.Context, body CreateJoinTokenRequest) (*JoinToken, error) {
	var result JoinToken
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/join-tokens", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// JoinTokensRevokeParams are what [JoinTokensService.Revoke] may be told. What is zero is not said.
type JoinTokensRevokeParams struct {
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// Revoke: revokes a join token.
//
// Nodes that joined with it stay.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *JoinTokensService) Revoke(id string, params ...JoinTokensRevokeParams) error {
	return service.RevokeContext(context.Background(), id, params...)
}

// RevokeContext is [JoinTokensService.Revoke] with a context.
func (service *JoinTokensService) RevokeContext(ctx context.Context, id string, params ...JoinTokensRevokeParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/join-tokens/{id}", arguments: []any{id}, params: first(params)}, nil)
}

// HostsService has the operations of client.Hosts.
type HostsService struct {
	connection *connection
}

// HostsListParams are what [HostsService.List] may be told. What is zero is not said.
type HostsListParams struct {
	// From 1.
	Page int `query:"page"`
	// Hosts on a page: default 20, at most 100.
	PageSize int `query:"page_size"`
	// The same as `page_size`.
	Limit int `query:"limit"`
	// Only hosts in this status.
	Status HostStatus `query:"status"`
	// Only hosts with this operating system.
	OSType string `query:"os_type"`
	// A label selector: `region=us-west,zone in (a,b),!retired`.
	Labels string `query:"labels"`
}

// List: lists hosts in the order in which they came, so that pages stay the same while others are added.
//
// Errors: INVALID_ARGUMENT for a label selector that cannot be read.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *HostsService) List(params ...HostsListParams) (*ListHostsResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [HostsService.List] with a context.
func (service *HostsService) ListContext(ctx context.Context, params ...HostsListParams) (*ListHostsResponse, error) {
	var result ListHostsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/hosts", params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [HostsService.List] gives in pages, fetched as it is consumed.
func (service *HostsService) All(params ...HostsListParams) iter.Seq2[Host, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [HostsService.All] with a context.
func (service *HostsService) AllContext(ctx context.Context, params ...HostsListParams) iter.Seq2[Host, error] {
	parameters := first(params)
	parameters.PageSize = pageSize
	return pages[Host](func(number int) (*ListHostsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: registers a host and answers its agent token, which is shown this once.
//
// The token serves heartbeats over REST, and can be exchanged once for the certificate of an agent.
//
// Errors: ALREADY_EXISTS when a host has this name; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) Create(body CreateHostRequest) (*CreateHostResponse, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [HostsService.Create] with a context.
func (service *HostsService) CreateContext(ctx context.Context, body CreateHostRequest) (*CreateHostResponse, error) {
	var result CreateHostResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/hosts", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Get: one host.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *HostsService) Get(hostID string) (*Host, error) {
	return service.GetContext(context.Background(), hostID)
}

// GetContext is [HostsService.Get] with a context.
func (service *HostsService) GetContext(ctx context.Context, hostID string) (*Host, error) {
	var result Host
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/hosts/{host_id}", arguments: []any{hostID}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Update: changes what is given; the rest stays.
//
// Errors: NOT_FOUND; ALREADY_EXISTS when another host has the name; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) Update(hostID string, body UpdateHostRequest) (*Host, error) {
	return service.UpdateContext(context.Background(), hostID, body)
}

// UpdateContext is [HostsService.Update] with a context.
func (service *HostsService) UpdateContext(ctx context.Context, hostID string, body UpdateHostRequest) (*Host, error) {
	var result Host
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/hosts/{host_id}", arguments: []any{hostID}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// HostsDeleteParams are what [HostsService.Delete] may be told. What is zero is not said.
type HostsDeleteParams struct {
	// Fail the live claims placed there.
	Force bool `query:"force"`
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// Delete: deletes a host: its agent token and its certificates are refused from now on and its link is cut.
//
// With `Prefer: return=representation` the answer is 200 with a body.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`, which fails
// them.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) Delete(hostID string, params ...HostsDeleteParams) error {
	return service.DeleteContext(context.Background(), hostID, params...)
}

// DeleteContext is [HostsService.Delete] with a context.
func (service *HostsService) DeleteContext(ctx context.Context, hostID string, params ...HostsDeleteParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/hosts/{host_id}", arguments: []any{hostID}, params: first(params)}, nil)
}

// ListGPUs: the host's GPUs, by index.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *HostsService) ListGPUs(hostID string) (*ListHostGPUsResponse, error) {
	return service.ListGPUsContext(context.Background(), hostID)
}

// ListGPUsContext is [HostsService.ListGPUs] with a context.
func (service *HostsService) ListGPUsContext(ctx context.Context, hostID string) (*ListHostGPUsResponse, error) {
	var result ListHostGPUsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/hosts/{host_id}/gpus", arguments: []any{hostID}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ReportHeartbeat: the heartbeat of a host that has no agent on the link.
//
// `status` is a hint: the server derives it, and maintenance stays.
//
// Errors: PERMISSION_DENIED with another host's token.
//
// Needs the agent token of the host.
func (service *HostsService) ReportHeartbeat(hostID string, body ReportHeartbeatRequest) (*Empty, error) {
	return service.ReportHeartbeatContext(context.Background(), hostID, body)
}

// ReportHeartbeatContext is [HostsService.ReportHeartbeat] with a context.
func (service *HostsService) ReportHeartbeatContext(ctx context.Context, hostID string, body ReportHeartbeatRequest) (*Empty, error) {
	var result Empty
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/hosts/{host_id}/heartbeat", arguments: []any{hostID}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// RotateAgentToken: makes a new agent token, which is shown this once.
//
// The old one is refused from now on; an agent with a certificate stays.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) RotateAgentToken(hostID string) (*CreateHostResponse, error) {
	return service.RotateAgentTokenContext(context.Background(), hostID)
}

// RotateAgentTokenContext is [HostsService.RotateAgentToken] with a context.
func (service *HostsService) RotateAgentTokenContext(ctx context.Context, hostID string) (*CreateHostResponse, error) {
	var result CreateHostResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/hosts/{host_id}/agent-token", arguments: []any{hostID}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SetMaintenance: puts a host into maintenance: no new claims are placed there.
//
// Those that are there stay, or are moved to other hosts. Calling it again changes reason and choice.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) SetMaintenance(hostID string, body SetMaintenanceRequest) (*Host, error) {
	return service.SetMaintenanceContext(context.Background(), hostID, body)
}

// SetMaintenanceContext is [HostsService.SetMaintenance] with a context.
func (service *HostsService) SetMaintenanceContext(ctx context.Context, hostID string, body SetMaintenanceRequest) (*Host, error) {
	var result Host
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/hosts/{host_id}/maintenance", arguments: []any{hostID}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// EndMaintenance: ends a host's maintenance; nothing changes when it is in none.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) EndMaintenance(hostID string) (*Host, error) {
	return service.EndMaintenanceContext(context.Background(), hostID)
}

// EndMaintenanceContext is [HostsService.EndMaintenance] with a context.
func (service *HostsService) EndMaintenanceContext(ctx context.Context, hostID string) (*Host, error) {
	var result Host
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/hosts/{host_id}/maintenance", arguments: []any{hostID}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// MachinesService has the operations of client.Machines.
type MachinesService struct {
	connection *connection
}

// MachinesListParams are what [MachinesService.List] may be told. What is zero is not said.
type MachinesListParams struct {
	// From 1.
	Page int `query:"page"`
	// Machines on a page: default 10, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
	// Only machines in this status.
	Status MachineStatus `query:"status"`
	// Only machines for this.
	Role MachineRole `query:"role"`
	// A label selector: `rack=rack1,!old`.
	Labels string `query:"labels"`
}

// List: lists machines in the order in which they were added.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *MachinesService) List(params ...MachinesListParams) (*ListMachinesResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [MachinesService.List] with a context.
func (service *MachinesService) ListContext(ctx context.Context, params ...MachinesListParams) (*ListMachinesResponse, error) {
	var result ListMachinesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/machines", params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [MachinesService.List] gives in pages, fetched as it is consumed.
func (service *MachinesService) All(params ...MachinesListParams) iter.Seq2[Machine, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [MachinesService.All] with a context.
func (service *MachinesService) AllContext(ctx context.Context, params ...MachinesListParams) iter.Seq2[Machine, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Machine](func(number int) (*ListMachinesResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: adds a machine.
//
// Whether it can be reached is checked soon after.
//
// Errors: ALREADY_EXISTS when a machine has this name, or this address and port; INVALID_ARGUMENT when a field breaks its rule.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *MachinesService) Create(body CreateMachineRequest) (*Machine, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [MachinesService.Create] with a context.
func (service *MachinesService) CreateContext(ctx context.Context, body CreateMachineRequest) (*Machine, error) {
	var result Machine
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/machines", body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Get: one machine.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *MachinesService) Get(id string) (*Machine, error) {
	return service.GetContext(context.Background(), id)
}

// GetContext is [MachinesService.Get] with a context.
func (service *MachinesService) GetContext(ctx context.Context, id string) (*Machine, error) {
	var result Machine
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/machines/{id}", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Update: replaces what is known of a machine.
//
// Password and private key stay when they are left out. When the address, the port, the user or a credential changes, it is
// checked anew.
//
// Errors: as of adding; NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *MachinesService) Update(id string, body UpdateMachineRequest) (*Machine, error) {
	return service.UpdateContext(context.Background(), id, body)
}

// UpdateContext is [MachinesService.Update] with a context.
func (service *MachinesService) UpdateContext(ctx context.Context, id string, body UpdateMachineRequest) (*Machine, error) {
	var result Machine
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/machines/{id}", arguments: []any{id}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Delete: deletes a machine with its credentials.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`MachineInUse`) while it is `in_use` or `deploying`.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *MachinesService) Delete(id string) (*DeleteMachineResponse, error) {
	return service.DeleteContext(context.Background(), id)
}

// DeleteContext is [MachinesService.Delete] with a context.
func (service *MachinesService) DeleteContext(ctx context.Context, id string) (*DeleteMachineResponse, error) {
	var result DeleteMachineResponse
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/machines/{id}", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SetStatus: sets the status by hand.
//
// The next check takes `available`, `unavailable` and `error` back to what it finds; `maintenance` stays.
//
// Errors: NOT_FOUND; INVALID_ARGUMENT for a status that is not set by hand; FAILED_PRECONDITION (`MachineInUse`) while it is
// `in_use` or `deploying`.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *MachinesService) SetStatus(id string, body SetMachineStatusRequest) (*Machine, error) {
	return service.SetStatusContext(context.Background(), id, body)
}

// SetStatusContext is [MachinesService.SetStatus] with a context.
func (service *MachinesService) SetStatusContext(ctx context.Context, id string, body SetMachineStatusRequest) (*Machine, error) {
	var result Machine
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/v1/machines/{id}/status", arguments: []any{id}, body: body, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Check: checks now whether the machine can be reached and logged in to over SSH, and answers what was found in status and
// message.
//
// The host key seen at the first log-in is pinned.
//
// Errors: NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *MachinesService) Check(id string) (*Machine, error) {
	return service.CheckContext(context.Background(), id)
}

// CheckContext is [MachinesService.Check] with a context.
func (service *MachinesService) CheckContext(ctx context.Context, id string) (*Machine, error) {
	var result Machine
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/v1/machines/{id}/check", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AuditService has the operations of client.Audit.
type AuditService struct {
	connection *connection
}

// AuditListEventsParams are what [AuditService.ListEvents] may be told. What is zero is not said.
type AuditListEventsParams struct {
	// From 1.
	Page int `query:"page"`
	// Events on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
	// Only events of this kind of resource, e.g. `claim`.
	EventType string `query:"event_type"`
	// Only this action, e.g. `CreateClaim`.
	Action string `query:"action"`
	// Only events of this user name.
	User string `query:"user"`
	// Only events with this result.
	Result AuditResult `query:"result"`
	// Only events of this resource.
	ResourceID string `query:"resource_id"`
	// Only events from then on.
	StartTime time.Time `query:"start_time"`
	// Only events before then.
	EndTime time.Time `query:"end_time"`
}

// ListEvents: lists events, newest first.
//
// Errors: INVALID_ARGUMENT when `start_time` is not before `end_time`.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *AuditService) ListEvents(params ...AuditListEventsParams) (*ListAuditEventsResponse, error) {
	return service.ListEventsContext(context.Background(), params...)
}

// ListEventsContext is [AuditService.ListEvents] with a context.
func (service *AuditService) ListEventsContext(ctx context.Context, params ...AuditListEventsParams) (*ListAuditEventsResponse, error) {
	var result ListAuditEventsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/audit", params: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllEvents gives all of what [AuditService.ListEvents] gives in pages, fetched as it is consumed.
func (service *AuditService) AllEvents(params ...AuditListEventsParams) iter.Seq2[AuditEvent, error] {
	return service.AllEventsContext(context.Background(), params...)
}

// AllEventsContext is [AuditService.AllEvents] with a context.
func (service *AuditService) AllEventsContext(ctx context.Context, params ...AuditListEventsParams) iter.Seq2[AuditEvent, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[AuditEvent](func(number int) (*ListAuditEventsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListEventsContext(ctx, parameters)
	})
}

// GetEvent: one event.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *AuditService) GetEvent(id string) (*AuditEvent, error) {
	return service.GetEventContext(context.Background(), id)
}

// GetEventContext is [AuditService.GetEvent] with a context.
func (service *AuditService) GetEventContext(ctx context.Context, id string) (*AuditEvent, error) {
	var result AuditEvent
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/audit/{id}", arguments: []any{id}, envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AuditExportChainParams are what [AuditService.ExportChain] may be told. What is zero is not said.
type AuditExportChainParams struct {
	// Links after this sequence only.
	AfterSequence int64 `query:"after_sequence"`
}

// ExportChain: the links of the chain, oldest first, up to the newest at the time of the call.
//
// With them anybody can prove the chain: each hash is the SHA-256 of the hash before, as lower-case hex, and the payload.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *AuditService) ExportChain(params ...AuditExportChainParams) iter.Seq2[AuditLink, error] {
	return service.ExportChainContext(context.Background(), params...)
}

// ExportChainContext is [AuditService.ExportChain] with a context.
func (service *AuditService) ExportChainContext(ctx context.Context, params ...AuditExportChainParams) iter.Seq2[AuditLink, error] {
	return stream[AuditLink](ctx, service.connection, request{method: "GET", path: "/api/v1/audit/chain", params: first(params)})
}

// ClaimsService has the operations of client.Claims.
type ClaimsService struct {
	connection *connection
}

// ClaimsListParams are what [ClaimsService.List] may be told. What is zero is not said.
type ClaimsListParams struct {
	// From 1.
	Page int `query:"page"`
	// Claims on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
	// Only claims in this phase.
	Phase ClaimPhase `query:"phase"`
}

// List: lists claims, newest first.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *ClaimsService) List(params ...ClaimsListParams) (*ListClaimsResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [ClaimsService.List] with a context.
func (service *ClaimsService) ListContext(ctx context.Context, params ...ClaimsListParams) (*ListClaimsResponse, error) {
	var result ListClaimsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/gpu-claims", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [ClaimsService.List] gives in pages, fetched as it is consumed.
func (service *ClaimsService) All(params ...ClaimsListParams) iter.Seq2[Claim, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [ClaimsService.All] with a context.
func (service *ClaimsService) AllContext(ctx context.Context, params ...ClaimsListParams) iter.Seq2[Claim, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Claim](func(number int) (*ListClaimsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: accepts a claim.
//
// It is placed and started in the background.
//
// Errors: PERMISSION_DENIED (`QuotaExceeded`) when the user's live claims and this one exceed the role's policy;
// INVALID_ARGUMENT. A claim for which no machine has room is accepted and stays `Pending`.
//
// Needs the role `user`, `operator` or `admin`. Counts towards the general limit.
func (service *ClaimsService) Create(body CreateClaimRequest) (*Claim, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [ClaimsService.Create] with a context.
func (service *ClaimsService) CreateContext(ctx context.Context, body CreateClaimRequest) (*Claim, error) {
	body.RequestID = orNewKey(body.RequestID)
	var result Claim
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/gpu-claims", body: body, keyed: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Get: one claim.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *ClaimsService) Get(id string) (*Claim, error) {
	return service.GetContext(context.Background(), id)
}

// GetContext is [ClaimsService.Get] with a context.
func (service *ClaimsService) GetContext(ctx context.Context, id string) (*Claim, error) {
	var result Claim
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/gpu-claims/{id}", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ClaimsDeleteParams are what [ClaimsService.Delete] may be told. What is zero is not said.
type ClaimsDeleteParams struct {
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// Delete: deletes a claim.
//
// It is gone at once for its owner; its container is removed in the background, or, when its node is offline, as soon as that
// returns. Its GPUs are free when the container is gone.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *ClaimsService) Delete(id string, params ...ClaimsDeleteParams) error {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [ClaimsService.Delete] with a context.
func (service *ClaimsService) DeleteContext(ctx context.Context, id string, params ...ClaimsDeleteParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/gpu-claims/{id}", arguments: []any{id}, params: first(params)}, nil)
}

// Explain: says why a claim waits: its place in the queue, and what each node and GPU lacks.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *ClaimsService) Explain(id string) (*ClaimExplanation, error) {
	return service.ExplainContext(context.Background(), id)
}

// ExplainContext is [ClaimsService.Explain] with a context.
func (service *ClaimsService) ExplainContext(ctx context.Context, id string) (*ClaimExplanation, error) {
	var result ClaimExplanation
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/gpu-claims/{id}/explain", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Watch: sends the claim now and after each change, until it has ended or is deleted.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *ClaimsService) Watch(id string) iter.Seq2[Claim, error] {
	return service.WatchContext(context.Background(), id)
}

// WatchContext is [ClaimsService.Watch] with a context.
func (service *ClaimsService) WatchContext(ctx context.Context, id string) iter.Seq2[Claim, error] {
	return stream[Claim](ctx, service.connection, request{method: "GET", path: "/api/gpu-claims/{id}/watch", arguments: []any{id}})
}

// ClaimsStreamLogsParams are what [ClaimsService.StreamLogs] may be told. What is zero is not said.
type ClaimsStreamLogsParams struct {
	// Send what the container writes from now on as well, until it ends.
	Follow bool `query:"follow"`
	// Only the last so many entries; all when 0.
	Tail int `query:"tail"`
	// Only what was written then or later.
	Since time.Time `query:"since"`
}

// StreamLogs: sends what the claim's container wrote to its standard output and error, oldest first; with follow until it ends.
//
// A container's logs go with it: a claim that is placed anew has those of its new container only.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NoContainer`) while the claim has none, (`NodeNotOnline`); and as of
// NodeAgentService.StreamContainerLogs.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *ClaimsService) StreamLogs(id string, params ...ClaimsStreamLogsParams) iter.Seq2[LogEntry, error] {
	return service.StreamLogsContext(context.Background(), id, params...)
}

// StreamLogsContext is [ClaimsService.StreamLogs] with a context.
func (service *ClaimsService) StreamLogsContext(ctx context.Context, id string, params ...ClaimsStreamLogsParams) iter.Seq2[LogEntry, error] {
	return stream[LogEntry](ctx, service.connection, request{method: "GET", path: "/api/gpu-claims/{id}/logs", arguments: []any{id}, params: first(params)})
}

// EventsService has the operations of client.Events.
type EventsService struct {
	connection *connection
}

// EventsWatchParams are what [EventsService.Watch] may be told. What is zero is not said.
type EventsWatchParams struct {
	// Events after this one, by its `cursor`; only those that come when empty; from the oldest that is kept for `0`. A cursor that
	// comes from watching without the audit log is at the end of that.
	Cursor string `query:"cursor"`
	// Only these types; `claim.*` is all types of claims. All when empty, and for `*`, but those of the audit log, which begin
	// with `audit.`.
	Types []string `query:"types"`
	// Only events of this resource, by its id.
	ResourceID string `query:"resource_id"`
	// End when nothing more is there.
	Once bool `query:"once"`
	// The `id` of the last event that was seen; it wins over the parameter.
	LastEventID string `header:"Last-Event-ID"`
}

// Watch: sends events from a cursor on, and those that come.
//
// The first message, and one for every half minute in which there is nothing to tell, is a bookmark: an event of type
// `bookmark` that has only a cursor. People see events of their own claims and jobs, and of nodes and hosts; operators and
// administrators see all. What is written to the audit log is told as `audit.<resource>` to administrators who name such types;
// it has its own place in the cursor, and within a second of time it may come before or after what it tells of.
//
// Errors: PERMISSION_DENIED (`AdministratorsOnly`) for types of the audit log; OUT_OF_RANGE (`CursorExpired`) when events after
// the cursor are gone already: list what is watched, and begin anew.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *EventsService) Watch(params ...EventsWatchParams) iter.Seq2[Event, error] {
	return service.WatchContext(context.Background(), params...)
}

// WatchContext is [EventsService.Watch] with a context.
func (service *EventsService) WatchContext(ctx context.Context, params ...EventsWatchParams) iter.Seq2[Event, error] {
	return stream[Event](ctx, service.connection, request{method: "GET", path: "/api/events", params: first(params), resumable: true})
}

// JupyterHubService has the operations of client.JupyterHub.
type JupyterHubService struct {
	connection *connection
}

// JupyterHubListUsersParams are what [JupyterHubService.ListUsers] may be told. What is zero is not said.
type JupyterHubListUsersParams struct {
	// From 1.
	Page int `query:"page"`
	// Users on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// ListUsers: lists the hub's users by name.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *JupyterHubService) ListUsers(params ...JupyterHubListUsersParams) (*JupyterHubListUsersResponse, error) {
	return service.ListUsersContext(context.Background(), params...)
}

// ListUsersContext is [JupyterHubService.ListUsers] with a context.
func (service *JupyterHubService) ListUsersContext(ctx context.Context, params ...JupyterHubListUsersParams) (*JupyterHubListUsersResponse, error) {
	var result JupyterHubListUsersResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/jupyterhub/users", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllUsers gives all of what [JupyterHubService.ListUsers] gives in pages, fetched as it is consumed.
func (service *JupyterHubService) AllUsers(params ...JupyterHubListUsersParams) iter.Seq2[HubUser, error] {
	return service.AllUsersContext(context.Background(), params...)
}

// AllUsersContext is [JupyterHubService.AllUsers] with a context.
func (service *JupyterHubService) AllUsersContext(ctx context.Context, params ...JupyterHubListUsersParams) iter.Seq2[HubUser, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[HubUser](func(number int) (*JupyterHubListUsersResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListUsersContext(ctx, parameters)
	})
}

// CreateUser: adds a user to the hub.
//
// Errors: ALREADY_EXISTS; INVALID_ARGUMENT for a name that the hub does not take.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *JupyterHubService) CreateUser(body JupyterHubCreateUserRequest) (*HubUser, error) {
	return service.CreateUserContext(context.Background(), body)
}

// CreateUserContext is [JupyterHubService.CreateUser] with a context.
func (service *JupyterHubService) CreateUserContext(ctx context.Context, body JupyterHubCreateUserRequest) (*HubUser, error) {
	var result HubUser
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/jupyterhub/users", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetUser: one user with all servers.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *JupyterHubService) GetUser(username string) (*HubUser, error) {
	return service.GetUserContext(context.Background(), username)
}

// GetUserContext is [JupyterHubService.GetUser] with a context.
func (service *JupyterHubService) GetUserContext(ctx context.Context, username string) (*HubUser, error) {
	var result HubUser
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/jupyterhub/users/{username}", arguments: []any{username}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// JupyterHubDeleteUserParams are what [JupyterHubService.DeleteUser] may be told. What is zero is not said.
type JupyterHubDeleteUserParams struct {
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// DeleteUser: removes a user from the hub.
//
// Their servers are stopped.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) while one of their servers is still stopping.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *JupyterHubService) DeleteUser(username string, params ...JupyterHubDeleteUserParams) error {
	return service.DeleteUserContext(context.Background(), username, params...)
}

// DeleteUserContext is [JupyterHubService.DeleteUser] with a context.
func (service *JupyterHubService) DeleteUserContext(ctx context.Context, username string, params ...JupyterHubDeleteUserParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/jupyterhub/users/{username}", arguments: []any{username}, params: first(params)}, nil)
}

// StartServer: starts a user's server.
//
// Over REST the status is 201 when it is ready, 202 while it starts, and 200 when it was there already.
//
// Errors: NOT_FOUND; INVALID_ARGUMENT for the name of a server that the hub does not take; FAILED_PRECONDITION
// (`JupyterHubDeclined`) when the hub does not start it now, e.g. because it still stops; UNAVAILABLE (`JupyterHubStartFailed`)
// with the hub's reason when it did not start; RESOURCE_EXHAUSTED when too many start.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *JupyterHubService) StartServer(username string, body StartServerRequest) (*HubServer, error) {
	return service.StartServerContext(context.Background(), username, body)
}

// StartServerContext is [JupyterHubService.StartServer] with a context.
func (service *JupyterHubService) StartServerContext(ctx context.Context, username string, body StartServerRequest) (*HubServer, error) {
	var result HubServer
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/jupyterhub/users/{username}/server", arguments: []any{username}, body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// JupyterHubStopServerParams are what [JupyterHubService.StopServer] may be told. What is zero is not said.
type JupyterHubStopServerParams struct {
	// Its name; the one without a name when empty.
	ServerName string `query:"server_name"`
	// Also forget it: only one with a name.
	Remove bool `query:"remove"`
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// StopServer: stops a user's server, also one that still starts; one that does not run stays so.
//
// Over REST the status is 204 when it is gone, and 202 while it stops.
//
// Errors: NOT_FOUND.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *JupyterHubService) StopServer(username string, params ...JupyterHubStopServerParams) error {
	return service.StopServerContext(context.Background(), username, params...)
}

// StopServerContext is [JupyterHubService.StopServer] with a context.
func (service *JupyterHubService) StopServerContext(ctx context.Context, username string, params ...JupyterHubStopServerParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/jupyterhub/users/{username}/server", arguments: []any{username}, params: first(params)}, nil)
}

// StartServerByServerName: starts a user's server.
//
// Over REST the status is 201 when it is ready, 202 while it starts, and 200 when it was there already.
//
// Errors: NOT_FOUND; INVALID_ARGUMENT for the name of a server that the hub does not take; FAILED_PRECONDITION
// (`JupyterHubDeclined`) when the hub does not start it now, e.g. because it still stops; UNAVAILABLE (`JupyterHubStartFailed`)
// with the hub's reason when it did not start; RESOURCE_EXHAUSTED when too many start.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *JupyterHubService) StartServerByServerName(username string, serverName string) (*HubServer, error) {
	return service.StartServerByServerNameContext(context.Background(), username, serverName)
}

// StartServerByServerNameContext is [JupyterHubService.StartServerByServerName] with a context.
func (service *JupyterHubService) StartServerByServerNameContext(ctx context.Context, username string, serverName string) (*HubServer, error) {
	var result HubServer
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/jupyterhub/users/{username}/servers/{server_name}", arguments: []any{username, serverName}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// JupyterHubStopServerByServerNameParams are what [JupyterHubService.StopServerByServerName] may be told. What is zero is not said.
type JupyterHubStopServerByServerNameParams struct {
	// Also forget it: only one with a name.
	Remove bool `query:"remove"`
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// StopServerByServerName: stops a user's server, also one that still starts; one that does not run stays so.
//
// Over REST the status is 204 when it is gone, and 202 while it stops.
//
// Errors: NOT_FOUND.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *JupyterHubService) StopServerByServerName(username string, serverName string, params ...JupyterHubStopServerByServerNameParams) error {
	return service.StopServerByServerNameContext(context.Background(), username, serverName, params...)
}

// StopServerByServerNameContext is [JupyterHubService.StopServerByServerName] with a context.
func (service *JupyterHubService) StopServerByServerNameContext(ctx context.Context, username string, serverName string, params ...JupyterHubStopServerByServerNameParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/jupyterhub/users/{username}/servers/{server_name}", arguments: []any{username, serverName}, params: first(params)}, nil)
}

// JupyterHubWatchProgressParams are what [JupyterHubService.WatchProgress] may be told. What is zero is not said.
type JupyterHubWatchProgressParams struct {
	// Its name; the one without a name when empty.
	ServerName string `query:"server_name"`
}

// WatchProgress: follows the start of a server until it is ready or has failed, for at most half an hour.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) for a server that is not starting.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *JupyterHubService) WatchProgress(username string, params ...JupyterHubWatchProgressParams) iter.Seq2[Progress, error] {
	return service.WatchProgressContext(context.Background(), username, params...)
}

// WatchProgressContext is [JupyterHubService.WatchProgress] with a context.
func (service *JupyterHubService) WatchProgressContext(ctx context.Context, username string, params ...JupyterHubWatchProgressParams) iter.Seq2[Progress, error] {
	return stream[Progress](ctx, service.connection, request{method: "GET", path: "/api/jupyterhub/users/{username}/server/progress", arguments: []any{username}, params: first(params)})
}

// WatchProgressByServerName: follows the start of a server until it is ready or has failed, for at most half an hour.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`JupyterHubDeclined`) for a server that is not starting.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *JupyterHubService) WatchProgressByServerName(username string, serverName string) iter.Seq2[Progress, error] {
	return service.WatchProgressByServerNameContext(context.Background(), username, serverName)
}

// WatchProgressByServerNameContext is [JupyterHubService.WatchProgressByServerName] with a context.
func (service *JupyterHubService) WatchProgressByServerNameContext(ctx context.Context, username string, serverName string) iter.Seq2[Progress, error] {
	return stream[Progress](ctx, service.connection, request{method: "GET", path: "/api/jupyterhub/users/{username}/servers/{server_name}/progress", arguments: []any{username, serverName}})
}

// SaltService has the operations of client.Salt.
type SaltService struct {
	connection *connection
}

// SaltListMinionsParams are what [SaltService.ListMinions] may be told. What is zero is not said.
type SaltListMinionsParams struct {
	// Only minions that stand so.
	Status MinionStatus `query:"status"`
	// From 1.
	Page int `query:"page"`
	// Minions on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// ListMinions: lists the minions by name, and whether they answer.
//
// Errors: UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`); DEADLINE_EXCEEDED.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *SaltService) ListMinions(params ...SaltListMinionsParams) (*ListMinionsResponse, error) {
	return service.ListMinionsContext(context.Background(), params...)
}

// ListMinionsContext is [SaltService.ListMinions] with a context.
func (service *SaltService) ListMinionsContext(ctx context.Context, params ...SaltListMinionsParams) (*ListMinionsResponse, error) {
	var result ListMinionsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/saltstack/minions", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllMinions gives all of what [SaltService.ListMinions] gives in pages, fetched as it is consumed.
func (service *SaltService) AllMinions(params ...SaltListMinionsParams) iter.Seq2[Minion, error] {
	return service.AllMinionsContext(context.Background(), params...)
}

// AllMinionsContext is [SaltService.AllMinions] with a context.
func (service *SaltService) AllMinionsContext(ctx context.Context, params ...SaltListMinionsParams) iter.Seq2[Minion, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Minion](func(number int) (*ListMinionsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListMinionsContext(ctx, parameters)
	})
}

// GetMinion: one minion with its grains.
//
// Errors: NOT_FOUND; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
// DEADLINE_EXCEEDED.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *SaltService) GetMinion(id string) (*Minion, error) {
	return service.GetMinionContext(context.Background(), id)
}

// GetMinionContext is [SaltService.GetMinion] with a context.
func (service *SaltService) GetMinionContext(ctx context.Context, id string) (*Minion, error) {
	var result Minion
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/saltstack/minions/{id}", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Execute: runs a function of the allow-list on minions.
//
// It waits for the results, at most as long as asked; after that, or with `async`, the job runs on, and its results are asked
// for by its id. Functions that run whatever their arguments name, like `test.cross_test`, are of the allow-list only when it
// names them in full.
//
// Errors: PERMISSION_DENIED (`FunctionNotAllowed`); NOT_FOUND (`NoSuchMinion`) when the target names none; INVALID_ARGUMENT;
// UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`); DEADLINE_EXCEEDED.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *SaltService) Execute(body ExecuteRequest) (*SaltJob, error) {
	return service.ExecuteContext(context.Background(), body)
}

// ExecuteContext is [SaltService.Execute] with a context.
func (service *SaltService) ExecuteContext(ctx context.Context, body ExecuteRequest) (*SaltJob, error) {
	var result SaltJob
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/saltstack/execute", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Deploy: applies a state to minions.
//
// A state that failed is in the results; the call itself succeeds then, with `success` false.
//
// Errors: as of running a function, which is `state.apply` here: PERMISSION_DENIED (`FunctionNotAllowed`); NOT_FOUND
// (`NoSuchMinion`); INVALID_ARGUMENT; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`,
// `SaltClientDisabled`); DEADLINE_EXCEEDED.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *SaltService) Deploy(body DeployRequest) (*Deployment, error) {
	return service.DeployContext(context.Background(), body)
}

// DeployContext is [SaltService.Deploy] with a context.
func (service *SaltService) DeployContext(ctx context.Context, body DeployRequest) (*Deployment, error) {
	var result Deployment
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/saltstack/deploy", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GetJob: a job with the results that have come so far.
//
// Only jobs that were begun here are known.
//
// Errors: NOT_FOUND; UNAVAILABLE (`SaltNotConfigured`, `SaltUnreachable`, `SaltRefused`, `SaltClientDisabled`);
// DEADLINE_EXCEEDED.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *SaltService) GetJob(jobID string) (*SaltJob, error) {
	return service.GetJobContext(context.Background(), jobID)
}

// GetJobContext is [SaltService.GetJob] with a context.
func (service *SaltService) GetJobContext(ctx context.Context, jobID string) (*SaltJob, error) {
	var result SaltJob
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/saltstack/jobs/{job_id}", arguments: []any{jobID}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// WebhooksService has the operations of client.Webhooks.
type WebhooksService struct {
	connection *connection
}

// WebhooksListParams are what [WebhooksService.List] may be told. What is zero is not said.
type WebhooksListParams struct {
	// From 1.
	Page int `query:"page"`
	// Webhooks on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// List: lists webhooks, newest first.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *WebhooksService) List(params ...WebhooksListParams) (*ListWebhooksResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [WebhooksService.List] with a context.
func (service *WebhooksService) ListContext(ctx context.Context, params ...WebhooksListParams) (*ListWebhooksResponse, error) {
	var result ListWebhooksResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/webhooks", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [WebhooksService.List] gives in pages, fetched as it is consumed.
func (service *WebhooksService) All(params ...WebhooksListParams) iter.Seq2[Webhook, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [WebhooksService.All] with a context.
func (service *WebhooksService) AllContext(ctx context.Context, params ...WebhooksListParams) iter.Seq2[Webhook, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Webhook](func(number int) (*ListWebhooksResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: subscribes.
//
// The secret is shown in this answer only.
//
// Errors: INVALID_ARGUMENT, also for a target that leads into a private network, unless such targets are allowed;
// RESOURCE_EXHAUSTED (`TooManyWebhooks`).
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *WebhooksService) Create(body CreateWebhookRequest) (*Webhook, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [WebhooksService.Create] with a context.
func (service *WebhooksService) CreateContext(ctx context.Context, body CreateWebhookRequest) (*Webhook, error) {
	var result Webhook
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/webhooks", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Get: one webhook.
//
// Errors: NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *WebhooksService) Get(id string) (*Webhook, error) {
	return service.GetContext(context.Background(), id)
}

// GetContext is [WebhooksService.Get] with a context.
func (service *WebhooksService) GetContext(ctx context.Context, id string) (*Webhook, error) {
	var result Webhook
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/webhooks/{id}", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Update: replaces what is known of a webhook.
//
// The secret stays when it is left out.
//
// Errors: as of subscribing; NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *WebhooksService) Update(id string, body UpdateWebhookRequest) (*Webhook, error) {
	return service.UpdateContext(context.Background(), id, body)
}

// UpdateContext is [WebhooksService.Update] with a context.
func (service *WebhooksService) UpdateContext(ctx context.Context, id string, body UpdateWebhookRequest) (*Webhook, error) {
	var result Webhook
	if err := service.connection.do(ctx, request{method: "PUT", path: "/api/webhooks/{id}", arguments: []any{id}, body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// WebhooksDeleteParams are what [WebhooksService.Delete] may be told. What is zero is not said.
type WebhooksDeleteParams struct {
	// With `return=representation` the answer is 200 with a body.
	Prefer string `header:"Prefer"`
}

// Delete: ends a subscription.
//
// What was not delivered is not delivered any more.
//
// Errors: NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *WebhooksService) Delete(id string, params ...WebhooksDeleteParams) error {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [WebhooksService.Delete] with a context.
func (service *WebhooksService) DeleteContext(ctx context.Context, id string, params ...WebhooksDeleteParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/webhooks/{id}", arguments: []any{id}, params: first(params)}, nil)
}

// Test: sends an event of type webhook.test now, once, and answers what became of it.
//
// Errors: NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *WebhooksService) Test(id string) (*Delivery, error) {
	return service.TestContext(context.Background(), id)
}

// TestContext is [WebhooksService.Test] with a context.
func (service *WebhooksService) TestContext(ctx context.Context, id string) (*Delivery, error) {
	var result Delivery
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/webhooks/{id}/test", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// WebhooksListDeliveriesParams are what [WebhooksService.ListDeliveries] may be told. What is zero is not said.
type WebhooksListDeliveriesParams struct {
	// Only those that stand so.
	Status DeliveryStatus `query:"status"`
	// From 1.
	Page int `query:"page"`
	// Deliveries on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// ListDeliveries: lists deliveries of a webhook, newest first.
//
// They are kept for a week after they ended.
//
// Errors: NOT_FOUND.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *WebhooksService) ListDeliveries(id string, params ...WebhooksListDeliveriesParams) (*ListDeliveriesResponse, error) {
	return service.ListDeliveriesContext(context.Background(), id, params...)
}

// ListDeliveriesContext is [WebhooksService.ListDeliveries] with a context.
func (service *WebhooksService) ListDeliveriesContext(ctx context.Context, id string, params ...WebhooksListDeliveriesParams) (*ListDeliveriesResponse, error) {
	var result ListDeliveriesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/webhooks/{id}/deliveries", arguments: []any{id}, params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllDeliveries gives all of what [WebhooksService.ListDeliveries] gives in pages, fetched as it is consumed.
func (service *WebhooksService) AllDeliveries(id string, params ...WebhooksListDeliveriesParams) iter.Seq2[Delivery, error] {
	return service.AllDeliveriesContext(context.Background(), id, params...)
}

// AllDeliveriesContext is [WebhooksService.AllDeliveries] with a context.
func (service *WebhooksService) AllDeliveriesContext(ctx context.Context, id string, params ...WebhooksListDeliveriesParams) iter.Seq2[Delivery, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Delivery](func(number int) (*ListDeliveriesResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListDeliveriesContext(ctx, id, parameters)
	})
}

// Redeliver: delivers an event again, soon, with the same id.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`DeliveryPending`) while it is still tried.
//
// Needs the role `operator` or `admin`. Counts towards the limit of administrators' operations.
func (service *WebhooksService) Redeliver(id string, deliveryID string) (*Delivery, error) {
	return service.RedeliverContext(context.Background(), id, deliveryID)
}

// RedeliverContext is [WebhooksService.Redeliver] with a context.
func (service *WebhooksService) RedeliverContext(ctx context.Context, id string, deliveryID string) (*Delivery, error) {
	var result Delivery
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/webhooks/{id}/deliveries/{delivery_id}/redeliver", arguments: []any{id, deliveryID}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// MonitoringService has the operations of client.Monitoring.
type MonitoringService struct {
	connection *connection
}

// MonitoringGetSystemMetricsParams are what [MonitoringService.GetSystemMetrics] may be told. What is zero is not said.
type MonitoringGetSystemMetricsParams struct {
	// One node; all that are online when empty.
	NodeID string `query:"node_id"`
}

// GetSystemMetrics: what is measured now: of one node, or the mean over all nodes that are online.
//
// Without any such node everything is 0, and so is `nodes`.
//
// Errors: NOT_FOUND for an unknown node; FAILED_PRECONDITION (`NodeNotOnline`) for one that is not connected or has not told
// its readings yet.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *MonitoringService) GetSystemMetrics(params ...MonitoringGetSystemMetricsParams) (*MonitoringSystemMetrics, error) {
	return service.GetSystemMetricsContext(context.Background(), params...)
}

// GetSystemMetricsContext is [MonitoringService.GetSystemMetrics] with a context.
func (service *MonitoringService) GetSystemMetricsContext(ctx context.Context, params ...MonitoringGetSystemMetricsParams) (*MonitoringSystemMetrics, error) {
	var result MonitoringSystemMetrics
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/monitoring/metrics", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// MonitoringQueryHistoryParams are what [MonitoringService.QueryHistory] may be told. What is zero is not said.
type MonitoringQueryHistoryParams struct {
	// A metric's name. It is required.
	Metric string `query:"metric"`
	// From then on.
	Start time.Time `query:"start"`
	// Until then, not included.
	End time.Time `query:"end"`
	// One node; the mean over all when empty.
	NodeID string `query:"node_id"`
	// One GPU by its UUID; the mean over all of the nodes when empty. For metrics of GPUs only. Without `node_id` it is looked for
	// on the node that has it now.
	GPUUUID string `query:"gpu_uuid"`
	// Seconds of a step, at most 400 days. Steps are made longer where there would be more than 1,000 points, and are a multiple
	// of what is kept of the time at `start`. When 0, as short as that allows.
	Step int `query:"step"`
}

// QueryHistory: what a metric was, in steps: the mean of each step of one node, one GPU, or over all nodes that were online
// then.
//
// Steps begin at multiples of their length since 1970, the first one holds `start`; those in which nothing was measured are
// left out.
//
// Each sample is kept for 24 hours, means of a minute for 7 days, and means of 15 minutes for 400 days. What was measured in
// the minute before the control plane is killed may be missing.
//
// Errors: INVALID_ARGUMENT for an unknown metric or when `start` is not before `end`; NOT_FOUND for an unknown node or GPU;
// UNAVAILABLE and DEADLINE_EXCEEDED when a Prometheus keeps the history and does not answer.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *MonitoringService) QueryHistory(params MonitoringQueryHistoryParams) (*History, error) {
	return service.QueryHistoryContext(context.Background(), params)
}

// QueryHistoryContext is [MonitoringService.QueryHistory] with a context.
func (service *MonitoringService) QueryHistoryContext(ctx context.Context, params MonitoringQueryHistoryParams) (*History, error) {
	var result History
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/monitoring/history", params: params}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// ListMetrics: the metrics that there are.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *MonitoringService) ListMetrics() (*ListMetricsResponse, error) {
	return service.ListMetricsContext(context.Background())
}

// ListMetricsContext is [MonitoringService.ListMetrics] with a context.
func (service *MonitoringService) ListMetricsContext(ctx context.Context) (*ListMetricsResponse, error) {
	var result ListMetricsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/monitoring/metrics/names"}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SlurmService has the operations of client.Slurm.
type SlurmService struct {
	connection *connection
}

// ListClusters: lists the clusters of the settings with what they have.
//
// One that cannot be reached says so in `status` and `message`.
//
// Errors: UNAVAILABLE (`SlurmNotConfigured`; `SlurmUnreachable` or `SlurmRefused` when none can be used); DEADLINE_EXCEEDED.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *SlurmService) ListClusters() (*ListClustersResponse, error) {
	return service.ListClustersContext(context.Background())
}

// ListClustersContext is [SlurmService.ListClusters] with a context.
func (service *SlurmService) ListClustersContext(ctx context.Context) (*ListClustersResponse, error) {
	var result ListClustersResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/slurm/clusters"}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SlurmListJobsParams are what [SlurmService.ListJobs] may be told. What is zero is not said.
type SlurmListJobsParams struct {
	// Only this cluster; the first when empty.
	Cluster string `query:"cluster"`
	// Only jobs that stand so.
	State JobStatus `query:"state"`
	// Only jobs of this Slurm user.
	User string `query:"user"`
	// Only jobs in this partition.
	Partition string `query:"partition"`
	// From 1.
	Page int `query:"page"`
	// Jobs on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// ListJobs: lists the jobs that Slurm still knows, newest first.
//
// Errors: NOT_FOUND for an unknown cluster; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`);
// DEADLINE_EXCEEDED.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *SlurmService) ListJobs(params ...SlurmListJobsParams) (*ListJobsResponse, error) {
	return service.ListJobsContext(context.Background(), params...)
}

// ListJobsContext is [SlurmService.ListJobs] with a context.
func (service *SlurmService) ListJobsContext(ctx context.Context, params ...SlurmListJobsParams) (*ListJobsResponse, error) {
	var result ListJobsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/slurm/jobs", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllJobs gives all of what [SlurmService.ListJobs] gives in pages, fetched as it is consumed.
func (service *SlurmService) AllJobs(params ...SlurmListJobsParams) iter.Seq2[Job, error] {
	return service.AllJobsContext(context.Background(), params...)
}

// AllJobsContext is [SlurmService.AllJobs] with a context.
func (service *SlurmService) AllJobsContext(ctx context.Context, params ...SlurmListJobsParams) iter.Seq2[Job, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Job](func(number int) (*ListJobsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListJobsContext(ctx, parameters)
	})
}

// SubmitJob: submits a batch job as the Slurm user of the caller.
//
// Slurm has accepted it when this returns.
//
// Errors: INVALID_ARGUMENT, also for what Slurm refuses, e.g. an unknown partition; NOT_FOUND for an unknown cluster;
// PERMISSION_DENIED (`NoSlurmUser`) when the caller is no user of Slurm, and (`SlurmDenied`) when that user may not;
// UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED, after which the job may have been
// accepted all the same.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs the role `user`, `operator` or `admin`. Counts towards the general limit.
func (service *SlurmService) SubmitJob(body SubmitJobRequest) (*SubmitJobResponse, error) {
	return service.SubmitJobContext(context.Background(), body)
}

// SubmitJobContext is [SlurmService.SubmitJob] with a context.
func (service *SlurmService) SubmitJobContext(ctx context.Context, body SubmitJobRequest) (*SubmitJobResponse, error) {
	var result SubmitJobResponse
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/slurm/jobs", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SlurmGetJobParams are what [SlurmService.GetJob] may be told. What is zero is not said.
type SlurmGetJobParams struct {
	// The cluster's name.
	Cluster string `query:"cluster"`
}

// GetJob: one job.
//
// Jobs that were seen here are remembered for 90 days after Slurm has forgotten them.
//
// Errors: NOT_FOUND; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *SlurmService) GetJob(jobID int64, params ...SlurmGetJobParams) (*Job, error) {
	return service.GetJobContext(context.Background(), jobID, params...)
}

// GetJobContext is [SlurmService.GetJob] with a context.
func (service *SlurmService) GetJobContext(ctx context.Context, jobID int64, params ...SlurmGetJobParams) (*Job, error) {
	var result Job
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/slurm/jobs/{job_id}", arguments: []any{jobID}, params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SlurmCancelJobParams are what [SlurmService.CancelJob] may be told. What is zero is not said.
type SlurmCancelJobParams struct {
	// The cluster's name.
	Cluster string `query:"cluster"`
}

// CancelJob: cancels a job, and answers how it stands then.
//
// Cancelling one that has ended changes nothing.
//
// Errors: NOT_FOUND; PERMISSION_DENIED (`SlurmDenied`) when Slurm does not let its user; UNAVAILABLE (`SlurmNotConfigured`,
// `SlurmUnreachable`, `SlurmRefused`); DEADLINE_EXCEEDED.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *SlurmService) CancelJob(jobID int64, params ...SlurmCancelJobParams) (*Job, error) {
	return service.CancelJobContext(context.Background(), jobID, params...)
}

// CancelJobContext is [SlurmService.CancelJob] with a context.
func (service *SlurmService) CancelJobContext(ctx context.Context, jobID int64, params ...SlurmCancelJobParams) (*Job, error) {
	var result Job
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/slurm/jobs/{job_id}", arguments: []any{jobID}, params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// SlurmListNodesParams are what [SlurmService.ListNodes] may be told. What is zero is not said.
type SlurmListNodesParams struct {
	// The cluster's name.
	Cluster string `query:"cluster"`
}

// ListNodes: lists the nodes of a cluster by name.
//
// Errors: NOT_FOUND for an unknown cluster; UNAVAILABLE (`SlurmNotConfigured`, `SlurmUnreachable`, `SlurmRefused`);
// DEADLINE_EXCEEDED.
//
// Whatever happens to a job is an event of its own, seen by the same people: `job.pending`, `job.running`, `job.completed`,
// `job.failed`, `job.cancelled`, `job.timeout` and `job.lost`. Its `resource_id` is `<cluster>/<job_id>`. Jobs that had ended
// before they were first seen have none.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *SlurmService) ListNodes(params ...SlurmListNodesParams) (*SlurmListNodesResponse, error) {
	return service.ListNodesContext(context.Background(), params...)
}

// ListNodesContext is [SlurmService.ListNodes] with a context.
func (service *SlurmService) ListNodesContext(ctx context.Context, params ...SlurmListNodesParams) (*SlurmListNodesResponse, error) {
	var result SlurmListNodesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/slurm/nodes", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// GPUsService has the operations of client.GPUs.
type GPUsService struct {
	connection *connection
}

// GPUsListParams are what [GPUsService.List] may be told. What is zero is not said.
type GPUsListParams struct {
	// Only those of this source.
	Source GPUSource `query:"source"`
	// Only those that stand so.
	Status GPUStatus `query:"status"`
	// Only those of this node, by id for agents and by name for Slurm.
	Node string `query:"node"`
	// From 1.
	Page int `query:"page"`
	// GPUs on a page: default 20, at most 100.
	Limit int `query:"limit"`
	// The same as `limit`.
	PageSize int `query:"page_size"`
}

// List: lists GPUs by node and index: those of nodes with an agent, and those that Slurm gives away.
//
// A cluster of Slurm that cannot be asked is no error: `warnings` says so, and its GPUs are missing.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *GPUsService) List(params ...GPUsListParams) (*ListGPUsResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [GPUsService.List] with a context.
func (service *GPUsService) ListContext(ctx context.Context, params ...GPUsListParams) (*ListGPUsResponse, error) {
	var result ListGPUsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/gpus", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// BackendsService has the operations of client.Backends.
type BackendsService struct {
	connection *connection
}

// List: lists all kinds of backends, also those that are not configured, and how each was found when it was last asked.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *BackendsService) List() (*ListBackendsResponse, error) {
	return service.ListContext(context.Background())
}

// ListContext is [BackendsService.List] with a context.
func (service *BackendsService) ListContext(ctx context.Context) (*ListBackendsResponse, error) {
	var result ListBackendsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/backends"}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AccessKeysService has the operations of client.AccessKeys.
type AccessKeysService struct {
	connection *connection
}

// AccessKeysListParams are what [AccessKeysService.List] may be told. What is zero is not said.
type AccessKeysListParams struct {
	// From 1.
	Page int `query:"page"`
	// Keys on a page: default 20, at most 100.
	Limit int `query:"limit"`
}

// List: lists access keys without their secrets, newest first: the caller's, or for an administrator everybody's.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *AccessKeysService) List(params ...AccessKeysListParams) (*ListAccessKeysResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [AccessKeysService.List] with a context.
func (service *AccessKeysService) ListContext(ctx context.Context, params ...AccessKeysListParams) (*ListAccessKeysResponse, error) {
	var result ListAccessKeysResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/access-keys", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [AccessKeysService.List] gives in pages, fetched as it is consumed.
func (service *AccessKeysService) All(params ...AccessKeysListParams) iter.Seq2[AccessKey, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [AccessKeysService.All] with a context.
func (service *AccessKeysService) AllContext(ctx context.Context, params ...AccessKeysListParams) iter.Seq2[AccessKey, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[AccessKey](func(number int) (*ListAccessKeysResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListContext(ctx, parameters)
	})
}

// Create: makes an access key for the caller.
//
// The secret is shown this once.
//
// Errors: ALREADY_EXISTS when the caller has a key of this name; INVALID_ARGUMENT when a field breaks its rule;
// PERMISSION_DENIED when called with an API token (`NotASession`); RESOURCE_EXHAUSTED (`TooManyAccessKeys`) with 20 of them.
//
// Needs a person's token, of any role. Counts towards the general limit.
func (service *AccessKeysService) Create(body CreateAccessKeyRequest) (*AccessKey, error) {
	return service.CreateContext(context.Background(), body)
}

// CreateContext is [AccessKeysService.Create] with a context.
func (service *AccessKeysService) CreateContext(ctx context.Context, body CreateAccessKeyRequest) (*AccessKey, error) {
	var result AccessKey
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/access-keys", body: body}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Rotate: gives an access key of the caller's a new secret, shown this once; the one before is refused at once.
//
// Errors: NOT_FOUND; PERMISSION_DENIED when called with an API token (`NotASession`).
//
// Needs a person's token, of any role. Reaches what is the caller's own. Counts towards the general limit.
func (service *AccessKeysService) Rotate(id string) (*AccessKey, error) {
	return service.RotateContext(context.Background(), id)
}

// RotateContext is [AccessKeysService.Rotate] with a context.
func (service *AccessKeysService) RotateContext(ctx context.Context, id string) (*AccessKey, error) {
	var result AccessKey
	if err := service.connection.do(ctx, request{method: "POST", path: "/api/access-keys/{id}/rotate", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// Revoke: revokes an access key at once.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *AccessKeysService) Revoke(id string) (*RevokeAccessKeyResponse, error) {
	return service.RevokeContext(context.Background(), id)
}

// RevokeContext is [AccessKeysService.Revoke] with a context.
func (service *AccessKeysService) RevokeContext(ctx context.Context, id string) (*RevokeAccessKeyResponse, error) {
	var result RevokeAccessKeyResponse
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/access-keys/{id}", arguments: []any{id}}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// StorageService has the operations of client.Storage.
type StorageService struct {
	connection *connection
}

// StorageListBucketsParams are what [StorageService.ListBuckets] may be told. What is zero is not said.
type StorageListBucketsParams struct {
	// From 1.
	Page int `query:"page"`
	// Buckets on a page: default 20, at most 100.
	Limit int `query:"limit"`
}

// ListBuckets: lists buckets with what is in them, by name: the caller's, or for an administrator everybody's.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `admin`, everybody's. Counts towards the
// general limit.
func (service *StorageService) ListBuckets(params ...StorageListBucketsParams) (*ListBucketsResponse, error) {
	return service.ListBucketsContext(context.Background(), params...)
}

// ListBucketsContext is [StorageService.ListBuckets] with a context.
func (service *StorageService) ListBucketsContext(ctx context.Context, params ...StorageListBucketsParams) (*ListBucketsResponse, error) {
	var result ListBucketsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/storage/buckets", params: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllBuckets gives all of what [StorageService.ListBuckets] gives in pages, fetched as it is consumed.
func (service *StorageService) AllBuckets(params ...StorageListBucketsParams) iter.Seq2[Bucket, error] {
	return service.AllBucketsContext(context.Background(), params...)
}

// AllBucketsContext is [StorageService.AllBuckets] with a context.
func (service *StorageService) AllBucketsContext(ctx context.Context, params ...StorageListBucketsParams) iter.Seq2[Bucket, error] {
	parameters := first(params)
	parameters.Limit = pageSize
	return pages[Bucket](func(number int) (*ListBucketsResponse, error) {
		parameters := parameters
		parameters.Page = number
		return service.ListBucketsContext(ctx, parameters)
	})
}
