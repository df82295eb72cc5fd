//go:build linux

package live

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Pair is the way from one member to another.
type Pair struct{ From, To string }

// Noise is what happens to packets by chance. The first three are millionths.
type Noise struct {
	Drop      uint32 // a packet of the gossip is lost; what a stream carries comes resend later
	Duplicate uint32 // a packet comes twice; a stream hides it
	Corrupt   uint32 // a bit flips
	Delay     Span
}

// Span is a range of durations, of which chance draws one.
type Span struct{ Lo, Hi time.Duration }

// resend is how long a stream takes to notice that something was lost and to send it
// again: the least time that Linux waits for an acknowledgement.
const resend = 200 * time.Millisecond

// Links is the network between the members as faults have it. All that members say to
// each other passes through relays, which ask it for the fate of each piece.
//
// It is a network as seen from above TCP: what is lost of a stream comes later, and across
// a cut a connection neither carries anything nor breaks, and none can be made.
type Links struct {
	mu      sync.Mutex
	faults  map[string]*linkFault
	chance  *rand.Rand
	changed chan struct{} // closed and replaced whenever a fault begins or ends
}

type linkFault struct {
	cut   bool
	held  bool // packets wait for the end of the cut
	noise Noise
	pairs []Pair
}

func newLinks(seed uint64) *Links {
	return &Links{faults: map[string]*linkFault{}, chance: rand.New(rand.NewPCG(seed, 1)), changed: make(chan struct{})}
}

// Cut lets nothing pass on the pairs until the fault of that name is mended.
func (l *Links) Cut(name string, pairs ...Pair) { l.put(name, &linkFault{cut: true, pairs: pairs}) }

// Clog holds everything on the pairs until the fault of that name is mended; then it comes
// at once.
func (l *Links) Clog(name string, pairs ...Pair) {
	l.put(name, &linkFault{cut: true, held: true, pairs: pairs})
}

// Disturb makes the pairs noisy until the fault of that name is mended.
func (l *Links) Disturb(name string, noise Noise, pairs ...Pair) {
	l.put(name, &linkFault{noise: noise, pairs: pairs})
}

// Mend ends the fault of that name, if it is on.
func (l *Links) Mend(name string) { l.put(name, nil) }

// HealAll ends every fault.
func (l *Links) HealAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.faults)
	l.announce()
}

// Heal ends every fault on the pairs; elsewhere it goes on.
func (l *Links) Heal(pairs ...Pair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		f.pairs = slices.DeleteFunc(slices.Clone(f.pairs), func(p Pair) bool { return slices.Contains(pairs, p) })
	}
	l.announce()
}

func (l *Links) put(name string, f *linkFault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f == nil {
		delete(l.faults, name)
	} else {
		l.faults[name] = f
	}
	l.announce()
}

// announce wakes those who wait for a change.
func (l *Links) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// open reports whether anything passes on a pair; if not, changed is closed when it is
// worth asking again.
func (l *Links) open(p Pair) (ok bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if f.cut && slices.Contains(f.pairs, p) {
			return false, l.changed
		}
	}
	return true, nil
}

// fate is what becomes of a piece that is sent.
type fate struct {
	lost, doubled, damaged bool
	delay                  time.Duration
}

// draw decides over a piece, cuts aside.
func (l *Links) draw(p Pair) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n Noise
	for _, f := range l.faults {
		if !f.cut && slices.Contains(f.pairs, p) {
			n.Drop, n.Duplicate, n.Corrupt = n.Drop+f.noise.Drop, n.Duplicate+f.noise.Duplicate, n.Corrupt+f.noise.Corrupt
			n.Delay.Lo, n.Delay.Hi = n.Delay.Lo+f.noise.Delay.Lo, n.Delay.Hi+f.noise.Delay.Hi
		}
	}
	return fate{
		lost: l.happens(n.Drop), doubled: l.happens(n.Duplicate), damaged: l.happens(n.Corrupt),
		delay: n.Delay.Lo + time.Duration(l.chance.Int64N(int64(n.Delay.Hi-n.Delay.Lo)+1)),
	}
}

func (l *Links) happens(ppm uint32) bool { return l.chance.Uint32N(1_000_000) < ppm }

// barred says what a cut does to a packet: it is lost, or it waits until changed is closed.
func (l *Links) barred(p Pair) (lost bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if !f.cut || !slices.Contains(f.pairs, p) {
			continue
		}
		if !f.held {
			return true, nil
		}
		changed = l.changed
	}
	return false, changed
}
