package trust_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"orrery/cmd/internal/trust"
)

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func fromKey(t *testing.T, key byte, member string) *trust.Trust {
	t.Helper()
	tr, err := trust.FromKey(keyOf(key), member)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// meet has a client and a server shake hands and say a byte. The errors are what each
// side saw.
func meet(t *testing.T, client, server *tls.Config) (seen tls.ConnectionState, clientErr, serverErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		raw, err := l.Accept()
		if err == nil {
			defer raw.Close()
			s := tls.Server(raw, server)
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte{1})
			}
			seen = s.ConnectionState()
		}
		done <- err
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, client)
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
	}
	raw.Close()
	serverErr = <-done // before seen is read
	return seen, clientErr, serverErr
}

func TestMembersOfOneKeyTrustEachOther(t *testing.T) {
	for _, name := range []string{"a", "Node_7", "b.example.com", "ünïcode", "with space/slash", strings.Repeat("x", 128)} {
		a, b := fromKey(t, 1, name), fromKey(t, 1, "b")
		seen, err1, err2 := meet(t, a.Client("b", "h2"), b.Server("http/1.1", "h2"))
		if err1 != nil || err2 != nil {
			t.Fatalf("%s: client %v, server %v", name, err1, err2)
		}
		if got := trust.MemberOf(seen.PeerCertificates[0]); got != name || a.Member() != name {
			t.Errorf("the server met %q, who calls itself %q, want %q", got, a.Member(), name)
		}
		if seen.NegotiatedProtocol != "h2" || seen.Version != tls.VersionTLS13 {
			t.Errorf("they speak %q by version %x", seen.NegotiatedProtocol, seen.Version)
		}
	}
	if _, err1, err2 := meet(t, fromKey(t, 1, "a").Client(""), fromKey(t, 1, "b").Server()); err1 != nil || err2 != nil {
		t.Errorf("a client of any member: %v, %v", err1, err2)
	}
}

func TestWhoIsRefused(t *testing.T) {
	a, b, stranger := fromKey(t, 1, "a"), fromKey(t, 1, "b"), fromKey(t, 2, "a")
	bare := b.Client("b")
	bare.GetClientCertificate = nil
	old := a.Client("b")
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12

	for name, c := range map[string]struct {
		client, server *tls.Config
		refuser        string
		want           string
	}{
		"another key, by the server": {stranger.Client(""), lenient(b.Server()), "client", "none of this cluster"},
		"another key, by the client": {lenient(stranger.Client("b")), b.Server(), "server", "none of this cluster"},
		"no certificate":             {bare, b.Server(), "server", "certificate"},
		"another member than wanted": {a.Client("c"), b.Server(), "client", `of member "b", want member "c"`},
		"an older TLS":               {old, b.Server(), "server", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			_, clientErr, serverErr := meet(t, c.client, c.server)
			err := map[string]error{"client": clientErr, "server": serverErr}[c.refuser]
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the %s says %v, want it to say %q", c.refuser, err, c.want)
			}
		})
	}
}

// lenient verifies nothing itself, to see what the other side does.
func lenient(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.VerifyConnection = nil
	return c
}

func TestACertificateIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fromKey(t, 1, "a"), fromKey(t, 1, "b")
		client, server := a.Client("b"), b.Server()
		first, _, _ := meet(t, client, server)
		for day := range 30 {
			time.Sleep(25 * time.Hour)
			seen, err1, err2 := meet(t, client, server)
			if err1 != nil || err2 != nil {
				t.Fatalf("day %d: client %v, server %v", day, err1, err2)
			}
			if seen.PeerCertificates[0].Equal(first.PeerCertificates[0]) {
				t.Fatalf("day %d: still the first certificate", day)
			}
		}
		next, _, _ := meet(t, client, server)
		again, _, _ := meet(t, client, server)
		if !next.PeerCertificates[0].Equal(again.PeerCertificates[0]) {
			t.Error("a new certificate for each connection, want one for hours")
		}
	})
}

// A member whose clock is behind by hours meets one whose clock is right.
func TestClocksMayDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		early := fromKey(t, 1, "early")
		shown, err := early.Client("").GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []time.Duration{-11 * time.Hour, 11 * time.Hour} {
			now := time.Now().Add(off)
			if shown.Leaf.NotBefore.After(now) || shown.Leaf.NotAfter.Before(now) {
				t.Errorf("not valid for a clock that is off by %v", off)
			}
		}
	})
}

func TestInsecureHasNoTLS(t *testing.T) {
	i := trust.Insecure()
	if i.Secure() || i.Server() != nil || i.Client("b") != nil || i.Member() != "" || i.Reload() != nil {
		t.Errorf("insecure: %v %v %v %q", i.Secure(), i.Server(), i.Client("b"), i.Member())
	}
}

func TestAKeyOfAnotherLengthIsRefused(t *testing.T) {
	for _, key := range [][]byte{nil, make([]byte, 16), make([]byte, 33)} {
		if _, err := trust.FromKey(key, "a"); err == nil || !strings.Contains(err.Error(), "want 32") {
			t.Errorf("%d bytes: %v", len(key), err)
		}
	}
	if _, err := trust.FromKey(keyOf(1), ""); err == nil {
		t.Error("a member without a name was given a certificate")
	}
}

