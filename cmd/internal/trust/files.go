package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// FromFiles trusts the CAs of a PEM file, and shows the certificate of two others. The
// certificate must be of one of the CAs, for clients and servers alike, and name the
// member: see [MemberOf].
func FromFiles(ca, cert, key string) (*Trust, error) {
	return newTrust(func() (*identity, error) { return readIdentity(ca, cert, key) })
}

func readIdentity(ca, cert, key string) (*identity, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the cluster's CA: %s holds no certificate in PEM", ca)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the member's certificate %s with key %s: %w", cert, key, err)
	}
	id := &identity{roots: roots, cert: &pair}
	if err := id.check(); err != nil {
		return nil, fmt.Errorf("the certificate in %s cannot serve with the CA in %s: %w", cert, ca, err)
	}
	return id, nil
}

// check wants what other members will want.
func (id *identity) check() error {
	chain := make([]*x509.Certificate, len(id.cert.Certificate))
	for i, der := range id.cert.Certificate {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return err
		}
	}
	if MemberOf(chain[0]) == "" {
		return errors.New("it names no member: want its name as common name or as a DNS name")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := id.verify(chain, usage); err != nil {
			return err
		}
	}
	return nil
}

// The files of a CA, in its folder.
const (
	caFile    = "ca.pem"
	caKeyFile = "ca-key.pem"
)

// WriteCA makes a CA and writes it into the folder, which must be there. It overwrites
// nothing. The results are the paths of its certificate and of its key.
func WriteCA(dir string, valid time.Duration) (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	ca, err := newCA(private, now.Add(-issuedFor), now.Add(valid))
	if err != nil {
		return "", "", fmt.Errorf("make a CA: %w", err)
	}
	cert, key = filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile)
	return cert, key, writePair(cert, key, ca.cert.Raw, private)
}

// Certificate is what WriteCert makes.
type Certificate struct {
	Member string
	Hosts  []string // DNS names and IP addresses, for those who serve the API with it too
	Valid  time.Duration
}

// WriteCert issues the certificate of a member by the CA that WriteCA wrote into caDir,
// and writes it and its key into dir. It overwrites nothing. The results are the paths.
func WriteCert(caDir, dir string, c Certificate) (cert, key string, err error) {
	if c.Member == "" || c.Member == "ca" || strings.ContainsAny(c.Member, `/\`) {
		return "", "", fmt.Errorf("member %q cannot name a file: want the node-name of a member, without slashes, and not \"ca\"", c.Member)
	}
	ca, err := readCA(caDir)
	if err != nil {
		return "", "", err
	}
	now := time.Now()
	template := memberCertificate(c.Member, now.Add(-issuedFor), now.Add(c.Valid))
	for _, host := range c.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	issued, err := ca.issue(template)
	if err != nil {
		return "", "", fmt.Errorf("issue the certificate of member %q: %w", c.Member, err)
	}
	cert, key = filepath.Join(dir, c.Member+".pem"), filepath.Join(dir, c.Member+"-key.pem")
	return cert, key, writePair(cert, key, issued.Leaf.Raw, issued.PrivateKey.(*ecdsa.PrivateKey))
}

func readCA(dir string) (*authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, caFile), filepath.Join(dir, caKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read the CA in %s (`orrery tls ca` makes one): %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("read the CA in %s: it is none that `orrery tls ca` made: a CA with an ECDSA key", dir)
	}
	return &authority{pair.Leaf, key}, nil
}

// writePair writes both files or none.
func writePair(certPath, keyPath string, cert []byte, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeNew(keyPath, &pem.Block{Type: "PRIVATE KEY", Bytes: der}); err != nil {
		return err
	}
	if err := writeNew(certPath, &pem.Block{Type: "CERTIFICATE", Bytes: cert}); err != nil {
		return errors.Join(err, os.Remove(keyPath))
	}
	return nil
}

func writeNew(path string, block *pem.Block) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(pem.Encode(f, block), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
