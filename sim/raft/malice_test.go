package raft

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/actors"
	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
	"orrery/store/logtest"
)

// watch is a cluster on which one thing goes wrong by chance, and what came of it.
type watch struct {
	*storm
	stepped  map[string]time.Duration // when a server stepped down last
	lateLoss bool                     // a Store heard of it later than that
	events   []Event
}

func newWatch(t *testing.T, chance string) *watch {
	w := &watch{storm: newStorm(t, 1, 3, func(cfg *Config) { cfg.MaxAppendEntries = 100 }), stepped: map[string]time.Duration{}}
	odd := netsim.Stream(1, "odd")
	w.buggify = func(what string) bool { return what == chance && netsim.PPM(odd, 500_000) }
	noted, deliver := w.noted, w.deliver
	w.noted = func(on *server, e Event) {
		w.events = append(w.events, e)
		if e.Kind == SteppedDown {
			w.stepped[on.name] = w.now
		}
		noted(on, e)
	}
	w.deliver = func(on *server, actor string, msg any) {
		if _, ok := msg.(store.LeadershipLost); ok && w.now > w.stepped[on.name] {
			w.lateLoss = true
		}
		deliver(on, actor, msg)
	}
	return w
}

func (w *watch) saw(kind EventKind, text string) bool {
	return slices.ContainsFunc(w.events, func(e Event) bool { return e.Kind == kind && strings.Contains(e.Text, text) })
}

// trouble proposes, and cuts leaders off with proposals on their way.
func (w *watch) trouble() (proposals []*logtest.Proposal) {
	for round := range 12 {
		w.pass(2 * time.Second)
		for i := range w.servers {
			for term := w.Server(i).Leading; term > 0 && len(proposals) < 30*(round+1); {
				proposals = append(proposals, w.Propose(i, term))
			}
		}
		if l := w.leader(); round%2 == 0 && l != nil {
			w.do(deed{kind: isolate, a: l.index, lasts: 1500 * time.Millisecond})
		}
	}
	w.calm()
	return proposals
}

// TestMalice turns on one malice at a time and looks whether it is done: a model that is
// kinder than its port tests nobody.
func TestMalice(t *testing.T) {
	unanswered := func(w *watch, proposals []*logtest.Proposal) bool {
		return slices.ContainsFunc(proposals, func(p *logtest.Proposal) bool {
			_, committed := w.Committed(p)
			return !committed && !p.Unknown && !p.Refused
		})
	}
	tests := map[string]func(w *watch, proposals []*logtest.Proposal) bool{
		"raft/unknown": func(w *watch, proposals []*logtest.Proposal) bool {
			return slices.ContainsFunc(proposals, func(p *logtest.Proposal) bool {
				_, committed := w.Committed(p)
				return committed && p.Unknown
			})
		},
		"raft/never-answer":     unanswered,
		"raft/late-loss":        func(w *watch, _ []*logtest.Proposal) bool { return w.lateLoss },
		"raft/brief-leadership": func(w *watch, _ []*logtest.Proposal) bool { return w.saw(SteppedDown, "by chance") },
		"raft/early-snapshot": func(w *watch, _ []*logtest.Proposal) bool {
			return slices.ContainsFunc(w.events, func(e Event) bool { return e.Kind == SnapshotBegun && e.Index < 40 })
		},
		"raft/abandon-snapshot": func(w *watch, _ []*logtest.Proposal) bool { return w.saw(SnapshotAbandoned, "") },
		"nothing": func(w *watch, proposals []*logtest.Proposal) bool {
			early := slices.ContainsFunc(w.events, func(e Event) bool { return e.Kind == SnapshotBegun && e.Index < 40 })
			return !unanswered(w, proposals) && !w.lateLoss && !early &&
				!w.saw(SteppedDown, "by chance") && !w.saw(SnapshotAbandoned, "")
		},
	}
	for name, done := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWatch(t, name)
			if !done(w, w.trouble()) {
				t.Errorf("%s: nothing was seen of it", name)
			}
		})
	}
}

// calmCluster is three servers on a good day, with Stores that apply at once.
func calmCluster(t *testing.T) *cluster {
	c := newCluster(t, 1, 3, netsim.LAN(), disk.DefaultConfig(), func(*Config) {})
	applyAll(c)
	c.start()
	c.mustLeader()
	c.run(time.Second)
	return c
}

func TestNothingMayComeOfATransfer(t *testing.T) {
	c := calmCluster(t)
	l := c.leader()
	c.buggify = func(what string) bool { return what == "raft/no-transfer" }
	l.node.TransferLeadership()
	c.run(5 * time.Second)
	if c.leader() != l {
		t.Errorf("leadership went from %s to %s", l.name, c.leader().name)
	}
}

