package raft

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orrery/actors"
	"orrery/netsim"
	"orrery/sim/disk"
	"orrery/store"
	"orrery/store/logtest"

	"pgregory.net/rapid"
)

// deed is one thing done to a cluster in a storm, how long it lasts and how long it takes
// to the next one.
type deed struct {
	kind  deedKind
	a, b  int
	lasts time.Duration
	wait  time.Duration
}

type deedKind int

const (
	propose deedKind = iota
	verify
	flood
	crash
	powerLoss
	pause
	isolate
	oneWay
	clog
	rain
	transfer
	busy
	ambush
	blackout
	deedKinds
)

var deedTexts = [deedKinds]string{
	"propose", "verify", "flood", "crash", "power-loss", "pause",
	"isolate", "one-way", "clog", "rain", "transfer", "busy", "ambush", "blackout",
}

func (d deed) String() string {
	return fmt.Sprintf("%s %d %d for %v, then %v", deedTexts[d.kind], d.a, d.b, d.lasts, d.wait)
}

// stormDeeds draws deeds by chance, and twice as many proposals as trouble: there has to
// be something to lose.
func stormDeeds(seed uint64, count int) []deed {
	r := netsim.Stream(seed, "deeds")
	list := make([]deed, count)
	for i := range list {
		kind := deedKind(netsim.Below(r, 3*uint64(deedKinds)))
		if kind >= deedKinds {
			kind %= crash // proposals, checks and floods
		}
		list[i] = deed{
			kind: kind, a: int(netsim.Below(r, 5)), b: int(netsim.Below(r, 5)),
			lasts: netsim.Between(r, 0, 3*time.Second), wait: netsim.Between(r, 0, time.Second),
		}
	}
	return list
}

func drawDeeds(t *rapid.T) []deed {
	one := rapid.Custom(func(t *rapid.T) deed {
		return deed{
			kind:  deedKind(rapid.IntRange(0, int(deedKinds)-1).Draw(t, "kind")),
			a:     rapid.IntRange(0, 4).Draw(t, "a"),
			b:     rapid.IntRange(0, 4).Draw(t, "b"),
			lasts: rapid.SampledFrom([]time.Duration{0, 3 * time.Second, time.Second, 100 * time.Millisecond}).Draw(t, "lasts"),
			wait:  rapid.SampledFrom([]time.Duration{0, time.Millisecond, time.Second, 300 * time.Millisecond, 5 * time.Millisecond}).Draw(t, "wait"),
		}
	})
	return rapid.SliceOfN(one, 30, 100).Draw(t, "deeds")
}

// storm is a cluster to which deeds are done while everything that Raft promises is held
// against what its servers do and say.
type storm struct {
	*cluster
	*logtest.Recorder
	faults  int
	traps   []deed            // not gone off yet
	leaders map[uint64]string // who became leader in a term
	kinds   map[EventKind]int // how often it happened
}

// rough is a disk that is slow now and then and fails now and then.
func rough() disk.Config {
	drive := disk.DefaultConfig()
	drive.Sync.Hi = 5 * time.Millisecond
	drive.SlowPPM, drive.FailPPM = 20_000, 20_000
	return drive
}

func newStorm(t failer, seed uint64, servers int, tune func(*Config)) *storm {
	s := &storm{leaders: map[uint64]string{}, kinds: map[EventKind]int{}}
	s.cluster = newCluster(t, seed, servers, netsim.LAN(), rough(), func(cfg *Config) {
		cfg.SnapshotEvery, cfg.TrailingEntries, cfg.PieceBytes = 40, 10, 500
		cfg.MaxAppendEntries, cfg.Window = 8, 16
		tune(cfg)
	})
	odd := netsim.Stream(seed, "buggify")
	s.buggify = func(string) bool { return netsim.PPM(odd, 50_000) }
	s.Recorder = logtest.NewRecorder(t, servers, suiteCluster{s.cluster, nil}.Log)
	s.deliver = func(on *server, actor string, msg any) {
		if want := addressee(msg); actor != want {
			t.Fatalf("%T goes to actor %q, want %q", msg, actor, want)
		}
		s.Deliver(on.index, msg)
	}
	s.noted = s.judge
	for i := range s.servers {
		s.bring(i)
	}
	return s
}

