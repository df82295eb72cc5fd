package main

import (
	"context"
	"iter"
)

// ahead is how many runs a run may wait for that began before it and take longer: more
// keep the processors busy, fewer keep less in memory.
const ahead = 4

// perform does the jobs, at most so many at once and each on a goroutine of its own, and
// yields what became of them in the order of the jobs. It takes the next job when there is
// room for it, so that there may be jobs without end. When ctx ends it yields those that
// had begun, as far as they came.
func perform[J, O any](ctx context.Context, atOnce int, jobs iter.Seq[J], do func(context.Context, J) O) iter.Seq[O] {
	return func(yield func(O) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		p := pool[J, O]{do: do, begun: make(chan chan O, ahead*atOnce), slots: make(chan struct{}, atOnce)}
		go p.begin(ctx, jobs)
		for done := range p.begun {
			if !yield(<-done) {
				return
			}
		}
	}
}

// pool is the goroutines of one call of perform.
type pool[J, O any] struct {
	do    func(context.Context, J) O
	begun chan chan O   // where the outcome of each job will be, in the order of the jobs
	slots chan struct{} // one for each job that may be under way
}

// begin starts the jobs in order, each when a slot is free. It closes begun after the
// last, or when ctx ends.
func (p *pool[J, O]) begin(ctx context.Context, jobs iter.Seq[J]) {
	defer close(p.begun)
	for j := range jobs {
		done := make(chan O, 1)
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case p.begun <- done:
		case <-ctx.Done():
			return
		}
		go func() {
			done <- p.do(ctx, j)
			<-p.slots
		}()
	}
}
