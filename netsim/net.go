// Package netsim is a network that misbehaves on purpose, and in exactly the same way for the same seed.
//
// It is a data structure, not a machine: it is told what time it is and handed its chance, and it answers
// what arrives when. Whoever owns the event queue (the world, package sim) asks [Net.Send] for the
// deliveries of a frame, files them by (time, order in which it got them), and asks [Net.Arrives] for the
// verdict on each when its time has come.
//
// Everything below may happen to a frame. Code that runs above this package has to live with all of it:
//
//   - it takes its time: a latency from a range, now and then from a long tail, and longer when frames
//     before it fill the bandwidth;
//   - it is dropped, and nobody is told;
//   - it is doubled; the second copy comes with the first or any time later, among frames sent long after;
//   - it is delayed further; a packet is then overtaken, a stream makes everything behind it wait;
//   - a bit of it flips, in one copy or in both ([Unseal] finds out);
//   - it meets a cut, when it is sent or when it would arrive, and is lost; cuts have a direction, so A may
//     hear B while B does not hear A; cuts overlap and are mended one by one;
//   - it sits in a clog until that is over, then comes in one burst with all that sat there with it;
//   - it finds the queue of its link full and is refused, bulk sooner than control;
//   - its receiver crashes: what was under way to the former life never reaches the next one;
//   - its sender crashes: what is already on the wire still arrives, perhaps after frames of the next life.
//
// What it never does: deliver a frame that nobody sent, deliver one before it was sent, more than twice, or
// across a cut; let frames of one stream overtake each other. A stream is what one life of the sender sends
// to one life of the receiver, control and bulk each for itself: control goes before bulk.
//
// The package knows no jobs, no actors and no raft, reads no clock, and decides nothing by a floating-point
// number or by the order of a map.
package netsim

import (
	"fmt"
	"time"
)

// Config is the weather on a good day: what every link is like while no fault is on. The zero value is a
// perfect network: instant, endless and without bounds.
type Config struct {
	// Latency is the range from which the time on the wire is drawn, evenly.
	Latency Range
	// TailPPM of a million frames take TailTimes their drawn latency.
	TailPPM   uint32
	TailTimes int
	// Bandwidth of each link in bytes a second; 0 is unbounded.
	Bandwidth int64
	// MaxQueue bounds the deliveries under way on one link, held ones included; 0 is unbounded. Bulk is
	// refused at three quarters of it, so that control finds room when a flood of bulk does not.
	MaxQueue int
}

// LAN is three racks in one data centre.
func LAN() Config {
	return Config{
		Latency: Range{200 * time.Microsecond, 2 * time.Millisecond},
		// One frame in a thousand waits for a retransmission, which Linux starts after 200 ms at most
		// on a link this fast: 20 ms to 200 ms.
		TailPPM:   1_000,
		TailTimes: 100,
		// A gigabit a second: a snapshot of 100 MB takes most of a second, long enough to be in the way.
		Bandwidth: 125_000_000,
		// More than a healthy member ever has under way, and few enough to fill within a clog of seconds.
		MaxQueue: 4_096,
	}
}

// Range is a range of spans of time, both ends included.
type Range struct{ Lo, Hi time.Duration }

func (r Range) check(what string) {
	if r.Lo < 0 || r.Hi < r.Lo {
		panic(fmt.Sprintf("netsim: %s %v..%v: want 0 <= lo <= hi", what, r.Lo, r.Hi))
	}
}

// Net is the network between endpoints that are known by their names. Use [New].
type Net struct {
	config Config
	index  map[string]int32 // name to index in ends
	ends   []endpoint
	links  [][]link // by sender, then receiver; square
	faults []*fault // in the order in which they began
	stats  Stats
	held   int // frames that wait in clogs
}

// endpoint is a place that frames come from and go to.
type endpoint struct {
	name  string
	known bool // has been up once
	up    bool
	life  uint32 // counts crashes: a connection belongs to one life of each of its ends
}

// New returns a network without endpoints. It panics if config makes no sense.
func New(config Config) *Net {
	config.Latency.check("latency")
	if config.TailTimes < 0 || config.Bandwidth < 0 || config.MaxQueue < 0 {
		panic(fmt.Sprintf("netsim: negative number in %+v", config))
	}
	if config.TailPPM > 0 && config.TailTimes == 0 {
		panic(fmt.Sprintf("netsim: %d frames in a million have a tail of 0 times their latency: want at least 1", config.TailPPM))
	}
	return &Net{config: config, index: make(map[string]int32)}
}

// Up starts the endpoint name, for the first time or after a crash. Before that, frames from and to it go
// to [Nobody].
func (n *Net) Up(name string) {
	end := &n.ends[n.intern(name)]
	end.known, end.up = true, true
}

// Down crashes the endpoint name: streams to it break with all that is under way on them, while frames it
// sent before may still arrive. One that is down stays so.
func (n *Net) Down(name string) {
	end := &n.ends[n.intern(name)]
	end.up = false
	end.life++
}

// IsUp reports whether the endpoint name is up.
func (n *Net) IsUp(name string) bool {
	i, ok := n.index[name]
	return ok && n.ends[i].up
}

// intern returns the index of name and makes room for its links when it is new. Faults that were put on
// [Any] meet the newcomer too.
func (n *Net) intern(name string) int32 {
	if i, ok := n.index[name]; ok {
		return i
	}
	if name == Any {
		panic("netsim: " + Any + " stands for any endpoint and cannot name one")
	}
	i := int32(len(n.ends))
	n.index[name] = i
	n.ends = append(n.ends, endpoint{name: name})
	for row := range n.links {
		n.links[row] = append(n.links[row], link{})
	}
	n.links = append(n.links, make([]link, len(n.ends)))
	for _, f := range n.faults {
		n.welcome(f, i)
	}
	return i
}