// addressee is the actor that the port names for a message. The recorder verifies as the
// Gateway does.
func addressee(msg any) string {
	switch msg.(type) {
	case store.ProposalFailed:
		return actors.ProposerName
	case store.Verified:
		return actors.GatewayName
	}
	return actors.StoreName
}

// judge holds an event against the promises of elections.
func (s *storm) judge(on *server, e Event) {
	s.kinds[e.Kind]++
	s.spring(on, e)
	switch e.Kind {
	case BadFrame:
		s.t.Fatalf("%s: %v", on.name, e)
	case BecameLeader:
		if other, ok := s.leaders[e.Term]; ok {
			s.t.Fatalf("election safety: %s and %s both lead in term %d", other, on.name, e.Term)
		}
		s.leaders[e.Term] = on.name
		first, _ := on.node.Bounds()
		for _, entry := range s.Agreed()[min(first-1, uint64(len(s.Agreed()))):] {
			if term, _, ok := on.node.Entry(entry.Index); entry.Term < e.Term && (!ok || term != entry.Term) {
				s.t.Fatalf("leader completeness: %s leads in term %d without %+v", on.name, e.Term, entry)
			}
		}
	}
}

// matching compares the logs of all pairs of servers: what is below an entry that both
// have is equal.
func (s *storm) matching() {
	for i, a := range s.servers {
		for _, b := range s.servers[:i] {
			if a.life != 0 && b.life != 0 {
				s.match(a, b)
			}
		}
	}
}

func (s *storm) match(a, b *server) {
	firstA, lastA := a.node.Bounds()
	firstB, lastB := b.node.Bounds()
	agree := false
	for index := min(lastA, lastB); index >= max(firstA, firstB); index-- {
		termA, dataA, _ := a.node.Entry(index)
		termB, dataB, _ := b.node.Entry(index)
		agree = agree || termA == termB
		if agree && (termA != termB || string(dataA) != string(dataB)) {
			s.t.Fatalf("log matching: %s and %s agree above index %d, where one has term %d and the other %d", a.name, b.name, index, termA, termB)
		}
	}
}

func (s *storm) bring(i int) {
	if s.servers[i].life == 0 {
		s.Begin(i)
		s.servers[i].start()
	}
}

func (s *storm) pass(d time.Duration) {
	s.until(d, func() bool { s.React(); return false })
	s.matching()
}

// do does one deed, and sees to its end. What cannot be done, such as to crash who is
// down, is not.
func (s *storm) do(d deed) {
	on := s.servers[d.a%len(s.servers)]
	other := s.servers[d.b%len(s.servers)]
	s.faults++
	fault := fmt.Sprint("fault ", s.faults)
	end := func() { s.file(s.net.Mend(nil, s.now, fault)) }
	switch d.kind {
	case propose, verify, flood:
		s.ask(d)
	case crash:
		s.end(on.crash, on)
		end = func() { s.bring(on.index) }
	case powerLoss:
		s.end(on.powerLoss, on)
		end = func() { s.bring(on.index) }
	case pause:
		on.paused = on.life != 0
		end = func() { s.wake(on) }
	case ambush, blackout:
		s.traps = append(s.traps, d)
		return
	case isolate:
		s.net.Cut(fault, netsim.Link{From: on.name, To: netsim.Any}, netsim.Link{From: netsim.Any, To: on.name})
	case oneWay:
		s.net.Cut(fault, netsim.Link{From: on.name, To: other.name})
	case clog:
		s.net.Clog(fault, netsim.Link{From: on.name, To: other.name})
	case rain:
		s.net.Disturb(fault, netsim.Noise{Drop: 50_000, Duplicate: 100_000, Corrupt: 10_000, Delay: netsim.Range{Lo: 0, Hi: 80 * time.Millisecond}}, netsim.Everywhere)
	case transfer:
		if l := s.leader(); l != nil && !l.paused {
			l.node.TransferLeadership()
		}
	case busy:
		if server := s.Server(on.index); server != nil {
			server.Hold = true
			end = func() { server.Hold = false }
		}
	}
	s.after(d.lasts, end)
	s.pass(d.wait)
}

