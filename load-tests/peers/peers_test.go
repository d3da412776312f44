package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	linkv1 "utopia.dev/load-tests/peers/gen/utopia/link/v1"
)

// linkServer serves the link over TLS, and answers how to reach it with a certificate or without.
func linkServer(t *testing.T, link *link) (dial func(...tls.Certificate) *grpc.ClientConn) {
	listener, err := bind("127.0.0.1:0")
	check(t, err)
	authority, err := newAuthority()
	check(t, err)
	config, err := authority.serverConfig(listener.Addr())
	check(t, err)
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config)))
	linkv1.RegisterEnrolmentServiceServer(server, &enrolment{authority: authority})
	linkv1.RegisterAgentLinkServer(server, link)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return func(certificates ...tls.Certificate) *grpc.ClientConn {
		roots := x509.NewCertPool()
		roots.AddCert(authority.certificate)
		credentials := credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: certificates})
		connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(credentials))
		check(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		return connection
	}
}

// enrol answers the node's id and its certificate.
func enrol(t *testing.T, connection *grpc.ClientConn) (string, tls.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	csr, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	check(t, err)
	answer, err := linkv1.NewEnrolmentServiceClient(connection).Enrol(t.Context(), &linkv1.EnrolRequest{Csr: csr})
	check(t, err)
	return answer.GetNodeId(), tls.Certificate{Certificate: [][]byte{answer.GetCertificate()}, PrivateKey: key}
}

func TestAnEnrolledAgentIsWelcomedAndKept(t *testing.T) {
	link := &link{sessions: make(map[string]*session)}
	dial := linkServer(t, link)
	node, certificate := enrol(t, dial())
	stream, err := linkv1.NewAgentLinkClient(dial(certificate)).Connect(t.Context())
	check(t, err)

	hello := &linkv1.Hello{NodeId: node, Protocol: 1}
	check(t, stream.Send(&linkv1.AgentFrame{Frame: &linkv1.AgentFrame_Hello{Hello: hello}}))
	answer, err := stream.Recv()
	check(t, err)
	if interval := answer.GetWelcome().GetHeartbeatIntervalMs(); interval != heartbeatIntervalMs {
		t.Errorf("the first answer is %v", answer)
	}
	heartbeat := &linkv1.Heartbeat{Sequence: 7, LoadAverage: 1.5}
	check(t, stream.Send(&linkv1.AgentFrame{Frame: &linkv1.AgentFrame_Heartbeat{Heartbeat: heartbeat}}))
	answer, err = stream.Recv()
	check(t, err)
	if answer.GetHeartbeatAck().GetSequence() != 7 {
		t.Errorf("the second answer is %v", answer)
	}
	if kept := link.sessions[node]; !proto.Equal(kept.heartbeat, heartbeat) {
		t.Errorf("%v is kept", kept)
	}

	check(t, stream.CloseSend())
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ends with %v", err)
	}
	if len(link.sessions) != 0 {
		t.Errorf("%d agents are kept after they left", len(link.sessions))
	}
}

func TestACertificateOfAnotherAuthorityIsRefused(t *testing.T) {
	dial, other := linkServer(t, new(link)), linkServer(t, new(link))
	_, certificate := enrol(t, other())
	stream, err := linkv1.NewAgentLinkClient(dial(certificate)).Connect(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil {
		t.Error("it is taken")
	}
}

func TestOnlyTheLoopbackIsServed(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80"} {
		if listener, err := bind(address); err == nil {
			_ = listener.Close()
			t.Errorf("%s is served", address)
		}
	}
}

func TestTheGatewaySpeaksTheDocumentedNames(t *testing.T) {
	routes := newRoutes()
	check(t, registerInProcess(t.Context(), routes, 3))
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)

	var host map[string]any
	check(t, json.NewDecoder(get(t, server, "/api/v1/hosts/x").Body).Decode(&host))
	if host["ip_address"] != "192.168.1.10" || host["agent_connected"] != true {
		t.Errorf("the host is %v", host)
	}
	if value, written := host["maintenance"]; !written || value != nil {
		t.Errorf("the maintenance is %v", value)
	}
	lines := bufio.NewScanner(get(t, server, "/api/gpu-claims/x/watch").Body)
	count := 0
	for ; lines.Scan(); count++ {
		if !strings.HasPrefix(lines.Text(), `{"result":{"id":`) {
			t.Errorf("line %d is %s", count, lines.Text())
		}
	}
	if count != 3 {
		t.Errorf("%d messages came", count)
	}
}

func get(t *testing.T, server *httptest.Server, path string) *http.Response {
	response, err := http.Get(server.URL + path)
	check(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s answered %s", path, response.Status)
	}
	return response
}

func TestEnvoyIsToldWhereToListen(t *testing.T) {
	listen, backend := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4001}, &net.TCPAddr{IP: net.IPv6loopback, Port: 4002}
	t.Setenv("TMPDIR", t.TempDir())
	directory, err := writeEnvoyConfig(listen, backend)
	check(t, err)
	written, err := os.ReadFile(filepath.Join(directory, "envoy.yaml"))
	check(t, err)
	config := string(written)
	for _, part := range []string{`{address: "127.0.0.1", port_value: 4001}`, `{address: "::1", port_value: 4002}`, directory + "/contract.binpb"} {
		if !strings.Contains(config, part) {
			t.Errorf("%s is missing", part)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
