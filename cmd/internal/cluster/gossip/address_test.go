package gossip

import "testing"

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
