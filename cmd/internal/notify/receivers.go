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

	// firstRest is for how long, doubled with each further one up to longestRest: a
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

// leftAlone says that a receiver is not asked now.
type leftAlone struct {
	name     string
	wait     time.Duration // until it may be asked again
	failures int
	why      error
}

func (e *leftAlone) Error() string {
	return fmt.Sprintf("%s is left alone for another %s after %d failures, the last: %v", e.name, e.wait.Round(time.Millisecond), e.failures, e.why)
}

// admit says whether a receiver may be asked now: no is a [leftAlone]. Of many who want to
// know whether one is back, one is admitted. The ticket is for [receivers.answered].
func (r *receivers) admit(name string) (ticket int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	failing := r.failing[name]
	if failing == nil {
		return 0, nil
	}
	if failing.failures >= failuresUntilRest {
		if rest := failing.until.Sub(r.now()); rest > 0 {
			return 0, &leftAlone{name, rest, failing.failures, failing.why}
		}
		failing.until = r.now().Add(requestTimeout)
	}
	return failing.failures, nil
}

// answered notes how a request went that was admitted with the ticket; nil: well. It
// reports whether the receiver is one that works no more, or works again. What was under
// way when the receiver was left alone says no more about it by failing too.
func (r *receivers) answered(name string, ticket int, err error) (turned bool) {
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
	if failing.failures >= failuresUntilRest && ticket < failing.failures {
		return false
	}
	failing.failures++
	failing.why = err
	if over := failing.failures - failuresUntilRest; over >= 0 {
		failing.until = r.now().Add(min(firstRest<<min(over, 20), longestRest))
	}
	return failing.failures == failuresUntilRest
}
