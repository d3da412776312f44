package main

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	linkv1 "utopia.dev/load-tests/peers/gen/utopia/link/v1"
)

// As the control plane has them.
const (
	heartbeatIntervalMs = 5_000
	keepaliveInterval   = 2 * time.Second
	keepaliveTimeout    = 3 * time.Second
	maxFrameBytes       = 64 << 10
)

// leanBufferBytes is small, and above the size of a heartbeat.
const leanBufferBytes = 2 << 10

func runLink(ctx context.Context, arguments []string) error {
	flags, listen := options("link")
	keep := flags.Bool("keep", false, "keep who each agent is, and its last heartbeat")
	lean := flags.Bool("lean", false, "share write buffers among connections, and have small read buffers")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	settings := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxFrameBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout}),
		// Agents ping as often as the server, which grpc-go takes for an attack unless it is told.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveInterval / 2, PermitWithoutStream: true}),
	}
	if *lean {
		settings = append(settings, grpc.SharedWriteBuffer(true), grpc.ReadBufferSize(leanBufferBytes))
	}
	link := new(link)
	if *keep {
		link.sessions = make(map[string]*session)
	}
	return serveTLS(ctx, *listen, settings, func(server *grpc.Server, authority *authority) {
		linkv1.RegisterEnrolmentServiceServer(server, &enrolment{authority: authority})
		linkv1.RegisterAgentLinkServer(server, link)
	})
}

// serveTLS serves gRPC with an authority of its own until the context or the standard input ends.
func serveTLS(ctx context.Context, address string, settings []grpc.ServerOption, register func(*grpc.Server, *authority)) error {
	listener, err := bind(address)
	if err != nil {
		return err
	}
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	config, err := authority.serverConfig(listener.Addr())
	if err != nil {
		return err
	}
	server := grpc.NewServer(append(settings, grpc.Creds(credentials.NewTLS(config)))...)
	register(server, authority)
	saying := ready{Address: listener.Addr().String(), Token: newJoinToken(), CAHash: authority.hash()}
	if err := saying.announce(); err != nil {
		return err
	}
	context.AfterFunc(untilEndOfInput(ctx), server.Stop)
	return server.Serve(listener)
}

// enrolment signs whatever is asked.
type enrolment struct {
	linkv1.UnimplementedEnrolmentServiceServer
	authority *authority
}

func (e *enrolment) Enrol(_ context.Context, request *linkv1.EnrolRequest) (*linkv1.EnrolResponse, error) {
	nodeID := newNodeID()
	certificate, err := e.authority.issueNode(request.GetCsr(), nodeID)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &linkv1.EnrolResponse{NodeId: nodeID, Certificate: certificate, CaCertificate: e.authority.certificate.Raw}, nil
}

// link welcomes agents and answers their heartbeats.
type link struct {
	linkv1.UnimplementedAgentLinkServer
	// By node; nil when nothing is kept.
	sessions map[string]*session
	mutex    sync.Mutex
}

// A session is what is kept of an agent: who it is, and how it was last.
type session struct {
	hello     *linkv1.Hello
	heartbeat *linkv1.Heartbeat
}

func (l *link) Connect(stream grpc.BidiStreamingServer[linkv1.AgentFrame, linkv1.ControlFrame]) error {
	var kept *session
	defer func() { l.forget(kept) }()
	for {
		received, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var answer *linkv1.ControlFrame
		switch frame := received.GetFrame().(type) {
		case *linkv1.AgentFrame_Hello:
			kept = l.keep(kept, frame.Hello)
			welcome := &linkv1.Welcome{SessionEpoch: 1, HeartbeatIntervalMs: heartbeatIntervalMs}
			answer = &linkv1.ControlFrame{Frame: &linkv1.ControlFrame_Welcome{Welcome: welcome}}
		case *linkv1.AgentFrame_Heartbeat:
			if kept != nil {
				kept.heartbeat = frame.Heartbeat
			}
			ack := &linkv1.HeartbeatAck{Sequence: frame.Heartbeat.GetSequence()}
			answer = &linkv1.ControlFrame{Frame: &linkv1.ControlFrame_HeartbeatAck{HeartbeatAck: ack}}
		default:
			continue
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (l *link) keep(old *session, hello *linkv1.Hello) *session {
	if l.sessions == nil {
		return nil
	}
	if old != nil {
		old.hello = hello
		return old
	}
	kept := &session{hello: hello}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.sessions[hello.GetNodeId()] = kept
	return kept
}

func (l *link) forget(kept *session) {
	if kept == nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	// A newer session of the node may have taken its place.
	if id := kept.hello.GetNodeId(); l.sessions[id] == kept {
		delete(l.sessions, id)
	}
}
