package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

const (
	validity  = 24 * time.Hour
	clockSkew = 5 * time.Minute
)

// An authority is a CA of one process's life. Keys are P-256, as everywhere in the product.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Utopia peers"},
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, nil
}

// hash by which agents pin the authority.
func (a *authority) hash() string {
	digest := sha256.Sum256(a.certificate.Raw)
	return "sha256:" + hex.EncodeToString(digest[:])
}

// serverConfig is for TLS as the control plane has it: HTTP/2, certificates of clients optional and verified, no sessions resumed. The
// chain holds the authority's certificate, since agents know only its hash.
func (a *authority) serverConfig(address net.Addr) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := leaf("utopia server", x509.ExtKeyUsageServerAuth)
	template.IPAddresses = []net.IP{net.ParseIP(host)}
	der, err := sign(template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	return &tls.Config{
		Certificates:           []tls.Certificate{{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}},
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              roots,
		NextProtos:             []string{"h2"},
		SessionTicketsDisabled: true,
	}, nil
}

// issueNode answers a node's certificate for the key of its request.
func (a *authority) issueNode(request []byte, nodeID string) ([]byte, error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	template := leaf(nodeID, x509.ExtKeyUsageClientAuth)
	template.URIs = []*url.URL{{Scheme: "spiffe", Host: "utopia", Path: "/node/" + nodeID}}
	return sign(template, a.certificate, csr.PublicKey, a.key)
}

func leaf(name string, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
}

func sign(template, parent *x509.Certificate, public any, key *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-clockSkew), now.Add(validity)
	return x509.CreateCertificate(rand.Reader, template, parent, public, key)
}

// newJoinToken has the form of a real one: agents check that before they send it.
func newJoinToken() string {
	id := strings.ToLower(rand.Text())[:10]
	return "utj_" + id + "_" + base64.RawURLEncoding.EncodeToString(randomBytes(32))
}

// newNodeID is a UUID of version 4.
func newNodeID() string {
	id := randomBytes(16)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func randomBytes(count int) []byte {
	bytes := make([]byte, count)
	// It never fails, by its documentation.
	_, _ = rand.Read(bytes)
	return bytes
}
