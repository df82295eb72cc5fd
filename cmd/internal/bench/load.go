//go:build linux

package bench

import (
	"context"
	"fmt"
	"time"
)

// warmup is how long a load is on before it is measured: not whole periods of a burst, so
// that none comes just as the measurement begins or ends.
const warmup = 7500 * time.Millisecond

// straggle is how long after the end of a measurement what was due in it may come. What
// has not come then is called missed.
const straggle = 20 * time.Second

func (b *Bench) lateness(ctx context.Context, r *Result) error {
	return b.load(ctx, r, ticking{jobs: 100, period: time.Second, spread: true})
}

func (b *Bench) executions(ctx context.Context, r *Result) error {
	rates := b.opts.Rates
	if rates == nil {
		rates = []int{100, 1_000, 2_000}
	}
	for _, rate := range rates {
		if err := b.load(ctx, r, ticking{jobs: rate, period: time.Second, spread: true}); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bench) burst(ctx context.Context, r *Result) error {
	return b.load(ctx, r, ticking{jobs: 1_000, period: 5 * time.Second})
}

// load runs one load on a cluster of its own.
func (b *Bench) load(ctx context.Context, r *Result, t ticking) error {
	return b.within(ctx, func(c *cluster) error {
		return c.under(ctx, &t, func() error {
			row, err := c.loaded(ctx, t)
			r.Rows = append(r.Rows, row)
			return err
		})
	})
}

// under does something once a load is on and warm.
func (c *cluster) under(ctx context.Context, t *ticking, do func() error) error {
	s, err := c.bench.listen(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	t.sink, t.anchor = s, firstDue(t.jobs)
	c.bench.opts.Say("write %d jobs that are due every %v", t.jobs, t.period)
	if _, _, err := c.put(ctx, 0, t.jobs, t.job); err != nil {
		return err
	}
	if err := sleep(ctx, time.Until(t.anchor.Add(warmup))); err != nil {
		return err
	}
	return do()
}

// firstDue is when jobs that are to be written now begin: all of them together, when they
// are all there, even if only five hundred a second can be written.
func firstDue(jobs int) time.Time {
	return time.Now().Add(time.Second + time.Duration(jobs)*time.Second/500).Truncate(time.Second)
}

func (t ticking) String() string {
	if t.spread {
		return fmt.Sprintf("%.0f due a second", float64(t.jobs)/t.period.Seconds())
	}
	return fmt.Sprintf("%d due every %v", t.jobs, t.period)
}

func (c *cluster) loaded(ctx context.Context, t ticking) (Row, error) {
	row := Row{At: t.String()}
	leader := c.leaderURL(ctx)
	before, from := c.spent(), time.Now()
	var rss []float64
	for end := from.Add(c.bench.opts.Duration); time.Now().Before(end); {
		m, err := c.metrics(ctx, leader)
		if err != nil {
			return row, err
		}
		rss = append(rss, m["process_resident_memory_bytes"])
		soFar := t.judge(from, time.Now().Add(-time.Second))
		c.bench.opts.Say("%v: %.0f s, p50 %v, p99 %v, %d not there after a second", row.At, time.Since(from).Seconds(),
			quantile(soFar.lateness, .5), quantile(soFar.lateness, .99), soFar.missed)
		if sleep(ctx, min(5*time.Second, time.Until(end))) != nil {
			break
		}
	}
	to, after := time.Now(), c.spent()
	reached := t.judge(from, to)
	v := t.settle(ctx, from, to, straggle)
	seconds := to.Sub(from).Seconds()
	row.Figures = []Figure{
		perSecond("executed", float64(len(reached.lateness))/seconds),
		millis("p50", quantile(v.lateness, .5)), millis("p99", quantile(v.lateness, .99)), millis("worst", quantile(v.lateness, 1)),
		count("due", v.due), count("missed", v.missed), count("doubled", t.sink.doubled()),
		mebibytes("leader at first", rss[0]), mebibytes("in the middle", rss[len(rss)/2]), mebibytes("at last", rss[len(rss)-1]),
	}
	row.Figures = append(row.Figures, after.since(before)...)
	return row, nil
}
