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

// ListUsersParams are what [UsersService.List] may be told. What is zero is not said.
type ListUsersParams struct {
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
func (service *UsersService) List(params ...ListUsersParams) (*ListUsersResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [UsersService.List] with a context.
func (service *UsersService) ListContext(ctx context.Context, params ...ListUsersParams) (*ListUsersResponse, error) {
	var result ListUsersResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/users", query: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [UsersService.List] gives in pages, fetched as it is consumed.
func (service *UsersService) All(params ...ListUsersParams) iter.Seq2[Account, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [UsersService.All] with a context.
func (service *UsersService) AllContext(ctx context.Context, params ...ListUsersParams) iter.Seq2[Account, error] {
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

// DeleteUserParams are what [UsersService.Delete] may be told. What is zero is not said.
type DeleteUserParams struct {
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
func (service *UsersService) Delete(id string, params ...DeleteUserParams) (*DeleteUserResponse, error) {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [UsersService.Delete] with a context.
func (service *UsersService) DeleteContext(ctx context.Context, id string, params ...DeleteUserParams) (*DeleteUserResponse, error) {
	var result DeleteUserResponse
	if err := service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/users/{id}", arguments: []any{id}, query: first(params), envelope: true}, &result); err != nil {
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

// ListAPITokensParams are what [APITokensService.List] may be told. What is zero is not said.
type ListAPITokensParams struct {
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
func (service *APITokensService) List(params ...ListAPITokensParams) (*ListAPITokensResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [APITokensService.List] with a context.
func (service *APITokensService) ListContext(ctx context.Context, params ...ListAPITokensParams) (*ListAPITokensResponse, error) {
	var result ListAPITokensResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/tokens", query: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [APITokensService.List] gives in pages, fetched as it is consumed.
func (service *APITokensService) All(params ...ListAPITokensParams) iter.Seq2[APIToken, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [APITokensService.All] with a context.
func (service *APITokensService) AllContext(ctx context.Context, params ...ListAPITokensParams) iter.Seq2[APIToken, error] {
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

// ListContainersParams are what [NodeAgentService.ListContainers] may be told. What is zero is not said.
type ListContainersParams struct {
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
func (service *NodeAgentService) ListContainers(params ...ListContainersParams) ([]Container, error) {
	return service.ListContainersContext(context.Background(), params...)
}

// ListContainersContext is [NodeAgentService.ListContainers] with a context.
func (service *NodeAgentService) ListContainersContext(ctx context.Context, params ...ListContainersParams) ([]Container, error) {
	return call[[]Container](ctx, service.connection, request{method: "GET", path: "/api/v1/containers", query: first(params)})
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

// GetContainerParams are what [NodeAgentService.GetContainer] may be told. What is zero is not said.
type GetContainerParams struct {
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
func (service *NodeAgentService) GetContainer(id string, params ...GetContainerParams) (*Container, error) {
	return service.GetContainerContext(context.Background(), id, params...)
}

// GetContainerContext is [NodeAgentService.GetContainer] with a context.
func (service *NodeAgentService) GetContainerContext(ctx context.Context, id string, params ...GetContainerParams) (*Container, error) {
	var result Container
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/containers/{id}", arguments: []any{id}, query: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// DeleteContainerParams are what [NodeAgentService.DeleteContainer] may be told. What is zero is not said.
type DeleteContainerParams struct {
	// The node; see the service.
	NodeID string `query:"node_id"`
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
func (service *NodeAgentService) DeleteContainer(id string, params ...DeleteContainerParams) error {
	return service.DeleteContainerContext(context.Background(), id, params...)
}

// DeleteContainerContext is [NodeAgentService.DeleteContainer] with a context.
func (service *NodeAgentService) DeleteContainerContext(ctx context.Context, id string, params ...DeleteContainerParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/containers/{id}", arguments: []any{id}, query: first(params)}, nil)
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

// DeleteContainerByNodeID: stops and removes a container that the agent made.
//
// Any other container is NOT_FOUND.
//
// At the control plane every request names the node; errors are then also NOT_FOUND for an unknown node, FAILED_PRECONDITION
// (`NodeNotOnline`) for one that is not connected, and UNAVAILABLE or DEADLINE_EXCEEDED when it does not answer. On the agent
// `node_id` may be empty and must otherwise be the agent's own.
//
// Needs the role `operator` or `admin`. Counts towards the general limit.
func (service *NodeAgentService) DeleteContainerByNodeID(nodeID string, id string) error {
	return service.DeleteContainerByNodeIDContext(context.Background(), nodeID, id)
}

// DeleteContainerByNodeIDContext is [NodeAgentService.DeleteContainerByNodeID] with a context.
func (service *NodeAgentService) DeleteContainerByNodeIDContext(ctx context.Context, nodeID string, id string) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/nodes/{node_id}/containers/{id}", arguments: []any{nodeID, id}}, nil)
}

// GetMetricsParams are what [NodeAgentService.GetMetrics] may be told. What is zero is not said.
type GetMetricsParams struct {
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
func (service *NodeAgentService) GetMetrics(params ...GetMetricsParams) (*NodeMetrics, error) {
	return service.GetMetricsContext(context.Background(), params...)
}

// GetMetricsContext is [NodeAgentService.GetMetrics] with a context.
func (service *NodeAgentService) GetMetricsContext(ctx context.Context, params ...GetMetricsParams) (*NodeMetrics, error) {
	var result NodeMetrics
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/metrics", query: first(params)}, &result); err != nil {
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

// GetHealthParams are what [NodeAgentService.GetHealth] may be told. What is zero is not said.
type GetHealthParams struct {
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
func (service *NodeAgentService) GetHealth(params ...GetHealthParams) (*Health, error) {
	return service.GetHealthContext(context.Background(), params...)
}

// GetHealthContext is [NodeAgentService.GetHealth] with a context.
func (service *NodeAgentService) GetHealthContext(ctx context.Context, params ...GetHealthParams) (*Health, error) {
	var result Health
	if err := service.connection.do(ctx, request{method: "GET", path: "/health", query: first(params)}, &result); err != nil {
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

// ListNodesParams are what [NodesService.List] may be told. What is zero is not said.
type ListNodesParams struct {
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
func (service *NodesService) List(params ...ListNodesParams) (*ListNodesResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [NodesService.List] with a context.
func (service *NodesService) ListContext(ctx context.Context, params ...ListNodesParams) (*ListNodesResponse, error) {
	var result ListNodesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/nodes", query: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [NodesService.List] gives in pages, fetched as it is consumed.
func (service *NodesService) All(params ...ListNodesParams) iter.Seq2[Node, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [NodesService.All] with a context.
func (service *NodesService) AllContext(ctx context.Context, params ...ListNodesParams) iter.Seq2[Node, error] {
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

// DeleteNodeParams are what [NodesService.Delete] may be told. What is zero is not said.
type DeleteNodeParams struct {
	// Fail the live claims placed there.
	Force bool `query:"force"`
}

// Delete: deletes a node: its certificates are refused from now on and its link is cut.
//
// Its containers are left as they are.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`, which fails
// them.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *NodesService) Delete(id string, params ...DeleteNodeParams) error {
	return service.DeleteContext(context.Background(), id, params...)
}

// DeleteContext is [NodesService.Delete] with a context.
func (service *NodesService) DeleteContext(ctx context.Context, id string, params ...DeleteNodeParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/nodes/{id}", arguments: []any{id}, query: first(params)}, nil)
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

// ListJoinTokensParams are what [JoinTokensService.List] may be told. What is zero is not said.
type ListJoinTokensParams struct {
	// From 1.
	Page int `query:"page"`
	// Tokens on a page: default 20, at most 100.
	Limit int `query:"limit"`
}

// List: lists join tokens that can still be used, without their secrets, newest first.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *JoinTokensService) List(params ...ListJoinTokensParams) (*ListJoinTokensResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [JoinTokensService.List] with a context.
func (service *JoinTokensService) ListContext(ctx context.Context, params ...ListJoinTokensParams) (*ListJoinTokensResponse, error) {
	var result ListJoinTokensResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/join-tokens", query: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [JoinTokensService.List] gives in pages, fetched as it is consumed.
func (service *JoinTokensService) All(params ...ListJoinTokensParams) iter.Seq2[JoinToken, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [JoinTokensService.All] with a context.
func (service *JoinTokensService) AllContext(ctx context.Context, params ...ListJoinTokensParams) iter.Seq2[JoinToken, error] {
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

// Revoke: revokes a join token.
//
// Nodes that joined with it stay.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *JoinTokensService) Revoke(id string) error {
	return service.RevokeContext(context.Background(), id)
}

// RevokeContext is [JoinTokensService.Revoke] with a context.
func (service *JoinTokensService) RevokeContext(ctx context.Context, id string) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/join-tokens/{id}", arguments: []any{id}}, nil)
}

// HostsService has the operations of client.Hosts.
type HostsService struct {
	connection *connection
}

// ListHostsParams are what [HostsService.List] may be told. What is zero is not said.
type ListHostsParams struct {
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
func (service *HostsService) List(params ...ListHostsParams) (*ListHostsResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [HostsService.List] with a context.
func (service *HostsService) ListContext(ctx context.Context, params ...ListHostsParams) (*ListHostsResponse, error) {
	var result ListHostsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/hosts", query: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [HostsService.List] gives in pages, fetched as it is consumed.
func (service *HostsService) All(params ...ListHostsParams) iter.Seq2[Host, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [HostsService.All] with a context.
func (service *HostsService) AllContext(ctx context.Context, params ...ListHostsParams) iter.Seq2[Host, error] {
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

// DeleteHostParams are what [HostsService.Delete] may be told. What is zero is not said.
type DeleteHostParams struct {
	// Fail the live claims placed there.
	Force bool `query:"force"`
}

// Delete: deletes a host: its agent token and its certificates are refused from now on and its link is cut.
//
// With `Prefer: return=representation` the answer is 200 with a body.
//
// Errors: NOT_FOUND; FAILED_PRECONDITION (`NodeHasClaims`) while live claims are placed there, unless `force`, which fails
// them.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *HostsService) Delete(hostID string, params ...DeleteHostParams) error {
	return service.DeleteContext(context.Background(), hostID, params...)
}

// DeleteContext is [HostsService.Delete] with a context.
func (service *HostsService) DeleteContext(ctx context.Context, hostID string, params ...DeleteHostParams) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/v1/hosts/{host_id}", arguments: []any{hostID}, query: first(params)}, nil)
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

// ListMachinesParams are what [MachinesService.List] may be told. What is zero is not said.
type ListMachinesParams struct {
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
func (service *MachinesService) List(params ...ListMachinesParams) (*ListMachinesResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [MachinesService.List] with a context.
func (service *MachinesService) ListContext(ctx context.Context, params ...ListMachinesParams) (*ListMachinesResponse, error) {
	var result ListMachinesResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/machines", query: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [MachinesService.List] gives in pages, fetched as it is consumed.
func (service *MachinesService) All(params ...ListMachinesParams) iter.Seq2[Machine, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [MachinesService.All] with a context.
func (service *MachinesService) AllContext(ctx context.Context, params ...ListMachinesParams) iter.Seq2[Machine, error] {
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

// ListAuditEventsParams are what [AuditService.ListEvents] may be told. What is zero is not said.
type ListAuditEventsParams struct {
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
func (service *AuditService) ListEvents(params ...ListAuditEventsParams) (*ListAuditEventsResponse, error) {
	return service.ListEventsContext(context.Background(), params...)
}

// ListEventsContext is [AuditService.ListEvents] with a context.
func (service *AuditService) ListEventsContext(ctx context.Context, params ...ListAuditEventsParams) (*ListAuditEventsResponse, error) {
	var result ListAuditEventsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/v1/audit", query: first(params), envelope: true}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// AllEvents gives all of what [AuditService.ListEvents] gives in pages, fetched as it is consumed.
func (service *AuditService) AllEvents(params ...ListAuditEventsParams) iter.Seq2[AuditEvent, error] {
	return service.AllEventsContext(context.Background(), params...)
}

// AllEventsContext is [AuditService.AllEvents] with a context.
func (service *AuditService) AllEventsContext(ctx context.Context, params ...ListAuditEventsParams) iter.Seq2[AuditEvent, error] {
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

// ExportAuditChainParams are what [AuditService.ExportChain] may be told. What is zero is not said.
type ExportAuditChainParams struct {
	// Links after this sequence only.
	AfterSequence int64 `query:"after_sequence"`
}

// ExportChain: the links of the chain, oldest first, up to the newest at the time of the call.
//
// With them anybody can prove the chain: each hash is the SHA-256 of the hash before, as lower-case hex, and the payload.
//
// Needs the role `admin`. Counts towards the limit of administrators' operations.
func (service *AuditService) ExportChain(params ...ExportAuditChainParams) iter.Seq2[AuditLink, error] {
	return service.ExportChainContext(context.Background(), params...)
}

// ExportChainContext is [AuditService.ExportChain] with a context.
func (service *AuditService) ExportChainContext(ctx context.Context, params ...ExportAuditChainParams) iter.Seq2[AuditLink, error] {
	return stream[AuditLink](ctx, service.connection, request{method: "GET", path: "/api/v1/audit/chain", query: first(params)})
}

// ClaimsService has the operations of client.Claims.
type ClaimsService struct {
	connection *connection
}

// ListClaimsParams are what [ClaimsService.List] may be told. What is zero is not said.
type ListClaimsParams struct {
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
func (service *ClaimsService) List(params ...ListClaimsParams) (*ListClaimsResponse, error) {
	return service.ListContext(context.Background(), params...)
}

// ListContext is [ClaimsService.List] with a context.
func (service *ClaimsService) ListContext(ctx context.Context, params ...ListClaimsParams) (*ListClaimsResponse, error) {
	var result ListClaimsResponse
	if err := service.connection.do(ctx, request{method: "GET", path: "/api/gpu-claims", query: first(params)}, &result); err != nil {
		return nil, err
	}
	return &result, nil
}

// All gives all of what [ClaimsService.List] gives in pages, fetched as it is consumed.
func (service *ClaimsService) All(params ...ListClaimsParams) iter.Seq2[Claim, error] {
	return service.AllContext(context.Background(), params...)
}

// AllContext is [ClaimsService.All] with a context.
func (service *ClaimsService) AllContext(ctx context.Context, params ...ListClaimsParams) iter.Seq2[Claim, error] {
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

// Delete: deletes a claim.
//
// It is gone at once for its owner; its container is removed in the background, or, when its node is offline, as soon as that
// returns. Its GPUs are free when the container is gone.
//
// Needs the role `user`, `operator` or `admin`. Reaches what is the caller's own; with the role `operator` or `admin`,
// everybody's. Counts towards the general limit.
func (service *ClaimsService) Delete(id string) error {
	return service.DeleteContext(context.Background(), id)
}

// DeleteContext is [ClaimsService.Delete] with a context.
func (service *ClaimsService) DeleteContext(ctx context.Context, id string) error {
	return service.connection.do(ctx, request{method: "DELETE", path: "/api/gpu-claims/{id}", arguments: []any{id}}, nil)
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

// EventsService has the operations of client.Events.
type EventsService struct {
	connection *connection
}

// WatchEventsParams are what [EventsService.Watch] may be told. What is zero is not said.
type WatchEventsParams struct {
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
}

// Watch: sends events from a cursor on, and those that come.
//
// The first message, and one for every half minute in which there is nothing to tell, is a bookmark: an event of type
// `bookmark` that has only a cursor. People see events of their own claims, and of nodes and hosts; operators and
// administrators see all. What is written to the audit log is told as `audit.<resource>` to administrators who name such types;
// it has its own place in the cursor, and within a second of time it may come before or after what it tells of.
//
// Errors: PERMISSION_DENIED (`AdministratorsOnly`) for types of the audit log; OUT_OF_RANGE (`CursorExpired`) when events after
// the cursor are gone already: list what is watched, and begin anew.
//
// Needs a person's token, of any role. Reaches what is the caller's own; with the role `operator` or `admin`, everybody's.
// Counts towards the general limit.
func (service *EventsService) Watch(params ...WatchEventsParams) iter.Seq2[Event, error] {
	return service.WatchContext(context.Background(), params...)
}

// WatchContext is [EventsService.Watch] with a context.
func (service *EventsService) WatchContext(ctx context.Context, params ...WatchEventsParams) iter.Seq2[Event, error] {
	return stream[Event](ctx, service.connection, request{method: "GET", path: "/api/events", query: first(params), resumable: true})
}
