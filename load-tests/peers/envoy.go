package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"text/template"
	"time"
)

const (
	// watchdog is the command that Envoy's starter starts beside it.
	watchdog = "envoy-watchdog"

	startTimeout = 30 * time.Second
	pollInterval = 20 * time.Millisecond
)

var (
	//go:embed envoy.yaml
	envoyConfig string

	//go:embed gen/contract.binpb
	contract []byte
)

// runEnvoy becomes Envoy, so that the process that was started is the one whose CPU time is Envoy's. Another process says when it is
// ready, and ends it.
func runEnvoy(_ context.Context, arguments []string) error {
	flags, listen := options("envoy")
	backend := flags.String("backend", "", "`address` of a gRPC server without TLS")
	program := flags.String("envoy", "", "the `program`; beside this one if none is given")
	threads := flags.Int("threads", 2, "worker threads")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	upstream, err := net.ResolveTCPAddr("tcp", *backend)
	if err != nil {
		return fmt.Errorf("--backend: %w", err)
	}
	// Envoy cannot say which port it got.
	listener, err := bind(*listen)
	if err != nil {
		return err
	}
	address := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if *program == "" {
		*program = filepath.Join(filepath.Dir(self), "envoy")
	}
	if _, err := os.Stat(*program); err != nil {
		return fmt.Errorf("there is no Envoy: %w", err)
	}
	directory, err := writeEnvoyConfig(address, upstream)
	if err != nil {
		return err
	}
	other := exec.Command(self, watchdog, "--listen", address.String(), "--directory", directory)
	other.Stdin, other.Stdout, other.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := other.Start(); err != nil {
		return errors.Join(err, os.RemoveAll(directory))
	}
	config := filepath.Join(directory, "envoy.yaml")
	command := []string{"envoy", "-c", config, "--concurrency", strconv.Itoa(*threads), "--log-level", "warn", "--disable-hot-restart"}
	return syscall.Exec(*program, command, os.Environ())
}

func writeEnvoyConfig(listen, backend *net.TCPAddr) (directory string, err error) {
	directory, err = os.MkdirTemp("", "utopia-peers-envoy-")
	if err != nil {
		return "", err
	}
	descriptors := filepath.Join(directory, "contract.binpb")
	if err := os.WriteFile(descriptors, contract, 0o600); err != nil {
		return "", err
	}
	file, err := os.Create(filepath.Join(directory, "envoy.yaml"))
	if err != nil {
		return "", err
	}
	settings := map[string]any{"Listen": listen, "Backend": backend, "Descriptors": descriptors}
	err = template.Must(template.New("envoy.yaml").Parse(envoyConfig)).Execute(file, settings)
	return directory, errors.Join(err, file.Close())
}

// runWatchdog says when Envoy, its parent, is ready, and ends it with its standard input.
func runWatchdog(ctx context.Context, arguments []string) error {
	envoy := os.Getppid()
	flags, listen := options(watchdog)
	directory := flags.String("directory", "", "what to remove in the end")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	defer os.RemoveAll(*directory)
	ctx = untilEndOfInput(ctx)
	if err := waitForListener(ctx, *listen); err != nil {
		return errors.Join(err, end(envoy))
	}
	if err := (ready{Address: *listen}).announce(); err != nil {
		return errors.Join(err, end(envoy))
	}
	<-ctx.Done()
	return end(envoy)
}

func waitForListener(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("Envoy does not start"))
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// end stops the process if it is still the parent: its number may be another's by now.
func end(parent int) error {
	if os.Getppid() != parent {
		return nil
	}
	return syscall.Kill(parent, syscall.SIGTERM)
}