// TestTransferToADeadHeir: while leadership is handed over proposals are refused, and
// when nothing comes of it they no longer are.
func TestTransferToADeadHeir(t *testing.T) {
	c := calmCluster(t)
	l := c.leader()
	term, _ := l.node.Leading()
	var refused []uint64
	deliver := c.deliver
	c.deliver = func(s *server, actor string, msg any) {
		if m, ok := msg.(store.ProposalFailed); ok && !m.Unknown && actor == actors.ProposerName {
			refused = append(refused, m.Seq)
		}
		deliver(s, actor, msg)
	}
	l.node.TransferLeadership()
	heir := l.node.lead.heir
	c.net.Partition("heir", []string{heir.name}, []string{l.name})
	l.node.Propose(1, term, []byte("too soon"))
	c.run(2 * time.Second)
	if now, ok := l.node.Leading(); !ok || now != term {
		t.Fatalf("%s leads in term %d: %v, want %d: its heir was cut off", l.name, now, ok, term)
	}
	before := l.node.Committed()
	l.node.Propose(2, term, []byte("in time"))
	c.run(time.Second)
	if !slices.Equal(refused, []uint64{1}) || l.node.Committed() != before+1 {
		t.Errorf("refused %d, committed %d, want [1] and %d", refused, l.node.Committed(), before+1)
	}
}

// TestSmallBatches holds that entries go out one by one when chance wants it.
func TestSmallBatches(t *testing.T) {
	for name, small := range map[string]bool{"small": true, "as large as they are": false} {
		t.Run(name, func(t *testing.T) {
			c := calmCluster(t)
			l := c.leader()
			term, _ := l.node.Leading()
			c.buggify = func(what string) bool { return small && what == "raft/small-batch" }
			before := c.frames
			for i := range 100 {
				l.node.Propose(uint64(i), term, []byte("x"))
			}
			c.run(time.Second)
			if sent := c.frames - before; small != (sent > 300) {
				t.Errorf("%d frames", sent)
			}
		})
	}
}

// TestVerifyBatches holds that checks which come while a round is under way share the next.
func TestVerifyBatches(t *testing.T) {
	c := calmCluster(t)
	l := c.leader()
	term, _ := l.node.Leading()
	verified := map[string]int{}
	c.deliver = func(_ *server, actor string, msg any) {
		if m, ok := msg.(store.Verified); ok && m.OK {
			verified[actor]++
		}
	}
	before := l.node.lead.round
	for i := range uint64(50) {
		l.node.Verify(store.VerifySeq(store.VerifierDispatcher, i), term)
		l.node.Verify(store.VerifySeq(store.VerifierGateway, i), term)
	}
	c.run(20 * time.Millisecond)
	if rounds := l.node.lead.round - before; rounds > 3 || verified[actors.DispatcherName] != 50 || verified[actors.GatewayName] != 50 {
		t.Errorf("%d rounds for 100 checks, of which %v were answered", rounds, verified)
	}
}

func TestConfigIsChecked(t *testing.T) {
	tests := map[string]func(*Config){
		"a stranger":                         func(c *Config) { c.Self = "s9" },
		"heartbeats as rare as elections":    func(c *Config) { c.HeartbeatEvery = c.ElectionTimeout.Lo },
		"an election timeout upside down":    func(c *Config) { c.ElectionTimeout.Hi = c.ElectionTimeout.Lo - 1 },
		"a lease that no heartbeat can keep": func(c *Config) { c.LeaseTimeout = c.HeartbeatEvery },
		"no entries in a frame":              func(c *Config) { c.MaxAppendEntries = 0 },
		"no entries to the Store":            func(c *Config) { c.Window = 0 },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Self, cfg.Servers = "s1", []string{"s1"}
			New(&deaf{}, netsim.Stream(1, "config"), cfg, nil)
			spoil(&cfg)
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "raft: ") {
					t.Errorf("panic %q, want one of raft", text)
				}
			}()
			New(&deaf{}, netsim.Stream(1, "config"), cfg, nil)
		})
	}
}

// TestBreakKnowsEachKnob: a knob that breaks nothing would be caught by nobody.
func TestBreakKnowsEachKnob(t *testing.T) {
	seen := map[knobs]string{{}: "no knob"}
	for _, knob := range Knobs {
		if knob.Component != "raft" || knob.Breaks == "" {
			t.Errorf("%q sits in %q and breaks %q", knob.Name, knob.Component, knob.Breaks)
		}
		var cfg Config
		cfg.Break(knob.Name)
		if other, ok := seen[cfg.broken]; ok {
			t.Errorf("%q breaks the same as %s", knob.Name, other)
		}
		seen[cfg.broken] = knob.Name
	}
	var cfg Config
	if cfg.Break("ignore-fence"); cfg.broken != (knobs{}) {
		t.Error("a knob of another package breaks something")
	}
}
