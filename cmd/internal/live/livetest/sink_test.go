//go:build linux

package livetest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// sink is where the calls of http jobs arrive.
type sink struct {
	*httptest.Server
	mu    sync.Mutex
	calls []arrival
}

// arrival is one call.
type arrival struct {
	at                      time.Time
	job, execution, attempt string
	due                     time.Time
}

func newSink(t *testing.T) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		due, err := time.Parse(time.RFC3339Nano, r.Header.Get("X-Orrery-Due"))
		if err != nil {
			t.Errorf("a call without a due time: %v", r.Header)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, arrival{
			time.Now(), r.Header.Get("X-Orrery-Job"), r.Header.Get("X-Orrery-Execution"), r.Header.Get("X-Orrery-Attempt"), due,
		})
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) all() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// after is the first call for a due time after a moment.
func (s *sink) after(moment time.Time) (arrival, bool) {
	for _, a := range s.all() {
		if a.due.After(moment) {
			return a, true
		}
	}
	return arrival{}, false
}

// lost and doubled are the breaches of "each due time once" among the calls for due times
// in a window, of jobs that are due every so often.
func (s *sink) breaches(jobs []string, every time.Duration, from, to time.Time) (found []string) {
	byJob := map[string][]arrival{}
	for _, a := range s.all() {
		if a.due.After(from) && a.due.Before(to) {
			byJob[a.job] = append(byJob[a.job], a)
		}
	}
	for _, job := range jobs {
		calls := byJob[job]
		slices.SortStableFunc(calls, func(a, b arrival) int { return cmp.Or(a.due.Compare(b.due), a.at.Compare(b.at)) })
		if len(calls) == 0 {
			found = append(found, fmt.Sprintf("%s was never called", job))
			continue
		}
		if first := calls[0]; first.due.Sub(from) > every {
			found = append(found, fmt.Sprintf("%s: nothing was called before %v", job, first.due))
		}
		if last := calls[len(calls)-1]; to.Sub(last.due) > every {
			found = append(found, fmt.Sprintf("%s: nothing was called after %v", job, last.due))
		}
		for i, b := range calls[1:] {
			switch a := calls[i]; {
			case a.due.Equal(b.due) && a.execution != b.execution:
				found = append(found, fmt.Sprintf("%s: due time %v was fired as %s and as %s", job, a.due, a.execution, b.execution))
			case a.due.Equal(b.due) && a.attempt == b.attempt:
				found = append(found, fmt.Sprintf("%s: attempt %s was called twice, at %v and %v", job, a.attempt, a.at, b.at))
			case b.due.Sub(a.due) > every:
				found = append(found, fmt.Sprintf("%s: due times between %v and %v were not called", job, a.due, b.due))
			}
		}
	}
	return found
}
