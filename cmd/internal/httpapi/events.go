package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"orrery"
	"orrery/cmd/internal/api"
)

// BeginEvent is the data of the first event of a stream. Index is that of the log up to
// which the state was read when it began: what a list shows with that index or a higher
// one, with the events after it, is all. Events before are not told again; Missed says
// that the client asked for some, by Last-Event-ID, and is to read lists anew.
type BeginEvent struct {
	Member string `json:"member"`
	Index  uint64 `json:"index"`
	Missed bool   `json:"missed,omitempty"`
}

// LostEvent is the data of the last event of a stream whose reader fell behind by more
// than is kept for one.
type LostEvent struct {
	Reason string `json:"reason"`
}

// events streams what happens to the state: all of it, or that of a job, or of some kinds.
func (a *API) events(c *call) error {
	events, stop := a.backend.Events()
	if events == nil {
		return a.toServer(c)
	}
	defer stop()
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	last := c.r.Header.Get("Last-Event-ID")
	seen, err := strconv.ParseUint(last, 10, 64)
	if err != nil && last != "" {
		return orrery.Invalidf("Last-Event-ID %q: expected the id of an event that was sent", last)
	}
	job, kinds := c.text("job"), strings.FieldsFunc(c.text("kind"), func(r rune) bool { return r == ',' })
	s := c.events()
	_ = s.send("begin", "", BeginEvent{Member: a.backend.Self().Name, Index: status.GetIndex(), Missed: seen > 0 && seen != status.GetIndex()})
	defer s.beats()()
	for {
		select {
		case e, more := <-events:
			if !more {
				_ = s.send("lost", "", LostEvent{"the reader was too slow: connect again, and read lists anew"})
				return nil
			}
			if (job == "" || e.GetJob() == job) && (len(kinds) == 0 || slices.Contains(kinds, e.GetKind())) {
				if s.send("event", strconv.FormatUint(e.GetIndex(), 10), api.FromEvent(e)) != nil {
					return nil
				}
			}
		case <-c.r.Context().Done():
			return nil
		}
	}
}
