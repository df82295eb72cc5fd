//go:build linux

package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orrery/cmd/internal/live"
)

// failoverRate is how many executions are due a second while leaders go.
const failoverRate = 200

// between is how long the load is on between the return of one leader and the end of the
// next.
const between = 3 * time.Second

func (b *Bench) failover(ctx context.Context, r *Result) error {
	return b.leadersEnd(ctx, r, "kill -9", func(_ context.Context, leader *live.Member) error {
		leader.Kill()
		return nil
	})
}

func (b *Bench) graceful(ctx context.Context, r *Result) error {
	return b.leadersEnd(ctx, r, "SIGTERM", func(ctx context.Context, leader *live.Member) error { return leader.Stop(ctx) })
}

// leadersEnd ends one leader after the other, and starts each again.
func (b *Bench) leadersEnd(ctx context.Context, r *Result, how string, end func(context.Context, *live.Member) error) error {
	return b.within(ctx, func(c *cluster) error {
		t := ticking{jobs: failoverRate, period: time.Second, spread: true}
		return c.under(ctx, &t, func() error {
			if _, _, err := c.put(ctx, t.jobs, t.jobs+b.opts.Idle, idle); err != nil {
				return err
			}
			from := time.Now()
			var gaps, waits []time.Duration
			var failed error
			for n := range b.opts.Kills {
				gap, wait, err := c.leaderEnds(ctx, t, end)
				if err != nil {
					failed = err
					break
				}
				b.opts.Say("%s %d: gap %v, latest %v", how, n+1, gap, wait)
				gaps, waits = append(gaps, gap), append(waits, wait)
			}
			to := time.Now().Add(-time.Second)
			v := t.settle(ctx, from, to, lostAfter+straggle)
			slices.Sort(gaps)
			slices.Sort(waits)
			r.add(fmt.Sprintf("%s of %d leaders, %d due a second, %d idle jobs", how, len(gaps), failoverRate, b.opts.Idle),
				millis("gap p50", quantile(gaps, .5)), millis("gap worst", quantile(gaps, 1)),
				millis("latest p50", quantile(waits, .5)), millis("latest worst", quantile(waits, 1)),
				count("due", v.due), count("lost", v.missed), count("doubled", t.sink.doubled()), Figure{"for", to.Sub(from).Seconds(), "s"})
			r.note("gap: from the signal to the first call that was due after it; latest: the longest that a call due in the %v after the signal was late", aftermath)
			return failed
		})
	})
}

// lostAfter is how long the agent waits, unless told, for an attempt of which nothing is
// heard.
const lostAfter = 30 * time.Second

// aftermath is how long after the end of a leader lateness is put down to it.
const aftermath = 5 * time.Second

func (c *cluster) leaderEnds(ctx context.Context, t ticking, end func(context.Context, *live.Member) error) (gap, wait time.Duration, err error) {
	leader, err := c.live.Ready(ctx)
	if err != nil {
		return 0, 0, err
	}
	signal := time.Now()
	if err := end(ctx, leader); err != nil {
		return 0, 0, err
	}
	if err := sleep(ctx, time.Until(signal.Add(aftermath))); err != nil {
		return 0, 0, err
	}
	v := t.settle(ctx, signal, signal.Add(aftermath-time.Second), patience)
	if v.missed == v.due {
		return 0, 0, fmt.Errorf("nothing was executed in %v after the end of the leader", time.Since(signal))
	}
	first := time.Time{}
	t.dues(signal, signal.Add(aftermath-time.Second), func(job string, due time.Time) {
		if a, ok := t.sink.came(job, due); ok && (first.IsZero() || a.at.Before(first)) {
			first = a.at
		}
	})
	if _, err := c.up(ctx); err != nil {
		return 0, 0, err
	}
	return first.Sub(signal), quantile(v.lateness, 1), sleep(ctx, between)
}
