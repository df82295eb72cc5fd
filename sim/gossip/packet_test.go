package gossip

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"orrery/actors"
	"orrery/netsim"
)

// samples are one packet of each kind.
func samples() map[string]packet {
	alive := news{Member: actors.Member{Name: "m1", Incarnation: 1_790_000_000, Server: true, Tags: noTags}, version: 1}
	left := news{
		Member:  actors.Member{Name: "m2", Incarnation: 7, Status: actors.MemberLeft, Tags: map[string]string{"role": "db", "": "x"}},
		version: maxVersion,
	}
	return map[string]packet{
		"ping":     {kind: ping, seq: 1},
		"pong":     {kind: pong, seq: 1<<64 - 1, target: "m2", news: []news{alive}},
		"ping for": {kind: pingFor, seq: 3, target: "m3"},
		"all, ask": {kind: allAndAsk, news: []news{alive, left}},
		"all":      {kind: all, news: []news{left}},
	}
}

func TestPacketsComeThrough(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			got, err := decode(want.encode())
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestWhatDoesNotDecode(t *testing.T) {
	header := packet{kind: ping}.header()
	member := func(change func(*news)) []byte {
		n := news{Member: actors.Member{Name: "m1", Incarnation: 1}, version: 1}
		change(&n)
		return packet{kind: all, news: []news{n}}.encode()
	}
	plain := member(func(*news) {})
	server := len(plain) - 2 // before the count of tags
	tests := map[string][]byte{
		"nothing":                 nil,
		"another format":          append([]byte{format + 1}, header[1:]...),
		"no kind":                 {format, 0, 0, 0},
		"an unknown kind":         {format, byte(all) + 1, 0, 0},
		"no sequence number":      {format, byte(ping)},
		"an endless number":       append([]byte{format, byte(ping)}, bytes.Repeat([]byte{0xff}, 11)...),
		"a target that ends":      {format, byte(ping), 0, 5, 'm'},
		"a member without name":   member(func(n *news) { n.Name = "" }),
		"a status beyond left":    member(func(n *news) { n.Status = actors.MemberLeft + 1 }),
		"a member that said none": member(func(n *news) { n.version = 0 }),
		"a version out of bounds": member(func(n *news) { n.version = maxVersion + 1 }),
		"neither server nor not":  append(append(bytes.Clone(plain[:server]), 2), 0),
		"more tags than bytes":    append(bytes.Clone(plain[:len(plain)-1]), 0xff, 0xff, 0xff, 0xff, 0x0f),
		"something behind":        append(bytes.Clone(plain), 0),
	}
	if _, err := decode(plain); err != nil {
		t.Fatal("the plain member does not decode")
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			if p, err := decode(b); err == nil {
				t.Errorf("%x decodes: %+v", b, p)
			}
		})
	}
	for name, p := range samples() {
		whole := p.encode()
		for i := range whole {
			got, err := decode(whole[:i])
			if err == nil && len(got.news) >= len(p.news) && len(p.news) > 0 {
				t.Errorf("%s: %d of its %d bytes decode", name, i, len(whole))
			}
		}
	}
}

// FuzzDecode holds that whatever decodes means the same when it is said again, and that a
// node survives it.
func FuzzDecode(f *testing.F) {
	for _, p := range samples() {
		f.Add(p.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := New(silent{}, netsim.Stream(1, "fuzz"), Config{Self: "m1", Incarnation: 7, Join: []string{"m2"}})
		n.Start()
		n.Receive("m2", b)
		n.Receive("m2", b)
		if self := n.self(); self.Status != actors.MemberAlive || self.Incarnation != 7 {
			t.Fatalf("the node takes itself for %+v", self.news)
		}
		p, err := decode(b)
		if err != nil {
			return
		}
		if again, err := decode(p.encode()); err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%+v became %+v, %v", p, again, err)
		}
	})
}

// silent is a host on which nothing ever happens.
type silent struct{ host }

func (silent) After(time.Duration, func()) func() { return func() {} }
func (silent) Send(string, []byte)                {}
func (silent) Changed(actors.Member)              {}

