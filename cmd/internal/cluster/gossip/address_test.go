package gossip

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSplitAddress(t *testing.T) {
	for text, want := range map[string]struct {
		host string
		port int
		ok   bool
	}{
		"10.0.0.1":                  {"10.0.0.1", 7, true},
		"10.0.0.1:5":                {"10.0.0.1", 5, true},
		"name":                      {"name", 7, true},
		"name.example:0":            {"name.example", 0, true},
		":5":                        {"", 5, true},
		"":                          {"", 7, true},
		"::1":                       {"::1", 7, true},
		"[::1]":                     {"::1", 7, true},
		"[::1]:5":                   {"::1", 5, true},
		"2001:db8:0:0:0:0:0:1:8946": {"2001:db8:0:0:0:0:0:1", 8946, true}, // as a template makes it
		"name:port":                 {},
		"name:":                     {},
		"name:65536":                {},
		"name:-1":                   {},
		"a:b:c":                     {},
	} {
		host, port, err := splitAddress(text, 7)
		if host != want.host || port != want.port || (err == nil) != want.ok {
			t.Errorf("%q: %q, %d, %v; want %+v", text, host, port, err, want)
		}
	}
}

func TestRememberedIsRead(t *testing.T) {
	g := &Gossip{cfg: Config{Remember: filepath.Join(t.TempDir(), "peers")}}
	if got := g.remembered(); got != nil {
		t.Errorf("without a file %v is remembered", got)
	}
	text := "10.0.0.1:1\n\nnonsense\n10.0.0.2\n[::1]:5\n" + strings.Repeat("x", 100_000) + "\n"
	if err := os.WriteFile(g.cfg.Remember, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := g.remembered(); !slices.Equal(got, []string{"10.0.0.1:1", "[::1]:5"}) {
		t.Errorf("remembered %v", got)
	}
	many := strings.Repeat("10.0.0.1:1\n", 1000)
	if err := os.WriteFile(g.cfg.Remember, []byte(many), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := g.remembered(); len(got) != maxRemembered {
		t.Errorf("%d addresses are remembered", len(got))
	}
}
