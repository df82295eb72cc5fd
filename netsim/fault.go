package netsim

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Any, as an end of a [Link] that a fault is put on, stands for every endpoint but the other end, those
// included that come up later.
const Any = "*"

// Link is one direction between two endpoints.
type Link struct{ From, To string }

// Everywhere is every link.
var Everywhere = Link{Any, Any}

// Across returns the links that lead from one set of endpoints to another: one way.
func Across(from, to []string) []Link {
	links := make([]Link, 0, len(from)*len(to))
	for _, a := range from {
		for _, b := range to {
			if a != b {
				links = append(links, Link{a, b})
			}
		}
	}
	return links
}

// Among returns the links between the endpoints of one set, both ways.
func Among(names ...string) []Link { return Across(names, names) }

// Noise is a fault that chance strikes with. The first three are parts per million. Where several noises
// are on one link their numbers add up.
type Noise struct {
	Drop      uint32 // frames lost
	Duplicate uint32 // frames that come twice
	Corrupt   uint32 // copies in which one bit flips
	Delay     Range  // added to the latency of each copy
}

func (a Noise) plus(b Noise) Noise {
	return Noise{a.Drop + b.Drop, a.Duplicate + b.Duplicate, a.Corrupt + b.Corrupt, Range{a.Delay.Lo + b.Delay.Lo, a.Delay.Hi + b.Delay.Hi}}
}

func (a Noise) minus(b Noise) Noise {
	return Noise{a.Drop - b.Drop, a.Duplicate - b.Duplicate, a.Corrupt - b.Corrupt, Range{a.Delay.Lo - b.Delay.Lo, a.Delay.Hi - b.Delay.Hi}}
}

// fault is one thing that is wrong on some links. Faults have names, so that those that overlap end each
// in its own time.
type fault struct {
	name  string
	cut   bool
	clog  bool
	noise Noise
	links []pair // those that exist, without repetition
	wild  []Link // those given with Any: they grow with the network
}

// Cut loses every frame that is sent on the links, or would arrive over them, until the fault called name
// is mended. It panics if a fault of that name is on.
func (n *Net) Cut(name string, links ...Link) { n.begin(&fault{name: name, cut: true}, links) }

// Partition cuts all links between different sides, both ways, until the fault called name is mended.
// Endpoints on no side are not touched.
func (n *Net) Partition(name string, sides ...[]string) {
	var links []Link
	for i, a := range sides {
		for j, b := range sides {
			if i != j {
				links = append(links, Across(a, b)...)
			}
		}
	}
	n.Cut(name, links...)
}

// Clog holds every frame that would arrive over the links until the fault called name is mended, which
// returns them. It panics if a fault of that name is on.
func (n *Net) Clog(name string, links ...Link) { n.begin(&fault{name: name, clog: true}, links) }

// Disturb makes the links noisy until the fault called name is mended. It panics if a fault of that name is
// on or noise makes no sense.
func (n *Net) Disturb(name string, noise Noise, links ...Link) {
	noise.Delay.check("delay")
	if max(noise.Drop, noise.Duplicate, noise.Corrupt) > Million {
		panic(fmt.Sprintf("netsim: noise %+v is more than certain: want at most %d in a million", noise, Million))
	}
	n.begin(&fault{name: name, noise: noise}, links)
}

// Mend ends the fault called name, whatever it is, and appends to dst what no clog holds any longer, due
// now. It is a no-op if there is no such fault: it may have been healed before.
func (n *Net) Mend(dst []Delivery, now time.Duration, name string) []Delivery {
	i := slices.IndexFunc(n.faults, func(f *fault) bool { return f.name == name })
	if i < 0 {
		return dst
	}
	f := n.faults[i]
	n.faults = slices.Delete(n.faults, i, i+1)
	for _, on := range f.links {
		dst = n.lift(dst, now, f, on)
	}
	return dst
}

// Heal lifts every fault from the links, and returns what was held as [Net.Mend] does. The faults stay on
// elsewhere, keep their names until they are mended, and if put on [Any] still meet endpoints to come.
func (n *Net) Heal(dst []Delivery, now time.Duration, links ...Link) []Delivery {
	healed, _ := n.resolve(links)
	for _, f := range n.faults {
		f.links = slices.DeleteFunc(f.links, func(on pair) bool {
			_, found := slices.BinarySearchFunc(healed, on, comparePairs)
			if found {
				dst = n.lift(dst, now, f, on)
			}
			return found
		})
	}
	return dst
}

// HealAll mends every fault. Endpoints that are down stay down.
func (n *Net) HealAll(dst []Delivery, now time.Duration) []Delivery {
	for len(n.faults) > 0 {
		dst = n.Mend(dst, now, n.faults[0].name)
	}
	return dst
}

// Faults returns the names of the faults that are on, in the order in which they began.
func (n *Net) Faults() []string {
	names := make([]string, len(n.faults))
	for i, f := range n.faults {
		names[i] = f.name
	}
	return names
}

// Held returns how many frames wait in clogs.
func (n *Net) Held() int { return n.held }

// Connected reports whether both endpoints are up and no cut lies between them in this direction.
func (n *Net) Connected(from, to string) bool {
	return n.IsUp(from) && n.IsUp(to) && n.link(pair{n.index[from], n.index[to]}).cuts == 0
}

func (n *Net) begin(f *fault, links []Link) {
	if slices.Contains(n.Faults(), f.name) {
		panic(fmt.Sprintf("netsim: fault %q is on already: mend it first or give this one another name", f.name))
	}
	f.links, f.wild = n.resolve(links)
	for _, on := range f.links {
		n.lay(f, on)
	}
	n.faults = append(n.faults, f)
}

// lay puts f on one link; lift takes it off again.
func (n *Net) lay(f *fault, on pair) {
	l := n.link(on)
	if f.cut {
		l.cuts++
	}
	if f.clog {
		l.clogs++
	}
	l.noise = l.noise.plus(f.noise)
}

func (n *Net) lift(dst []Delivery, now time.Duration, f *fault, on pair) []Delivery {
	l := n.link(on)
	if f.cut {
		l.cuts--
	}
	if f.clog {
		l.clogs--
	}
	l.noise = l.noise.minus(f.noise)
	if l.clogs == 0 {
		n.held -= len(l.held)
		dst = l.release(dst, now)
	}
	return dst
}

// resolve returns the links that exist now, sorted and without repetition, and those that are wild.
func (n *Net) resolve(links []Link) (known []pair, wild []Link) {
	for _, l := range links { // first: naming an endpoint may add it, and a wild link means all
		for _, name := range [...]string{l.From, l.To} {
			if name != Any {
				n.intern(name)
			}
		}
	}
	for _, l := range links {
		if l.From == Any || l.To == Any {
			wild = append(wild, l)
		}
		for _, i := range n.matching(l.From) {
			for _, j := range n.matching(l.To) {
				if i != j || l.From == l.To && l.From != Any {
					known = append(known, pair{i, j})
				}
			}
		}
	}
	slices.SortFunc(known, comparePairs)
	return slices.Compact(known), wild
}

// matching returns the endpoints that name stands for.
func (n *Net) matching(name string) []int32 {
	if name != Any {
		return []int32{n.index[name]}
	}
	all := make([]int32, len(n.ends))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// welcome puts a fault that was laid on Any onto the links of a new endpoint.
func (n *Net) welcome(f *fault, newcomer int32) {
	all, _ := n.resolve(f.wild)
	for _, on := range all {
		if on.from == newcomer || on.to == newcomer {
			n.lay(f, on)
			f.links = append(f.links, on)
		}
	}
}

func comparePairs(a, b pair) int {
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
}
