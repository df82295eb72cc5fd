package actors

import (
	"slices"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// readySweep walks over the executions that wait for members, oldest first, page by
// page, while there is room.
type readySweep struct {
	ref      uint64                      // of the page under way; 0: no sweep
	from     orrery.ExecutionID          // where the sweep began
	after    orrery.ExecutionID          // the last one that it has seen
	limit    int                         // of the page under way
	unmet    orrery.ExecutionID          // the first that it found no room for; 0: none
	crowded  bool                        // a member of one of those was only full
	next     orrery.ExecutionID          // where another sweep is to begin after it; 0: nowhere
	hungry   orrery.ExecutionID          // none before it waits; 0: none waits at all
	starving bool                        // somebody waits for a member that is full
	placed   map[orrery.ExecutionID]bool // an Assign is under way
}

// firstPage is small, as mostly a single place has become free; each page of a sweep is
// twice the one before, up to pageSize.
const firstPage = 32

// maxPlaces bounds the members that one Fire names, as each is about twenty bytes and
// an entry holds a megabyte. Fires beyond it wait for an Assign.
const maxPlaces = 8192

// candidates are the members that attempts can be placed on now.
func (d *Dispatcher) candidates() []orrery.Candidate {
	if d.phase != dispatcherPlacing {
		return nil
	}
	var all []orrery.Candidate
	for _, m := range d.membersByName() {
		if d.eligible(m) {
			all = append(all, orrery.Candidate{
				Member: m.name, Tags: m.roster.Tags, Running: m.taken + m.reserved,
				Slots: m.slots, Executors: m.executors,
			})
		}
	}
	return all
}

// eligible reports whether a member has a live session, was heard a moment ago, and is
// the one whose tags the gossip tells.
func (d *Dispatcher) eligible(m *member) bool {
	if d.env.Knob(KnobAssignWithoutSession) {
		return m.known && m.roster.Status == MemberAlive
	}
	fresh := d.env.Boot()-m.heardAt < freshBeats*d.config.HeartbeatEvery
	return m.confirmed && fresh && m.known && m.roster.Status != MemberLeft && m.roster.Incarnation == m.incarnation
}

// promised is a place on a member that a proposal under way names.
type promised struct {
	place *orrerypb.Place
	parts int
}

// choose chooses members and counts the places as taken in candidates.
func (d *Dispatcher) choose(p orrery.Placement, candidates []orrery.Candidate, key uint64) []promised {
	if d.env.Knob(KnobIgnoreTags) {
		p.Tags = nil
	}
	return d.promise(candidates, p.Choose(candidates, key), partsOf(p.Executor))
}

func (d *Dispatcher) promise(candidates []orrery.Candidate, names []string, parts int) []promised {
	var places []promised
	for _, name := range names {
		i := slices.IndexFunc(candidates, func(c orrery.Candidate) bool { return c.Member == name })
		candidates[i].Running += parts
		m := d.members[name]
		m.reserved += parts
		incarnation := m.incarnation
		if d.env.Knob(KnobAssignWithoutSession) {
			incarnation = m.roster.Incarnation
		}
		places = append(places, promised{&orrerypb.Place{Member: name, Incarnation: incarnation}, parts})
	}
	return places
}

func placesOf(promises []promised) []*orrerypb.Place {
	places := make([]*orrerypb.Place, len(promises))
	for i, p := range promises {
		places[i] = p.place
	}
	return places
}

// release gives back places that were promised to a proposal. When it was applied, the
// attempts count themselves.
func (d *Dispatcher) release(places ...promised) {
	for _, p := range places {
		if m := d.members[p.place.GetMember()]; m != nil {
			m.reserved = max(0, m.reserved-p.parts)
		}
	}
}

// fireDue chooses members for the fires that may start at once, and has all of them
// proposed. While older executions wait for room a fire does not overtake them: it
// waits as ready, behind.
func (d *Dispatcher) fireDue(m FireDue) {
	candidates := d.candidates()
	if d.phase != dispatcherPlacing {
		d.env.Emit(ProbeFireHeldBack)
	}
	command := &orrerypb.Fire{}
	var places []promised
	for _, due := range m.Items {
		item := due.Item
		if due.Start && !d.ready.starving && len(places) < maxPlaces {
			if chosen := d.choose(due.Placement, candidates, due.Key); chosen != nil {
				item = &orrerypb.FireItem{Uid: item.GetUid(), Version: item.GetVersion(), Decision: item.GetDecision(), Members: placesOf(chosen)}
				places = append(places, chosen...)
			}
		}
		command.Items = append(command.Items, item)
	}
	d.proposeAt(m.At, &orrerypb.Command{Body: &orrerypb.Command_Fire{Fire: command}}, func(p Proposed) {
		d.release(places...)
		d.env.Send(Address{Actor: SchedulerName}, Proposed{Ref: m.Ref, Fate: p.Fate, Answer: p.Answer})
	})
}

// sweep looks for room for the executions that wait, from a given one on.
func (d *Dispatcher) sweep(from orrery.ExecutionID) {
	r := &d.ready
	r.hungry = earlier(r.hungry, from)
	if d.phase != dispatcherPlacing {
		return
	}
	if r.ref != 0 {
		r.next = earlier(r.next, from)
		return
	}
	r.from, r.after, r.limit, r.next = from, from-1, firstPage, 0
	r.unmet, r.crowded = 0, false
	d.readReady()
}

func (d *Dispatcher) readReady() {
	r := &d.ready
	r.ref = d.ask(func(ref uint64) any {
		return ReadReady{ReplyTo: DispatcherName, Ref: ref, After: r.after, Limit: r.limit}
	})
}

func (d *Dispatcher) readyRead(m ReadyRead) {
	r := &d.ready
	r.ref = 0
	candidates := d.candidates()
	for _, je := range m.Executions {
		id := orrery.ExecutionID(je.Execution.GetId())
		r.after = id
		if !r.placed[id] && !d.placeReady(je, candidates) {
			r.unmet = earlier(r.unmet, id)
		}
	}
	more := len(m.Executions) == r.limit
	if more && hasRoom(candidates) {
		r.limit = min(2*r.limit, pageSize)
		d.readReady()
		return
	}
	if more {
		r.unmet, r.crowded = earlier(r.unmet, r.after+1), true
	}
	d.endSweep()
}

// endSweep notes who waits still: those before the sweep's beginning, of whom nothing
// new is known, and those that it found no room for.
func (d *Dispatcher) endSweep() {
	r := &d.ready
	if r.hungry >= r.from {
		r.hungry, r.starving = r.unmet, r.crowded
	}
	r.starving = r.starving || r.crowded
	if r.unmet != 0 {
		d.env.Emit(ProbeNoRoom)
	}
	if next := r.next; next != 0 {
		d.sweep(next)
	}
}

// placeReady chooses all members of an execution.
func (d *Dispatcher) placeReady(je store.JobExecution, candidates []orrery.Candidate) bool {
	x := je.Execution
	p := wire.ToJob(je.Job.GetJob()).Placement(d.config)
	places := d.choose(p, candidates, x.GetId())
	if places == nil {
		d.ready.crowded = d.ready.crowded || p.Choose(idle(candidates), x.GetId()) != nil
		return false
	}
	item := &orrerypb.AssignItem{Execution: x.GetId()}
	for i, p := range places {
		item.Slots = append(item.Slots, &orrerypb.SlotAssignment{Slot: uint32(i), N: 1, Place: p.place})
	}
	d.ready.placed[orrery.ExecutionID(x.GetId())] = true
	d.assigns = append(d.assigns, assigning{item, places})
	return true
}

// assigning is an item to be proposed, and the places that are promised to it.
type assigning struct {
	item   *orrerypb.AssignItem
	places []promised
}

// proposeAssigns proposes what was placed in this Receive.
func (d *Dispatcher) proposeAssigns() {
	assigns := d.assigns
	d.assigns = nil
	for batch := range slices.Chunk(assigns, d.batch()) {
		command := &orrerypb.Assign{}
		for _, a := range batch {
			command.Items = append(command.Items, a.item)
		}
		d.propose(&orrerypb.Command{Body: &orrerypb.Command_Assign{Assign: command}}, func(p Proposed) {
			d.assignsProposed(p, batch)
		})
	}
}

// assignsProposed gives back the promised places. What was not taken is placed again,
// not before the next tick: a log that refuses is not to be asked in a circle.
func (d *Dispatcher) assignsProposed(p Proposed, batch []assigning) {
	again := !taken(p) || !p.Answer.GetChanged()
	if again {
		d.env.Emit(ProbeAssignAgain)
	} else {
		d.roomier = true // the choice may have been of members whose attempts ended meanwhile
	}
	for _, a := range batch {
		d.release(a.places...)
		id := orrery.ExecutionID(a.item.GetExecution())
		for _, s := range a.item.GetSlots() {
			if s.GetN() > 1 {
				d.retryProposed(id, int(s.GetSlot()), int(s.GetN())-1, again)
			}
		}
		if d.ready.placed[id] {
			delete(d.ready.placed, id)
			if again {
				d.ready.hungry = earlier(d.ready.hungry, id)
			}
		}
	}
}

// useRoom gives places that may have become free to who waits for them.
func (d *Dispatcher) useRoom() {
	candidates := d.candidates()
	if !hasRoom(candidates) {
		return
	}
	d.placeRetries(candidates, retriesATime)
	if d.ready.hungry != 0 && d.ready.ref == 0 {
		d.sweep(d.ready.hungry)
	}
}

// idle are the candidates as if nothing ran on them.
func idle(candidates []orrery.Candidate) []orrery.Candidate {
	idle := slices.Clone(candidates)
	for i := range idle {
		idle[i].Running = 0
	}
	return idle
}

func hasRoom(candidates []orrery.Candidate) bool {
	return slices.ContainsFunc(candidates, func(c orrery.Candidate) bool { return c.Slots == 0 || c.Running < c.Slots })
}

// earlier is the smaller of two ids, of which 0 is none.
func earlier(a, b orrery.ExecutionID) orrery.ExecutionID {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
