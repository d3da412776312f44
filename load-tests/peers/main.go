// Command utopia-peers serves what the servers under test serve, by other people's software: grpc-go, grpc-gateway and Envoy.
//
// Each server says on the first line of its standard output, as JSON, where it listens. It ends with its standard input, or when
// it is interrupted. Nothing is behind the servers: they answer with prepared messages, and let in whoever asks.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// A server is one of the subcommands.
type server struct {
	about string
	run   func(ctx context.Context, arguments []string) error
}

var servers = map[string]server{
	"link":    {"grpc-go: the agents' link", runLink},
	"unary":   {"grpc-go: hosts, accounts and claims, with prepared answers", runUnary},
	"gateway": {"grpc-gateway: JSON over HTTP, before a backend or in process", runGateway},
	"envoy":   {"Envoy: JSON over HTTP, before a backend", runEnvoy},
	watchdog:  {"ends Envoy with its standard input; started by envoy", runWatchdog},
}

const usage = `usage: utopia-peers COMMAND [OPTIONS]

  link     grpc-go: the agents' link
  unary    grpc-go: hosts, accounts and claims, with prepared answers
  gateway  grpc-gateway: JSON over HTTP, before a backend or in process
  envoy    Envoy: JSON over HTTP, before a backend

Options of a command: utopia-peers COMMAND --help
`

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "error: %s\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 || strings.Trim(arguments[0], "-") == "help" {
		fmt.Print(usage)
		return nil
	}
	server, known := servers[arguments[0]]
	if !known {
		return fmt.Errorf("%q is no command: see utopia-peers --help", arguments[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.run(ctx, arguments[1:])
}

// untilEndOfInput answers a context that also ends with the standard input: whoever holds the other end may be gone without a signal.
func untilEndOfInput(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}

// options of a command, with the one that all have.
func options(name string) (flags *flag.FlagSet, listen *string) {
	flags = flag.NewFlagSet("utopia-peers "+name, flag.ContinueOnError)
	listen = flags.String("listen", "127.0.0.1:0", "`address` on the loopback; port 0 takes a free one")
	return flags, listen
}

// bind listens on the loopback: nothing here is for anybody else.
func bind(address string) (net.Listener, error) {
	wanted, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !wanted.IP.IsLoopback() {
		return nil, fmt.Errorf("only the loopback is served, and %s is not of it", address)
	}
	return net.ListenTCP("tcp", wanted)
}

// ready is what a server says once it listens.
type ready struct {
	Address string `json:"address"`
	// With what agents may enrol; empty where there is no enrolment.
	Token string `json:"token"`
	// The hash of the CA; empty without TLS.
	CAHash string `json:"ca_hash"`
}

func (r ready) announce() error {
	return json.NewEncoder(os.Stdout).Encode(r)
}
