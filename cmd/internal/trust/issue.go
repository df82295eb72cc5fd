package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// A certificate issued in memory is valid for a day before and a day after, and issued
// again every half day: so it also serves members whose clocks are half a day apart. A
// shorter life would protect nothing, since who has the key can issue what it wants.
const (
	issuedFor  = 24 * time.Hour
	renewEvery = 12 * time.Hour
)

// keySize is of the secret in bytes.
const keySize = 32

// FromKey derives the cluster's CA from the secret of 32 bytes that all members share,
// and issues the certificate of this member in memory.
func FromKey(key []byte, member string) (*Trust, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("the `encrypt` key has %d bytes, want %d: `orrery keygen` makes one", len(key), keySize)
	}
	if member == "" {
		return nil, fmt.Errorf("a member's certificate wants the member's name")
	}
	ca, err := deriveCA(key)
	if err != nil {
		return nil, fmt.Errorf("derive the cluster's CA: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	return newTrust(func() (*identity, error) {
		now := time.Now()
		cert, err := ca.issue(memberCertificate(member, now.Add(-issuedFor), now.Add(issuedFor)))
		if err != nil {
			return nil, fmt.Errorf("issue the certificate of member %q: %w", member, err)
		}
		return &identity{roots: roots, cert: cert, issued: now}, nil
	})
}

// authority is a CA with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// deriveCA returns the same key and the same name for the same secret. The signature of
// the certificate differs, which nobody looks at in a root.
func deriveCA(secret []byte) (*authority, error) {
	// 16 bytes more than the order of the curve has, so that the remainder is even to
	// within 2⁻¹²⁸ (FIPS 186-5, A.2.1).
	const label = "orrery cluster CA, P-256, 1"
	b, err := hkdf.Key(sha256.New, secret, nil, label, 32+16)
	if err != nil {
		return nil, err
	}
	curve := elliptic.P256()
	one := big.NewInt(1)
	d := new(big.Int).SetBytes(b)
	d.Mod(d, new(big.Int).Sub(curve.Params().N, one)).Add(d, one)
	key, err := ecdsa.ParseRawPrivateKey(curve, d.FillBytes(make([]byte, 32)))
	if err != nil {
		return nil, err
	}
	// It is valid whatever clocks say, as the secret is.
	return newCA(key, time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
}

// newCA signs a CA by itself.
func newCA(key *ecdsa.PrivateKey, notBefore, notAfter time.Time) (*authority, error) {
	t := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "orrery cluster CA"},
		NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// memberCertificate is what a member's certificate says. Members are both sides of
// connections.
func memberCertificate(member string, notBefore, notAfter time.Time) *x509.Certificate {
	uri := memberURI
	uri.Path += member
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: member},
		URIs:      []*url.URL{&uri},
		NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// issue signs what t says for a key of its own.
func (ca *authority) issue(t *x509.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
