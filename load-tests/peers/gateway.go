package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	goruntime "runtime"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"

	claimv1 "utopia.dev/load-tests/peers/gen/utopia/claim/v1"
	hostv1 "utopia.dev/load-tests/peers/gen/utopia/host/v1"
	iamv1 "utopia.dev/load-tests/peers/gen/utopia/iam/v1"
)

// pipeBytes is what the connection within the process holds: as much as a socket of the loopback.
const pipeBytes = 1 << 20

func runGateway(ctx context.Context, arguments []string) error {
	flags, listen := options("gateway")
	backend := flags.String("backend", "", "`address` of a gRPC server without TLS")
	inProcess := flags.Bool("in-process", false, "with the service in this process")
	messages := flags.Int("messages", 1_000, "how many messages a claim sends that is watched in process")
	threads := flags.Int("threads", 0, "threads that run at a time; 0 for one for each CPU")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *inProcess == (*backend != "") {
		return errors.New("one of --backend and --in-process is needed")
	}
	goruntime.GOMAXPROCS(*threads)
	listener, err := bind(*listen)
	if err != nil {
		return err
	}
	ctx = untilEndOfInput(ctx)
	routes := newRoutes()
	if *inProcess {
		err = registerInProcess(ctx, routes, *messages)
	} else {
		err = registerBackend(ctx, routes, *backend)
	}
	if err != nil {
		return err
	}
	if err := (ready{Address: listener.Addr().String()}).announce(); err != nil {
		return err
	}
	server := &http.Server{Handler: routes, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newRoutes has grpc-gateway's defaults, but for names of fields: those of the contract, as the documented API has them.
func newRoutes() *runtime.ServeMux {
	marshaler := &runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
	}}
	return runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, marshaler))
}

func registerBackend(ctx context.Context, routes *runtime.ServeMux, address string) error {
	connection, err := dial(ctx, address)
	if err != nil {
		return err
	}
	if err := hostv1.RegisterHostServiceHandler(ctx, routes, connection); err != nil {
		return err
	}
	if err := iamv1.RegisterAccountServiceHandler(ctx, routes, connection); err != nil {
		return err
	}
	return claimv1.RegisterClaimServiceHandler(ctx, routes, connection)
}

// registerInProcess has grpc-gateway call the methods of the service itself. It cannot do so for streams: these go over a connection in
// memory, with HTTP/2 but without sockets.
func registerInProcess(ctx context.Context, routes *runtime.ServeMux, messages int) error {
	if err := hostv1.RegisterHostServiceHandlerServer(ctx, routes, newHosts()); err != nil {
		return err
	}
	if err := iamv1.RegisterAccountServiceHandlerServer(ctx, routes, newAccounts()); err != nil {
		return err
	}
	pipe := bufconn.Listen(pipeBytes)
	server := grpc.NewServer()
	claimv1.RegisterClaimServiceServer(server, newClaims(messages))
	context.AfterFunc(ctx, server.Stop)
	go func() { _ = server.Serve(pipe) }()
	dialer := func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }
	connection, err := dial(ctx, "passthrough:in-process", grpc.WithContextDialer(dialer))
	if err != nil {
		return err
	}
	return claimv1.RegisterClaimServiceHandler(ctx, routes, connection)
}

func dial(ctx context.Context, address string, settings ...grpc.DialOption) (*grpc.ClientConn, error) {
	settings = append(settings, grpc.WithTransportCredentials(insecure.NewCredentials()))
	connection, err := grpc.NewClient(address, settings...)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = connection.Close() })
	return connection, nil
}
