package notify

import (
	"fmt"
	"sync"
	"time"
)

const (
	// failuresUntilRest is after how many requests in a row that brought no answer, or a
	// bad one, a receiver is left alone for a while.
	failuresUntilRest = 3

	// firstRest is for how long, doubled with each further failure up to longestRest: a
	// receiver that is gone costs a request a minute, however much it is to be told.
	firstRest   = time.Second
	longestRest = time.Minute

	// receiversKept bounds how many receivers are remembered to be failing.
	receiversKept = 1000
)

// receivers remembers which receivers fail, so that they do not take the places of those
// that work. A receiver is a scheme, a host and a port.
type receivers struct {
	now func() time.Time

	mu      sync.Mutex
	failing map[string]*receiver
}

type receiver struct {
	failures int       // in a row
	until    time.Time // left alone
	why      error     // of the last failure
}

func newReceivers() *receivers {
	return &receivers{now: time.Now, failing: map[string]*receiver{}}
}

// admit says whether a receiver may be asked now. Of many who want to know whether one is
// back, one is admitted.
func (r *receivers) admit(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	failing := r.failing[name]
	if failing == nil || failing.failures < failuresUntilRest {
		return nil
	}
	if rest := failing.until.Sub(r.now()); rest > 0 {
		return fmt.Errorf("%s is left alone for another %s after %d failures, the last: %w", name, rest.Round(time.Millisecond), failing.failures, failing.why)
	}
	failing.until = r.now().Add(requestTimeout)
	return nil
}

// answered notes how a request went; nil: well. It reports whether the receiver is one
// that works no more, or works again.
func (r *receivers) answered(name string, err error) (turned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	failing := r.failing[name]
	if err == nil {
		delete(r.failing, name)
		return failing != nil && failing.failures >= failuresUntilRest
	}
	if failing == nil {
		if len(r.failing) >= receiversKept {
			clear(r.failing) // they are found to be failing again
		}
		failing = &receiver{}
		r.failing[name] = failing
	}
	failing.failures++
	failing.why = err
	if over := failing.failures - failuresUntilRest; over >= 0 {
		failing.until = r.now().Add(min(firstRest<<min(over, 20), longestRest))
	}
	return failing.failures == failuresUntilRest
}