func (s *storm) end(how func(), on *server) {
	how()
	s.End(on.index)
}

// wake lets a paused server go on: what its actors do comes before what it missed.
func (s *storm) wake(on *server) {
	if server := s.Server(on.index); server != nil && on.paused && server.Leading > 0 {
		s.Verify(on.index, server.Leading)
	}
	on.resume()
}

// spring lets the traps go off that wait for an event like e: right after it the server
// crashes or loses its power, or all of them do.
func (s *storm) spring(on *server, e Event) {
	baits := [...]EventKind{CommitMoved, BecameLeader, Voted, SnapshotBegun, SnapshotTaken, SnapshotInstalled, DiskFailed}
	s.traps = slices.DeleteFunc(s.traps, func(d deed) bool {
		if baits[(5*d.a+d.b)%len(baits)] != e.Kind && (d.kind == ambush || e.Kind != CommitMoved) {
			return false
		}
		life := on.life
		s.after(0, func() {
			switch {
			case d.kind == blackout:
				for _, on := range s.servers {
					s.end(on.powerLoss, on)
					s.after(d.lasts, func() { s.bring(on.index) })
				}
			case on.life == life:
				s.end([]func(){on.crash, on.powerLoss}[d.a%2], on)
				s.after(d.lasts, func() { s.bring(on.index) })
			}
		})
		return true
	})
}

// ask proposes and verifies at every server that believes to lead.
func (s *storm) ask(d deed) {
	for i, on := range s.servers {
		server := s.Server(i)
		if server == nil || server.Leading == 0 || on.paused {
			continue
		}
		switch d.kind {
		case verify:
			s.Verify(i, server.Leading)
		case propose:
			for range 1 + d.b {
				s.Propose(i, server.Leading)
			}
		case flood:
			for range 60 {
				s.Propose(i, server.Leading)
			}
		}
	}
}

// calm ends all faults and waits until all servers have one state, and can go on.
func (s *storm) calm() {
	s.traps = nil
	s.file(s.net.HealAll(nil, s.now))
	for i, on := range s.servers {
		on.resume()
		s.bring(i)
		s.Server(i).Hold = false
	}
	done := func() bool {
		s.React()
		for i := range s.servers {
			if len(s.Server(i).Applied) < len(s.Agreed()) {
				return false
			}
		}
		return true
	}
	for try := range 60 {
		s.ask(deed{kind: propose})
		before := len(s.Agreed())
		s.pass(500 * time.Millisecond)
		if try > 2 && len(s.Agreed()) > before && s.until(5*time.Second, done) {
			s.matching()
			s.quiet()
			return
		}
	}
	s.t.Fatalf("seed %d: a minute after all faults ended the servers have %d entries, of which %d, %d … are applied",
		s.seed, len(s.Agreed()), len(s.Server(0).Applied), len(s.Server(1).Applied))
}

// quiet holds how much was said against what there was to say: servers that ask each
// other the same again and again are not found by what comes of it.
//
// And it looks at what is left on the disks: each record belongs to the log, its snapshot
// or one that is being taken.
func (s *storm) quiet() {
	for _, on := range s.servers {
		n := on.node
		s.until(time.Second, func() bool { s.React(); return n.disk.newest() == n.disk.durable })
		want := wanted(n)
		if n.taking != nil {
			want += int(n.taking.pieces)
		}
		if left := on.disk.Records("raft/"); len(left) != want {
			s.t.Fatalf("seed %d: %s has %d records on its disk, want %d", s.seed, on.name, len(left), want)
		}
	}

	const most = 300 // a second, where 40 are heartbeats and a storm has 80 on average
	if seconds := uint64(s.now / time.Second); s.frames > most*(seconds+1) {
		s.t.Fatalf("seed %d: %d frames in %d s", s.seed, s.frames, seconds)
	}
}

func (s *storm) rage(deeds []deed) {
	s.pass(time.Second)
	for _, d := range deeds {
		s.do(d)
	}
	s.calm()
}

// TestStorm is the property of the package: whatever is done to the servers, they keep
// the promises of Raft and of the port, and come together again afterwards.
func TestStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		servers := rapid.SampledFrom([]int{3, 5, 3, 2, 1}).Draw(t, "servers")
		newStorm(t, rapid.Uint64Range(0, 1<<20).Draw(t, "seed"), servers, func(*Config) {}).rage(drawDeeds(t))
	})
}

