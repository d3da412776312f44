package main

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	claimv1 "utopia.dev/load-tests/peers/gen/utopia/claim/v1"
	hostv1 "utopia.dev/load-tests/peers/gen/utopia/host/v1"
	iamv1 "utopia.dev/load-tests/peers/gen/utopia/iam/v1"
)

func runUnary(ctx context.Context, arguments []string) error {
	flags, listen := options("unary")
	messages := flags.Int("messages", 1_000, "how many messages a watched claim sends")
	cleartext := flags.Bool("cleartext", false, "without TLS")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	register := func(server *grpc.Server) {
		hostv1.RegisterHostServiceServer(server, newHosts())
		iamv1.RegisterAccountServiceServer(server, newAccounts())
		claimv1.RegisterClaimServiceServer(server, newClaims(*messages))
	}
	if !*cleartext {
		return serveTLS(ctx, *listen, nil, func(server *grpc.Server, _ *authority) { register(server) })
	}
	listener, err := bind(*listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	register(server)
	if err := (ready{Address: listener.Addr().String()}).announce(); err != nil {
		return err
	}
	context.AfterFunc(untilEndOfInput(ctx), server.Stop)
	return server.Serve(listener)
}

// hosts answers with one host, and takes every heartbeat.
type hosts struct {
	hostv1.UnimplementedHostServiceServer
	host  *hostv1.Host
	empty *emptypb.Empty
}

func (h *hosts) GetHost(context.Context, *hostv1.GetHostRequest) (*hostv1.Host, error) {
	return h.host, nil
}

func (h *hosts) ReportHeartbeat(context.Context, *hostv1.ReportHeartbeatRequest) (*emptypb.Empty, error) {
	return h.empty, nil
}

// accounts answers with the account of whoever asks.
type accounts struct {
	iamv1.UnimplementedAccountServiceServer
	account *iamv1.Account
}

func (a *accounts) GetProfile(context.Context, *iamv1.GetProfileRequest) (*iamv1.Account, error) {
	return a.account, nil
}

// claims sends one claim a number of times, as fast as it is read.
type claims struct {
	claimv1.UnimplementedClaimServiceServer
	claim    *claimv1.Claim
	messages int
}

func (c *claims) WatchClaim(_ *claimv1.WatchClaimRequest, stream grpc.ServerStreamingServer[claimv1.Claim]) error {
	for range c.messages {
		if err := stream.Send(c.claim); err != nil {
			return err
		}
	}
	return nil
}

// The answers are those of the bare server in Rust, see `load-tests/bare/answers.rs`.

var (
	createdAt = timestamppb.New(time.Date(2026, time.March, 1, 8, 0, 0, 0, time.UTC))
	updatedAt = timestamppb.New(time.Date(2026, time.March, 2, 9, 30, 15, 250_000_000, time.UTC))
)

func newHosts() *hosts {
	return &hosts{empty: new(emptypb.Empty), host: &hostv1.Host{
		HostId:         "6f1c2a4e-0c55-4f0e-9a53-0d7f2f6f4a10",
		Name:           "gpu-server-01",
		Hostname:       "gpu-server-01",
		IpAddress:      "192.168.1.10",
		OsType:         "linux",
		OsVersion:      "Debian GNU/Linux 12",
		DeploymentMode: "container",
		Status:         hostv1.HostStatus_HOST_STATUS_ONLINE,
		HealthStatus:   hostv1.HostHealth_HOST_HEALTH_HEALTHY,
		TotalCpu:       128,
		UsedCpu:        12.5,
		TotalMemory:    1 << 40,
		UsedMemory:     180 << 30,
		TotalDisk:      4 << 40,
		TotalGpu:       8,
		UsedGpu:        3,
		Labels: map[string]string{
			"rack":   "r17",
			"region": "us-west",
			"zone":   "b",
		},
		LastHeartbeat:  updatedAt,
		CreatedAt:      createdAt,
		AgentConnected: true,
	}}
}

func newAccounts() *accounts {
	return &accounts{account: &iamv1.Account{
		Id:          "0b0d6f0e-3f0c-4c55-8a53-6d7f2f6f4a10",
		Username:    "admin",
		Role:        "admin",
		CreatedAt:   createdAt,
		UpdatedAt:   updatedAt,
		LastLoginAt: updatedAt,
	}}
}

func newClaims(messages int) *claims {
	return &claims{messages: messages, claim: &claimv1.Claim{
		Id:     "018f3c1e-7d2a-7c40-9a51-3b6f0c2d4e10",
		UserId: 7,
		Spec: &claimv1.ClaimSpec{
			Image:     "registry.example:5000/team/train:1",
			Resources: &claimv1.Resources{GpuCount: 1, GpuModel: "A100", GpuMemoryMb: 40_960},
			Command:   []string{"python", "train.py"},
			Env:       []string{"EPOCHS=3"},
		},
		Status: &claimv1.ClaimStatus{
			Phase:       claimv1.ClaimPhase_CLAIM_PHASE_RUNNING,
			NodeName:    "gpu-server-01",
			ContainerId: "9f2b6c1de04a7c40b1a2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718",
			NodeId:      "6f1c2a4e-0c55-4f0e-9a53-0d7f2f6f4a10",
			GpuUuids:    []string{"GPU-5b1f6c1e-8d0e-4b7a-9a53-0d7f2f6f4a10"},
		},
		CreatedAt: createdAt,
		UpdatedAt: updatedAt,
	}}
}