// TestPacketsAreBounded holds the sizes that maxPacket and maxSync promise.
func TestPacketsAreBounded(t *testing.T) {
	tests := map[string]struct {
		members, tag int // a tag's length
		syncs        int // packets for all that is known
	}{
		"a handful":           {5, 10, 1},
		"205 members":         {205, 50, 1},
		"205 with large tags": {205, 900, 4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out := &collector{}
			n := New(out, netsim.Stream(1, "size"), Config{Self: "self", Incarnation: 1})
			for i := range test.members - 1 {
				n.learn(news{Member: actors.Member{
					Name: fmt.Sprintf("m%d", i), Incarnation: 1_790_000_000,
					Tags: map[string]string{"role": strings.Repeat("x", test.tag)},
				}, version: 1})
			}
			for range 100 {
				n.send("m1", packet{kind: ping})
			}
			for _, b := range out.packets {
				if len(b) > maxPacket {
					t.Fatalf("a probe has %d bytes", len(b))
				}
			}
			out.packets = nil
			n.sync("m1", allAndAsk)
			told := map[string]bool{}
			for i, b := range out.packets {
				p, err := decode(b)
				if err != nil || len(b) > maxSync || (p.kind == allAndAsk) != (i == 0) {
					t.Fatalf("packet %d: kind %d, %d bytes, %v", i, p.kind, len(b), err)
				}
				for _, s := range p.news {
					told[s.Name] = true
				}
			}
			if len(out.packets) != test.syncs || len(told) != test.members {
				t.Errorf("%d packets tell of %d members, want %d of %d", len(out.packets), len(told), test.syncs, test.members)
			}
		})
	}
}

// collector keeps what a node sends.
type collector struct {
	silent
	packets [][]byte
}

func (c *collector) Send(_ string, b []byte) { c.packets = append(c.packets, b) }

// TestNewsThatAreTooLargeGoAlone holds that news beyond a packet still travel.
func TestNewsThatAreTooLargeGoAlone(t *testing.T) {
	out := &collector{}
	n := New(out, netsim.Stream(1, "size"), Config{Self: "self", Incarnation: 1})
	n.SetTags(map[string]string{"a": strings.Repeat("x", 2*maxPacket)})
	n.learn(news{Member: actors.Member{Name: "m1"}, version: 1})
	told := map[string]int{}
	for range 50 {
		n.send("m2", packet{kind: ping})
	}
	for _, b := range out.packets {
		p, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.news) > 1 && len(b) > maxPacket {
			t.Errorf("%d news in %d bytes", len(p.news), len(b))
		}
		for _, s := range p.news {
			told[s.Name]++
		}
	}
	if told["self"] == 0 || told["m1"] == 0 {
		t.Errorf("told how often: %v, want both", told)
	}
}

// TestWhoIsDoubtedIsTold holds that what is thought of a member rides first in every
// packet to it, long after it is no rumour any more.
func TestWhoIsDoubtedIsTold(t *testing.T) {
	for status, want := range map[actors.MemberStatus]bool{
		actors.MemberAlive: false, actors.MemberSuspect: true, actors.MemberFailed: true, actors.MemberLeft: false,
	} {
		out := &collector{}
		n := New(out, netsim.Stream(1, "doubt"), Config{Self: "self", Incarnation: 1})
		n.learn(news{Member: actors.Member{Name: "m1", Status: status, Tags: noTags}, version: 1})
		for range 100 {
			n.send("m1", packet{kind: pong})
		}
		p, _ := decode(out.packets[99])
		if got := len(p.news) == 1 && p.news[0].Name == "m1" && p.news[0].Status == status; got != want {
			t.Errorf("status %d: the last packet says %+v", status, p.news)
		}
	}
}

