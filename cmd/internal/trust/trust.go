// Package trust says who is a member of the cluster. Members prove it to each other by
// certificates: of a CA that every member derives from the one secret that they share,
// or of a CA that the operator keeps in files. Both sides of a connection verify the
// other, by TLS 1.3.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Trust is what a member shows and whom it believes. It may be used from everywhere at
// once. Configurations made from it follow what Reload reads.
type Trust struct {
	source  func() (*identity, error) // nil: insecure
	mu      sync.Mutex                // one source call at a time
	current atomic.Pointer[identity]
}

// identity is what holds until it is renewed.
type identity struct {
	roots  *x509.CertPool
	cert   *tls.Certificate // its Leaf is set
	issued time.Time        // zero: it is read from files and renewed by Reload alone
}

// newTrust fails when the source has nothing to begin with.
func newTrust(source func() (*identity, error)) (*Trust, error) {
	t := &Trust{source: source}
	if err := t.Reload(); err != nil {
		return nil, err
	}
	return t, nil
}

// Insecure is for who wants no TLS: anybody who reaches the port is a member.
func Insecure() *Trust { return new(Trust) }

// Secure reports whether there is TLS.
func (t *Trust) Secure() bool { return t.source != nil }

// Member is the name in the own certificate; "" when insecure.
func (t *Trust) Member() string {
	if !t.Secure() {
		return ""
	}
	return MemberOf(t.identity().cert.Leaf)
}

// Reload reads the files again, or issues a new certificate where there are none. After
// an error all stays as it was.
func (t *Trust) Reload() error {
	if !t.Secure() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id, err := t.source()
	if err != nil {
		return err
	}
	t.current.Store(id)
	return nil
}

// identity is what to show now.
func (t *Trust) identity() *identity {
	id := t.current.Load()
	if !id.issued.IsZero() && time.Since(id.issued).Abs() > renewEvery {
		_ = t.Reload() // the old one is valid for long yet, and the next handshake tries again
		id = t.current.Load()
	}
	return id
}

// Server is for accepting connections of members that speak one of the protocols. It is
// nil when insecure.
func (t *Trust) Server(protocols ...string) *tls.Config {
	if !t.Secure() {
		return nil
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             protocols,
		ClientAuth:             tls.RequireAnyClientCert, // verified below, by what is trusted then
		SessionTicketsDisabled: true,                     // each connection shows its certificate
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.identity().cert, nil },
		VerifyConnection:       func(s tls.ConnectionState) error { return t.verify(s, x509.ExtKeyUsageClientAuth, "") },
	}
}

// Client is for connecting to the member of that name, or to any when it is "". It is nil
// when insecure.
func (t *Trust) Client(member string, protocols ...string) *tls.Config {
	if !t.Secure() {
		return nil
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           protocols,
		InsecureSkipVerify:   true, // the name of a member is no name of a host; verified below
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.identity().cert, nil },
		VerifyConnection:     func(s tls.ConnectionState) error { return t.verify(s, x509.ExtKeyUsageServerAuth, member) },
	}
}

// verify wants a certificate of the cluster, and of the member unless that is "".
func (t *Trust) verify(s tls.ConnectionState, usage x509.ExtKeyUsage, member string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("no certificate was shown, want one of this cluster")
	}
	leaf := s.PeerCertificates[0]
	name := MemberOf(leaf)
	if err := t.identity().verify(s.PeerCertificates, usage); err != nil {
		return fmt.Errorf("the certificate of %q is none of this cluster (another `encrypt` key, another CA, or a clock that is far off?): %w", name, err)
	}
	switch {
	case name == "":
		return errors.New("the certificate names no member: want its name as common name or as a DNS name")
	case member != "" && member != name:
		return fmt.Errorf("the certificate is of member %q, want member %q", name, member)
	}
	return nil
}

// verify wants a chain from the first certificate to a root.
func (id *identity) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: id.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// MemberOf is the name of the member that a certificate is for: of its URI
// orrery://member/NAME, else its common name, else its first DNS name. "" when it has none.
func MemberOf(cert *x509.Certificate) string {
	for _, u := range cert.URIs {
		if u.Scheme == memberURI.Scheme && u.Host == memberURI.Host && len(u.Path) > 1 {
			return u.Path[1:]
		}
	}
	if cert.Subject.CommonName == "" && len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	return cert.Subject.CommonName
}

// memberURI is for names that are no names of hosts, as those of members may be.
var memberURI = url.URL{Scheme: "orrery", Host: "member", Path: "/"}