// authority writes a CA and certificates of members into a folder.
func authority(t *testing.T, members ...string) string {
	t.Helper()
	dir := t.TempDir()
	if _, _, err := trust.WriteCA(dir, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if _, _, err := trust.WriteCert(dir, dir, trust.Certificate{Member: m, Hosts: []string{"localhost", "127.0.0.1"}, Valid: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func fromFiles(dir, member string) (*trust.Trust, error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	return trust.FromFiles(in("ca.pem"), in(member+".pem"), in(member+"-key.pem"))
}

func TestFiles(t *testing.T) {
	dir := authority(t, "a", "b")
	a, err := fromFiles(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := fromFiles(dir, "b")
	if err != nil {
		t.Fatal(err)
	}
	seen, err1, err2 := meet(t, a.Client("b"), b.Server())
	if err1 != nil || err2 != nil {
		t.Fatalf("client %v, server %v", err1, err2)
	}
	cert := seen.PeerCertificates[0]
	if a.Member() != "a" || trust.MemberOf(cert) != "a" {
		t.Errorf("a is %q, and %q to others", a.Member(), trust.MemberOf(cert))
	}
	if err := cert.VerifyHostname("localhost"); err != nil {
		t.Error(err)
	}
	if err := cert.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if _, err1, err2 := meet(t, fromKey(t, 1, "a").Client("b"), b.Server()); err1 == nil && err2 == nil {
		t.Error("a certificate of a key was taken by a CA of files")
	}
}

func TestWhatIsWrittenIsPrivateAndNothingIsOverwritten(t *testing.T) {
	dir := authority(t, "a")
	before := map[string]string{}
	for _, name := range []string{"ca.pem", "ca-key.pem", "a.pem", "a-key.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
		text, _ := os.ReadFile(filepath.Join(dir, name))
		before[name] = string(text)
	}
	if _, _, err := trust.WriteCA(dir, time.Hour); !os.IsExist(err) {
		t.Errorf("a second CA: %v", err)
	}
	if _, _, err := trust.WriteCert(dir, dir, trust.Certificate{Member: "a", Valid: time.Hour}); !os.IsExist(err) {
		t.Errorf("a second certificate: %v", err)
	}
	for name, want := range before {
		if text, _ := os.ReadFile(filepath.Join(dir, name)); string(text) != want {
			t.Errorf("%s has changed", name)
		}
	}
	for _, member := range []string{"", "ca", "../a", `a\b`} {
		if _, _, err := trust.WriteCert(dir, dir, trust.Certificate{Member: member, Valid: time.Hour}); err == nil {
			t.Errorf("member %q got files", member)
		}
	}
	if _, _, err := trust.WriteCert(t.TempDir(), dir, trust.Certificate{Member: "b", Valid: time.Hour}); err == nil || !strings.Contains(err.Error(), "orrery tls ca") {
		t.Errorf("without a CA: %v", err)
	}
}

func TestReloadTakesAllOrNothing(t *testing.T) {
	dir, other := authority(t, "a", "b"), authority(t, "a")
	a, err := fromFiles(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := fromFiles(dir, "b")
	client, server := a.Client("b"), b.Server() // made once, they follow
	works := func() bool {
		_, err1, err2 := meet(t, client, server)
		return err1 == nil && err2 == nil
	}
	replace := func(from, name string) {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !works() {
		t.Fatal("a and b do not meet")
	}

	replace(other, "a.pem") // its key and its CA are still the old ones
	if err := a.Reload(); err == nil || !strings.Contains(err.Error(), "a.pem") {
		t.Errorf("certificate without its key: %v", err)
	}
	replace(other, "a-key.pem")
	if err := a.Reload(); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("certificate of another CA: %v", err)
	}
	if !works() {
		t.Error("a bad file was taken")
	}

	replace(other, "ca.pem") // now all is of the other CA
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if works() {
		t.Error("the new CA was not taken")
	}
}

func TestBadFiles(t *testing.T) {
	dir := authority(t, "a")
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("junk.pem"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][4]string{
		"no CA":          {in("none.pem"), in("a.pem"), in("a-key.pem"), "none.pem"},
		"CA not PEM":     {in("junk.pem"), in("a.pem"), in("a-key.pem"), "junk.pem holds no certificate"},
		"no certificate": {in("ca.pem"), in("none.pem"), in("a-key.pem"), "none.pem"},
		"key of another": {in("ca.pem"), in("a.pem"), in("ca-key.pem"), "ca-key.pem"},
	} {
		if _, err := trust.FromFiles(files[0], files[1], files[2]); err == nil || !strings.Contains(err.Error(), files[3]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNamesOfForeignCertificates(t *testing.T) {
	for want, cert := range map[string]*x509.Certificate{
		"":  {},
		"d": {DNSNames: []string{"d", "e"}},
	} {
		if got := trust.MemberOf(cert); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
