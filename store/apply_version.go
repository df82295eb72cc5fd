package store

import (
	"orrery"
	"orrery/proto/orrerypb"
)

// Version is the newest version of Apply that this build offers. It grows with every
// change of what an entry does. An entry that needs a later one than a server offers
// stops the server: to ignore what others obey would make two states of one.
//
// What Apply does follows from the version that the state was raised to, and never from
// what the server offers: servers of two releases that apply the same entries have the
// same state. It is raised when all servers offer the next one.
//
//	1  all but what follows
//	2  ClearHistory; a job says since when it counts; counts by day; notifications of
//	   starts too, and of ends only those that somebody wants
const Version = 2

// The versions by what they brought.
const (
	firstVersion        = 1
	versionClearHistory = 2
	versionDayCounts    = 2
	versionNotify       = 2
)

// TooOld is with what Apply panics where the cluster has been raised to what this release
// does not know. That is no bug of the server: it stops before it does anything wrong, and
// a newer release goes on from there.
type TooOld string

func (t TooOld) Error() string { return string(t) }

// OpenAs is Open by a release that offered the given version of Apply: up to it nothing
// differs, beyond it the state stops and refuses as that release did. The error is
// Invalid: no release that this build knows offered it.
func OpenAs(version uint32) (*State, error) {
	if version < firstVersion || version > Version {
		return nil, orrery.Invalidf("open the state: version %d of apply, want %d to %d", version, firstVersion, Version)
	}
	records, err := openKV()
	if err != nil {
		return nil, err
	}
	s := &State{offers: version}
	s.adopt(records, 0, 0)
	return s, nil
}

// Offers is the version of Apply that the state can be raised to: what a server says of
// itself in its heartbeats.
func (s *State) Offers() uint32 { return s.offers }

// NeedsVersion is the version that a state must have been raised to for a command to
// have its effect.
func NeedsVersion(c *orrerypb.Command) uint32 {
	if _, ok := c.GetBody().(*orrerypb.Command_ClearHistory); ok {
		return versionClearHistory
	}
	return firstVersion
}

// CheckRaised refuses a command that needs a later version than the state was raised to.
// The code is Conflict and not Unavailable: trying again helps only when the last server
// runs the newer release, and that may be next week.
func CheckRaised(c *orrerypb.Command, raised uint32) error {
	if needs := NeedsVersion(c); needs > raised {
		return orrery.Errorf(orrery.Conflict,
			"the command needs version %d of apply and the cluster is at %d; it is raised once all servers run a release that offers it", needs, raised)
	}
	return nil
}

// raisedTo reports whether the state was raised to a version.
func (c *change) raisedTo(version uint32) bool {
	return version <= c.meta.Version || version <= c.s.offers && c.s.knobs["apply-new-early"]
}

const unknownCommand = "store: command without a body, or of a kind this version should know and does not"

// checkRaised refuses a command that the state was not raised for. One beyond what this
// server offers would have come without a body from the codec of its release.
func (c *change) checkRaised(command *orrerypb.Command) *orrerypb.Answer {
	needs := NeedsVersion(command)
	if c.raisedTo(needs) {
		return nil
	}
	if needs > c.s.offers {
		panic(unknownCommand)
	}
	err := CheckRaised(command, c.meta.Version)
	return &orrerypb.Answer{Code: string(orrery.CodeOf(err)), Text: err.Error()}
}
