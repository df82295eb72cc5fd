package gossip

import (
	"bytes"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// claim holds whether this member's name is its own in the eyes of the others. It is not
// for some seconds after a member began again at another address, until its old place is
// called failed; and for good, when two members were given one name. As long as it is not,
// the others take no news from here, and say nothing of that by themselves.
//
// It is memberlist's delegate for every message that says a member lives.
type claim struct {
	name string
	home []byte // ip and port of this member
	woke func()

	mu        sync.Mutex
	confirmed bool           // others said, when asked, that the name lives here
	since     time.Time      // when it was first heard that it lives elsewhere; zero: not, or that is over
	by        netip.AddrPort // there
	life      uint64         // under this incarnation
	elsewhere bool           // heard since the last ask
	here      bool           // likewise
}

func (c *claim) own(name string, home netip.AddrPort, woke func()) {
	c.name, c.home, c.woke = name, place(home.Addr().AsSlice(), home.Port()), woke
}

func place(ip []byte, port uint16) []byte { return append(bytes.Clone(ip), byte(port>>8), byte(port)) }

// NotifyAlive hears what is said of any member. It is called with memberlist's lock held.
func (c *claim) NotifyAlive(m *memberlist.Node) error {
	if m.Name != c.name {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Equal(place(m.Addr, m.Port), c.home) {
		c.here = true
		return nil
	}
	c.elsewhere = true
	ip, _ := netip.AddrFromSlice(m.Addr)
	c.by, c.life = netip.AddrPortFrom(ip.Unmap(), m.Port), incarnationOf(m.Meta)
	if c.since.IsZero() {
		c.since = time.Now()
		c.woke()
	}
	return nil
}

// made reports whether another claims the name.
func (c *claim) made() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.since.IsZero()
}

// open reports whether the others are to be asked.
func (c *claim) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.confirmed || !c.since.IsZero()
}

// ask forgets what was heard, does f, which asks one member, and says what that one holds.
// Of a member that it calls failed, or suspects, it says nothing.
func (c *claim) ask(f func()) (elsewhere, here bool) {
	c.mu.Lock()
	c.elsewhere, c.here = false, false
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elsewhere && !c.here, c.here
}

// settle takes the votes of a round. The name is this member's when more hold to it, or
// as many and it was here first; then the claim is over. Otherwise it stands, and after
// limit it is an error. Where nobody says anything it is over after limit, too.
func (c *claim) settle(elsewhere, here int, incarnation uint64, limit time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := time.Since(c.since) > limit
	switch {
	case here > elsewhere, here > 0 && here == elsewhere && incarnation < c.life:
		c.confirmed, c.since = true, time.Time{}
	case elsewhere == 0 && old:
		c.since = time.Time{}
	case old:
		c.since = time.Now() // said once, and again after as long
		return fmt.Errorf("another member at %s has the name %q: names are unique in a cluster: "+
			"give this member another node-name, or stop the other one", c.by, c.name)
	}
	return nil
}
