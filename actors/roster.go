package actors

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"orrery/proto/orrerypb"
	"orrery/store"
)

// askEvery is how often a member that knows no leader asks for one: the default
// heartbeat, which would be its next word to the leader.
const askEvery = time.Second

// RosterBoot is what a member knows of itself when it starts.
type RosterBoot struct {
	Member Member // alive, under the incarnation that starts
}

// rosterAsk is the Roster's timer: it is time to ask for the leader, if need be.
type rosterAsk struct{}

// Roster knows the members, as the gossip tells them, and who leads, as the log, the
// leader or a server that was asked tells it. It is the one place where old news of
// either is told from new.
//
// Of a member, a higher incarnation is newer; within one, anything may follow
// anything, for a network heals, but nothing follows left. Of leaders, a higher term
// is newer.
type Roster struct {
	env  Env
	port Membership
	self Member

	members map[string]Member
	term    uint64 // newest heard of
	leader  string // in term; "": nobody, as far as is known
	led     string // the last leader that was another member
	asked   int    // questions so far
}

// NewRoster returns the Roster of a member.
func NewRoster(env Env, port Membership, boot RosterBoot) *Roster {
	return &Roster{
		env: env, port: port, self: boot.Member,
		members: map[string]Member{boot.Member.Name: boot.Member},
	}
}

// Receive takes one message.
func (r *Roster) Receive(msg any) {
	switch m := msg.(type) {
	case Start:
		r.start()
	case MemberChanged:
		r.changed(m.Member)
	case RosterWanted:
		r.env.Send(Address{Actor: m.ReplyTo}, RosterRead{Members: r.list(), Led: r.led})
	case store.LeaderChanged:
		r.hear(m.Term, m.Leader, m.Term >= r.term)
	case *orrerypb.LeaderKnown:
		r.hear(m.GetTerm(), m.GetLeader(), m.GetLeader() != "" && (m.GetTerm() > r.term || m.GetTerm() == r.term && r.leader == ""))
	case *orrerypb.AskLeader:
		r.tell(m.GetMember())
	case rosterAsk:
		r.ask()
	default:
		unexpected(RosterName, msg)
	}
}

// start tells the own actors of the only member known, and an agent begins to ask: it
// has no log to hear of leaders from.
func (r *Roster) start() {
	r.port.SetTags(r.self.Tags)
	r.tellMember(r.self)
	if !r.self.Server {
		r.env.After(askEvery, rosterAsk{})
	}
}

// changed takes news of a member. Of itself a member knows best.
func (r *Roster) changed(m Member) {
	known := r.members[m.Name]
	r.mark(m, known)
	if m.Name == r.self.Name || r.older(m, known) {
		return
	}
	if m.Incarnation == known.Incarnation && m.Tags == nil {
		m.Tags, m.Server = known.Tags, known.Server // the gossip forgot them; the agent did not
	}
	if sameMember(m, known) {
		return
	}
	r.members[m.Name] = m
	r.tellMember(m)
}

// mark tells of rare news of a member.
func (r *Roster) mark(news, known Member) {
	again := known.Name != "" && news.Incarnation > known.Incarnation
	switch {
	case news.Name == r.self.Name:
		if news.Status != MemberAlive {
			r.env.Emit(ProbeDoubted)
		}
	case news.Incarnation < known.Incarnation:
		r.env.Emit(ProbeOldIncarnation)
	case again && known.Status == MemberLeft:
		r.env.Emit(ProbeCameBack)
	case again && known.Status == MemberAlive:
		r.env.Emit(ProbeRestartUnannounced)
	case news.Status == MemberLeft:
		r.env.Emit(ProbeMemberLeft)
	case news.Tags == nil && known.Tags != nil:
		r.env.Emit(ProbeTagsForgotten)
	}
}

// older reports whether news of a member was overtaken by what is known.
func (r *Roster) older(news, known Member) bool {
	if r.env.Knob(KnobBelieveOld) && known.Name != "" && news.Incarnation != known.Incarnation {
		return news.Incarnation > known.Incarnation
	}
	return news.Incarnation < known.Incarnation ||
		news.Incarnation == known.Incarnation && known.Status == MemberLeft
}

func sameMember(a, b Member) bool {
	return a.Incarnation == b.Incarnation && a.Status == b.Status && a.Server == b.Server && maps.Equal(a.Tags, b.Tags)
}

func (r *Roster) tellMember(m Member) {
	if r.self.Server {
		r.env.Send(Address{Actor: DispatcherName}, MemberChanged{m})
	}
	r.env.Send(Address{Actor: GatewayName}, MemberChanged{m})
	r.env.Send(Address{Actor: ExecutorName}, MemberChanged{m})
}

func (r *Roster) list() []Member {
	var list []Member
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		list = append(list, r.members[name])
	}
	return list
}

// hear takes news of the leader, when it is newer than what is known.
func (r *Roster) hear(term uint64, leader string, newer bool) {
	if term < r.term && leader != "" {
		r.env.Emit(ProbeOldLeader)
	}
	if !newer || term == r.term && leader == r.leader {
		return
	}
	r.term, r.leader = term, leader
	if leader != "" && leader != r.self.Name {
		r.led = leader
	}
	heard := LeaderHeard{Term: term, Leader: leader}
	r.env.Send(Address{Actor: GatewayName}, heard)
	r.env.Send(Address{Actor: ExecutorName}, heard)
}

// tell answers a member that asked who leads. Who does not know says nothing.
func (r *Roster) tell(member string) {
	if r.leader != "" {
		r.env.Send(Address{Member: member, Actor: RosterName}, &orrerypb.LeaderKnown{Term: r.term, Leader: r.leader})
	}
}

// ask asks one server after the other, beginning with one that the own name draws, so
// that not all members ask the same.
func (r *Roster) ask() {
	r.env.After(askEvery, rosterAsk{})
	if r.leader != "" && r.members[r.leader].Status == MemberAlive {
		return
	}
	servers := r.servers()
	if len(servers) == 0 {
		return
	}
	hash := fnv.New32a()
	hash.Write([]byte(r.self.Name))
	server := servers[(uint64(hash.Sum32())+uint64(r.asked))%uint64(len(servers))]
	r.asked++
	r.env.Send(Address{Member: server, Actor: RosterName}, &orrerypb.AskLeader{Term: r.term, Member: r.self.Name})
}

// servers lists those that may answer. One that is suspect or called failed is asked
// too when there is no better.
func (r *Roster) servers() []string {
	var alive, others []string
	for _, m := range r.list() {
		switch {
		case !m.Server || m.Status == MemberLeft:
		case m.Status == MemberAlive:
			alive = append(alive, m.Name)
		default:
			others = append(others, m.Name)
		}
	}
	if alive == nil {
		return others
	}
	return alive
}