// tooRare are probes that 20 storms need not reach, and the tests that go there.
var tooRare = map[string]func(*testing.T){
	probeCandidateDiskFails: TestAServerWhoseDiskFailsIsNoCandidate,
	probeTransferTimedOut:   TestTransferToADeadHeir,
	probeSnapshotOvertaken:  TestASnapshotThatWasOvertakenIsNotRestored,
	probeSnapshotEndsTaking: TestInstallingEndsTaking,
	probeVoteOlder:          TestRecover,
}

// TestStormReachesAll runs long storms and looks whether they came by all that may happen.
func TestStormReachesAll(t *testing.T) {
	kinds, probes := map[EventKind]int{}, map[string]int{}
	restores := 0
	for seed := range uint64(20) {
		s := newStorm(t, seed, 3, func(*Config) {})
		s.rage(stormDeeds(seed, 120))
		for kind, count := range s.kinds {
			kinds[kind] += count
		}
		for name, count := range s.probes {
			probes[name] += count
		}
		for i := range s.servers {
			restores += s.Server(i).Restores
		}
	}
	for kind := BecameCandidate; kind < BadFrame; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("%v: never in 20 storms", kind)
		}
	}
	for _, p := range Probes {
		if _, rare := tooRare[p.Name]; probes[p.Name] == 0 && !rare {
			t.Errorf("%s: never in 20 storms", p.Name)
		}
		delete(probes, p.Name)
	}
	if len(probes) > 0 {
		t.Errorf("not listed: %v", probes)
	}
	if restores == 0 {
		t.Error("no Store was given a snapshot")
	}
}

// TestSameSeedSameStorm runs a storm twice: every message and event has to be the same.
func TestSameSeedSameStorm(t *testing.T) {
	story := func(seed uint64) (lines []string) {
		s := newStorm(t, seed, 3, func(*Config) {})
		deliver, noted := s.deliver, s.noted
		s.deliver = func(on *server, actor string, msg any) {
			lines = append(lines, fmt.Sprintf("%v %s %s %T", s.now, on.name, actor, msg))
			deliver(on, actor, msg)
		}
		s.noted = func(on *server, e Event) {
			lines = append(lines, fmt.Sprintf("%v %s %v", s.now, on.name, e))
			noted(on, e)
		}
		s.rage(stormDeeds(seed, 60))
		return lines
	}
	first := story(1)
	if !slices.Equal(first, story(1)) {
		t.Error("one seed, two storms")
	}
	if slices.Equal(first, story(2)) {
		t.Error("two seeds, one storm")
	}
}

// caught is what a storm that must fail says.
type caught struct{ text string }

// catcher is a failer that tells who runs the storm.
type catcher struct{}

func (catcher) Helper() {}

func (catcher) Fatalf(format string, args ...any) { panic(caught{fmt.Sprintf(format, args...)}) }

// TestKnobs breaks each rule and expects the storms to notice, by the right promise.
func TestKnobs(t *testing.T) {
	promises := map[string]string{
		voteTwice:           "election safety",
		commitWithoutQuorum: "leader completeness",
		deliverUnpersisted:  "leader completeness",
		staleVerify:         "when a later term had a leader before it asked",
		gainedBeforeApplied: "gained leadership in term",
	}
	for _, knob := range Knobs {
		t.Run(knob.Name, func(t *testing.T) {
			const most = 300
			seen := map[string]bool{}
			for seed := range uint64(most) {
				text := mustFail(seed, knob.Name)
				if strings.Contains(text, promises[knob.Name]) {
					t.Logf("seed %d: %s", seed, text)
					return
				}
				seen[text] = true
			}
			t.Errorf("no storm of %d broke %q; they said %v", most, promises[knob.Name], seen)
		})
	}
}

func mustFail(seed uint64, knob string) (text string) {
	defer func() {
		if failure, ok := recover().(caught); ok {
			text = failure.text
		}
	}()
	newStorm(catcher{}, seed, 3, func(cfg *Config) { cfg.Break(knob) }).rage(stormDeeds(seed, 80))
	return ""
}
