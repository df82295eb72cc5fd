package main

import (
	"fmt"
	"net"
	"reflect"
	"sync"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/agent"
	"orrery/cmd/internal/cluster/raftlog"
	"orrery/cmd/internal/sandbox/tap"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// simulation is the sandbox as the agent sees it. What the agent has to tell goes to the tap
// at once.
type simulation struct {
	version uint32
	every   uint64 // entries between snapshots
	knobs   []string

	mu  sync.Mutex
	tap net.Conn
	buf []byte
}

var _ agent.Simulation = (*simulation)(nil)

// hostChance and hostKnob are the sandbox's answers to the actors.
//
//go:wasmimport orrery chance
//go:noescape
func hostChance(what string) uint32

//go:wasmimport orrery knob
//go:noescape
func hostKnob(name string) uint32

func (*simulation) Chance(what string) bool { return hostChance(what) != 0 }
func (*simulation) Knob(name string) bool   { return hostKnob(name) != 0 }
func (s *simulation) Knobs() []string       { return s.knobs }
func (s *simulation) ApplyVersion() uint32  { return s.version }
func (s *simulation) SnapshotEvery() uint64 { return s.every }

// tell writes a record. The device takes all at once.
func (s *simulation) tell(r tap.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = tap.Append(s.buf[:0], r)
	if _, err := s.tap.Write(s.buf); err != nil {
		panic(fmt.Sprintf("device %s: %v", tap.Device, err))
	}
}

func (s *simulation) Emitted(actor string, event any) {
	switch e := event.(type) {
	case *orrerypb.Event: // who knows the log knows it
	case actors.Probe:
		s.tell(&tap.Probe{Name: string(e)})
	case actors.StateHash:
		s.tell(&tap.StateHash{Index: e.Index, Hash: e.Hash, Restored: e.Restored})
	default:
		s.tell(&tap.Emitted{Actor: actor, Kind: reflect.TypeOf(event).Name(), Text: textOf(event)})
	}
}

// textOf says what an event is about.
func textOf(event any) string {
	switch e := event.(type) {
	case orrery.Probe:
		return e.Name
	case actors.AttemptBegun:
		return fmt.Sprintf("%s of %s", e.Attempt, e.Job)
	case actors.AttemptEnded:
		return fmt.Sprintf("%s of %s: reason %q, exit code %d", e.Attempt, e.Job, e.Result.Reason, e.Result.ExitCode)
	case actors.SessionOpened:
		return fmt.Sprintf("%s in its life %d, session %d", e.Member, e.Incarnation, e.Session)
	case actors.SessionClosed:
		return fmt.Sprintf("%s in its life %d, session %d", e.Member, e.Incarnation, e.Session)
	case actors.ScheduleUnreadable:
		return fmt.Sprintf("%s in version %d: %v", e.Job, e.Version, e.Err)
	case actors.DecisionIgnored:
		return fmt.Sprintf("job %d in version %d, head %s", e.UID, e.Version, e.Head.UTC())
	case actors.NotificationDropped:
		return fmt.Sprintf("%s of execution %d: %s", e.Notification.GetJob(), e.Notification.GetExecution(), e.Err)
	case actors.SnapshotRefused:
		return fmt.Sprintf("at %d: %v", e.Index, e.Err)
	}
	return ""
}

func (s *simulation) Committed(c store.Committed) {
	s.tell(&tap.Committed{Index: c.Index, Term: c.Term, Entry: c.Entry})
}

func (s *simulation) Logged(index, term, prevTerm uint64, data []byte) {
	s.tell(&tap.Logged{Index: index, Term: term, PrevTerm: prevTerm, Data: data})
}

func (s *simulation) Raft(kind raftlog.RaftEvent, term uint64, text string) {
	s.tell(&tap.Raft{Kind: string(kind), Term: term, Text: text})
}