// TestWhatBeatsWhat holds the order of news.
func TestWhatBeatsWhat(t *testing.T) {
	of := func(incarnation, version uint64, status actors.MemberStatus) news {
		return news{Member: actors.Member{Name: "m", Incarnation: incarnation, Status: status}, version: version}
	}
	order := []news{
		of(1, 1, actors.MemberAlive), of(1, 1, actors.MemberSuspect), of(1, 1, actors.MemberFailed),
		of(1, 2, actors.MemberAlive), of(1, 2, actors.MemberFailed), of(1, 3, actors.MemberLeft),
		of(2, 1, actors.MemberAlive), of(2, 1, actors.MemberSuspect), of(3, 1, actors.MemberAlive),
	}
	for i, a := range order {
		for j, b := range order {
			if a.beats(b) != (i > j) {
				t.Errorf("%+v beats %+v: %v", a, b, a.beats(b))
			}
		}
	}
}

// TestHear holds the arrows of learn: what is known, what is heard and how, what is known
// then, as status and version.
func TestHear(t *testing.T) {
	const alive, suspect, failed, left = actors.MemberAlive, actors.MemberSuspect, actors.MemberFailed, actors.MemberLeft
	type word struct {
		incarnation, version uint64
		status               actors.MemberStatus
	}
	tests := map[string]struct {
		of           string
		known, heard word
		in           kind
		want         word
	}{
		"a suspicion":                              {"m1", word{5, 1, alive}, word{5, 1, suspect}, ping, word{5, 1, suspect}},
		"a failure by rumour":                      {"m1", word{5, 1, alive}, word{5, 1, failed}, ping, word{5, 1, failed}},
		"a failure by exchange is doubted":         {"m1", word{5, 1, alive}, word{5, 1, failed}, all, word{5, 1, suspect}},
		"a failure of a suspect is not":            {"m1", word{5, 1, suspect}, word{5, 1, failed}, all, word{5, 1, failed}},
		"a refutation":                             {"m1", word{5, 1, failed}, word{5, 2, alive}, pong, word{5, 2, alive}},
		"the same word does not refute":            {"m1", word{5, 1, suspect}, word{5, 1, alive}, pong, word{5, 1, suspect}},
		"a new incarnation":                        {"m1", word{5, 9, failed}, word{6, 1, alive}, pong, word{6, 1, alive}},
		"an older incarnation is no news":          {"m1", word{5, 1, alive}, word{4, 9, failed}, ping, word{5, 1, alive}},
		"left":                                     {"m1", word{5, 1, failed}, word{5, 2, left}, ping, word{5, 2, left}},
		"back from left":                           {"m1", word{5, 2, left}, word{6, 1, alive}, ping, word{6, 1, alive}},
		"of itself: a suspicion is refuted":        {"self", word{5, 1, alive}, word{5, 1, suspect}, ping, word{5, 2, alive}},
		"of itself: a failure is refuted":          {"self", word{5, 1, alive}, word{5, 4, failed}, all, word{5, 5, alive}},
		"of itself: a leave it did not say is too": {"self", word{5, 1, alive}, word{5, 2, left}, all, word{5, 3, alive}},
		"of itself: old suspicions are over":       {"self", word{5, 3, alive}, word{5, 2, suspect}, ping, word{5, 3, alive}},
		"of itself: its former life is over":       {"self", word{5, 1, alive}, word{4, 7, failed}, ping, word{5, 1, alive}},
		"of itself: another life is not judged":    {"self", word{5, 1, alive}, word{6, 1, alive}, ping, word{5, 1, alive}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := New(silent{}, netsim.Stream(1, "hear"), Config{Self: "self", Incarnation: 1})
			say := func(w word) news {
				return news{Member: actors.Member{Name: test.of, Incarnation: w.incarnation, Status: w.status, Tags: noTags}, version: w.version}
			}
			n.learn(say(test.known))
			n.rumours = nil
			n.hear(say(test.heard), test.in)
			got := n.peers[test.of]
			if (word{got.Incarnation, got.version, got.Status}) != test.want {
				t.Errorf("known then: %+v, want %+v", got.news, test.want)
			}
			if spread := len(n.rumours) > 0; spread != (test.known != test.want) {
				t.Errorf("passed on: %v", spread)
			}
		})
	}
}
