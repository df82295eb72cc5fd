//go:build linux

package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// sink takes the calls of http jobs, and notes of each when it was due and when it came.
type sink struct {
	url    string
	server *http.Server

	mu    sync.Mutex
	calls map[dueTime]arrival
	more  int // calls of due times that had one
}

// dueTime is what is to be executed once.
type dueTime struct {
	job string
	due int64 // Unix nanoseconds
}

// arrival is the first call of a due time.
type arrival struct {
	at      time.Time
	attempt string
}

// listen makes the sink of a measurement. Close it.
func (b *Bench) listen(ctx context.Context) (*sink, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", b.opts.Sink)
	if err != nil {
		return nil, fmt.Errorf("take the calls of jobs: %w", err)
	}
	s := &sink{url: "http://" + l.Addr().String() + "/", calls: map[dueTime]arrival{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(l) // until close; what it says then is that it was closed
	return s, nil
}

func (s *sink) close() { s.server.Close() }

// ServeHTTP takes a call.
func (s *sink) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := time.Now()
	due, err := time.Parse(time.RFC3339Nano, r.Header.Get("X-Orrery-Due"))
	if err != nil {
		return // none of ours
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := dueTime{r.Header.Get("X-Orrery-Job"), due.UnixNano()}
	if _, again := s.calls[key]; again {
		s.more++
		return
	}
	s.calls[key] = arrival{now, r.Header.Get("X-Orrery-Attempt")}
}

// came is the first call of a due time; false: there was none.
func (s *sink) came(job string, due time.Time) (arrival, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.calls[dueTime{job, due.UnixNano()}]
	return a, ok
}

func (s *sink) doubled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.more
}

// ticking are jobs that call a sink each period, from a time on that all of them share or
// that is spread over the period.
type ticking struct {
	jobs   int
	period time.Duration
	spread bool
	anchor time.Time
	sink   *sink
}

func (t ticking) offset(i int) time.Duration {
	if !t.spread {
		return 0
	}
	return time.Duration(i) * t.period / time.Duration(t.jobs)
}

// job is the i-th of them. It has an attempt to spare, so that one that its member lost
// can be made up for.
func (t ticking) job(i int) job {
	return job{
		"schedule": "@every " + t.period.String(), "starts_at": t.anchor.Add(t.offset(i)).UTC().Format(time.RFC3339Nano), "retries": 1,
		"executor": "http", "executor_config": map[string]string{"method": "GET", "url": t.sink.url},
	}
}

// dues calls f with each due time from..to, to itself excluded.
func (t ticking) dues(from, to time.Time, f func(job string, due time.Time)) {
	for i := range t.jobs {
		first := t.anchor.Add(t.offset(i))
		if late := from.Sub(first); late > 0 {
			first = first.Add((late + t.period - 1) / t.period * t.period)
		}
		for due := first; due.Before(to); due = due.Add(t.period) {
			f(jobName(i), due)
		}
	}
}

// verdict is what became of the due times of a span.
type verdict struct {
	due, missed int
	lateness    []time.Duration // of those that were not missed, sorted
}

func (t ticking) judge(from, to time.Time) (v verdict) {
	t.dues(from, to, func(job string, due time.Time) {
		v.due++
		if a, ok := t.sink.came(job, due); ok {
			v.lateness = append(v.lateness, a.at.Sub(due))
		} else {
			v.missed++
		}
	})
	slices.Sort(v.lateness)
	return v
}

// settle waits until nothing of the span is missing, or for as long as that may take.
func (t ticking) settle(ctx context.Context, from, to time.Time, patience time.Duration) verdict {
	for end := time.Now().Add(patience); ; {
		v := t.judge(from, to)
		if v.missed == 0 || time.Now().After(end) || sleep(ctx, 100*time.Millisecond) != nil {
			return v
		}
	}
}
