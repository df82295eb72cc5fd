//go:build linux

package bench

import (
	"context"
	"fmt"
	"time"
)

// shell starts processes that do nothing, more and more a second.
func (b *Bench) shell(ctx context.Context, r *Result) error {
	rates := b.opts.Rates
	if rates == nil {
		rates = []int{100, 200, 400, 800}
	}
	for _, rate := range rates {
		err := b.within(ctx, func(c *cluster) error {
			row, err := c.shelled(ctx, rate)
			r.Rows = append(r.Rows, row)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) shelled(ctx context.Context, rate int) (Row, error) {
	row := Row{At: fmt.Sprintf("%d due a second", rate)}
	c.bench.opts.Say("write %d jobs that start true every second", rate)
	t := ticking{jobs: rate, period: time.Second, spread: true, anchor: firstDue(rate)}
	_, _, err := c.put(ctx, 0, rate, func(i int) job {
		return job{
			"schedule": "@every 1s", "starts_at": t.anchor.Add(t.offset(i)).UTC().Format(time.RFC3339Nano),
			"executor": "shell", "executor_config": map[string]string{"command": "true"},
		}
	})
	if err != nil {
		return row, err
	}
	if err := sleep(ctx, time.Until(t.anchor.Add(warmup))); err != nil {
		return row, err
	}
	before, err := c.ended(ctx)
	if err != nil {
		return row, err
	}
	spentBefore := c.spent()
	c.bench.opts.Say("%v for %v", row.At, c.bench.opts.Duration)
	if err := sleep(ctx, c.bench.opts.Duration); err != nil {
		return row, err
	}
	spentAfter := c.spent()
	seconds := spentAfter.at.Sub(spentBefore.at).Seconds()
	after, err := c.ended(ctx)
	if err != nil {
		return row, err
	}
	row.Figures = []Figure{
		perSecond("succeeded", (after.succeeded-before.succeeded)/seconds), count("others", int(after.others-before.others)),
		{"mean lateness", (after.late - before.late) * 1000 / max(1, after.started-before.started), "ms"},
	}
	row.Figures = append(row.Figures, spentAfter.since(spentBefore)...)
	return row, nil
}

// ended counts how attempts have ended on all members, and how late they were.
type ended struct{ succeeded, others, started, late float64 }

func (c *cluster) ended(ctx context.Context) (e ended, err error) {
	for _, m := range c.live.Members() {
		metrics, err := c.metrics(ctx, m.URL())
		if err != nil {
			return e, err
		}
		for name, n := range metrics {
			switch {
			case name == "orrery_attempts_total/succeeded/":
				e.succeeded += n
			case name == "orrery_attempts_total":
				e.others += n
			}
		}
		e.started += metrics["orrery_lateness_seconds_count"]
		e.late += metrics["orrery_lateness_seconds_sum"]
	}
	e.others -= e.succeeded
	return e, nil
}
