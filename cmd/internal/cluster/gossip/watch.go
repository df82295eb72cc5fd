package gossip

import (
	"maps"

	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/serf/serf"

	"orrery/actors"
)

// lookEvery is how often serf is asked without an event: a member that had begun to leave
// and did not goes without one.
const lookEvery = 5 * time.Second

// Info is what the gossip knows of a member. Maps and slices are not to be changed.
type Info struct {
	Name        string
	Address     string // of its gossip, ip:port
	RPC         string // host:port; "" is not known
	Incarnation uint64
	Status      actors.MemberStatus // alive, failed or left
	Server      bool
	Expect      int
	Tags        map[string]string // what placement sees: the user's, dc, region
	Serf        map[string]string // as Dkron's API shows them
	Internal    map[string]string // see SetInternal
	Protocol    [6]uint8          // min, max and current, of the protocol and of the delegate
	Executors   []string
	Version     string
}

// infoOf reads what serf knows of a member. ok is false for one that is not ours, or is
// to be forgotten: serf calls it left, and it was not the member that said so.
func infoOf(m serf.Member) (info Info, ok bool) {
	incarnation, err := strconv.ParseUint(m.Tags[tagIncarnation], 36, 64)
	ip, isIP := netip.AddrFromSlice(m.Addr)
	goodbye := m.Tags[tagLeft] != ""
	if err != nil || !isIP || m.Status == serf.StatusLeft && !goodbye {
		return Info{}, false
	}
	expect, _ := strconv.Atoi(m.Tags[tagExpect])
	info = Info{
		Name:        m.Name,
		Address:     netip.AddrPortFrom(ip.Unmap(), m.Port).String(),
		RPC:         m.Tags[tagRPC],
		Incarnation: incarnation,
		Server:      m.Tags[tagServer] == "true",
		Expect:      expect,
		Tags:        map[string]string{},
		Serf:        map[string]string{},
		Internal:    map[string]string{},
		Protocol:    [6]uint8{m.ProtocolMin, m.ProtocolMax, m.ProtocolCur, m.DelegateMin, m.DelegateMax, m.DelegateCur},
		Version:     m.Tags[tagVersion],
	}
	if kinds := m.Tags[tagExecutors]; kinds != "" {
		info.Executors = strings.Split(kinds, ",")
	}
	info.Serf[tagRole] = roleOurs
	for name, value := range m.Tags {
		if key, ours := strings.CutPrefix(name, internal); ours {
			info.Internal[key] = value
			continue
		}
		info.Serf[name] = value
		if name == tagDatacenter || name == tagRegion || !slices.Contains(reserved, name) {
			info.Tags[name] = value
		}
	}
	switch m.Status {
	case serf.StatusFailed:
		info.Status = actors.MemberFailed
	case serf.StatusLeft:
		info.Status = actors.MemberLeft
	default:
		info.Status = actors.MemberAlive // and so is who is about to leave
	}
	return info, true
}

// older reports whether news of a member was overtaken by what is known.
func older(news, known Info) bool {
	return news.Incarnation < known.Incarnation ||
		news.Incarnation == known.Incarnation && known.Status == actors.MemberLeft
}

func (i Info) member() actors.Member {
	return actors.Member{Name: i.Name, Incarnation: i.Incarnation, Status: i.Status, Server: i.Server, Tags: i.Tags}
}

// Members lists all members, this one among them, by name. Who failed is in it until it
// is forgotten or removed.
func (g *Gossip) Members() []Info {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.SortedFunc(maps.Values(g.members), func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
}

// Member tells of one member.
func (g *Gossip) Member(name string) (Info, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	info, ok := g.members[name]
	return info, ok
}

// Self is this member, as the others are told.
func (g *Gossip) Self() Info {
	self, _ := g.Member(g.cfg.Name)
	return self
}

// watch reports what changed.
func (g *Gossip) watch() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		g.refresh()
		g.report()
		select {
		case <-g.dirty:
		case <-tick.C:
		case <-g.ctx.Done():
			return
		}
	}
}

// refresh takes over what serf knows now.
func (g *Gossip) refresh() {
	g.looking.Lock() // or an older look would overtake a newer one
	defer g.looking.Unlock()
	list := g.serf.Members()
	g.mu.Lock()
	defer g.mu.Unlock()
	members := make(map[string]Info, len(list))
	for _, m := range list {
		known, had := g.members[m.Name]
		info, ours := infoOf(m)
		switch {
		case ours && had && older(info, known):
			members[m.Name] = known
		case ours:
			members[m.Name] = info
		}
	}
	g.members = members
}

// report tells of what is new since the last time: the Roster, the log, and who else
// wants to know.
func (g *Gossip) report() {
	members, before := g.Members(), g.reported
	g.reported = make(map[string]Info, len(members))
	changed := false
	for _, info := range members {
		g.reported[info.Name] = info
		known, had := before[info.Name]
		delete(before, info.Name)
		if had && reflect.DeepEqual(info, known) {
			continue
		}
		changed = true
		if m := info.member(); !had || !reflect.DeepEqual(m, known.member()) {
			g.tell(info, known, had)
			g.cfg.Deliver(actors.RosterName, actors.MemberChanged{Member: m})
		}
	}
	for _, info := range before {
		changed = true
		g.cfg.Log.Info("member forgotten", "member", info.Name)
		if info.Status == actors.MemberAlive { // it failed and was forgotten between two looks
			info.Status = actors.MemberFailed
			g.cfg.Deliver(actors.RosterName, actors.MemberChanged{Member: info.member()})
		}
	}
	if !changed {
		return
	}
	g.remember(members)
	if g.alone() {
		g.hurry()
	}
	g.cfg.Changed()
}

// tell logs what became of a member.
func (g *Gossip) tell(info, known Info, had bool) {
	if info.Name == g.cfg.Name {
		return
	}
	what := "member changed"
	switch {
	case info.Status == actors.MemberLeft:
		what = "member left"
	case info.Status == actors.MemberFailed:
		what = "member failed"
	case !had:
		what = "member joined"
	case known.Incarnation != info.Incarnation:
		what = "member started again"
	case known.Status != actors.MemberAlive:
		what = "member is back"
	}
	g.cfg.Log.Info(what, "member", info.Name, "address", info.Address, "incarnation", info.Incarnation)
}

// others lists the addresses of the other members that live.
func (g *Gossip) others() []string {
	var list []string
	for _, info := range g.Members() {
		if info.Name != g.cfg.Name && info.Status == actors.MemberAlive {
			list = append(list, info.Address)
		}
	}
	return list
}

// alone reports whether no other member is known to live.
func (g *Gossip) alone() bool { return len(g.others()) == 0 }
