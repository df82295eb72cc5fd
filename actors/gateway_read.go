package actors

import (
	"slices"

	"orrery"
	"orrery/store"
)

// quorumChecks shares quorum checks among consistent reads: those that arrive while a
// check is under way wait for the next, for it must begin after the read came.
type quorumChecks struct {
	begun    uint64 // the newest check
	underway bool
	waiting  []*checkedRead // in the order of arrival
}

// checkedRead waits for a check numbered n or higher.
type checkedRead struct {
	request *clientRequest
	n       uint64
}

// stop ends the checks of a leadership. Their answers come too late for anybody.
func (q *quorumChecks) stop() {
	q.underway = false
	q.waiting = nil
}

func (q *quorumChecks) forget(r *clientRequest) {
	q.waiting = slices.DeleteFunc(q.waiting, func(c *checkedRead) bool { return c.request == r })
}

// readState asks the own state.
func (g *Gateway) readState(r *clientRequest) {
	g.env.Send(Address{Actor: StoreName}, Read{ReplyTo: GatewayName, Ref: g.ask(r), Request: r.body})
}

func (g *Gateway) readDone(m ReadDone) {
	r := g.about(m.Ref)
	if r == nil {
		return
	}
	response := m.Response
	if response.GetLeader() == "" {
		response.Leader = g.heard.Leader
	}
	g.finish(r, response)
}

// consult has a consistent read wait for a proof that this server leads. A read that
// has waited for one a while asks for another.
func (g *Gateway) consult(r *clientRequest) {
	if g.env.Knob(KnobReadWithoutQuorum) {
		g.readState(r)
		return
	}
	q := &g.checks
	if i := slices.IndexFunc(q.waiting, func(c *checkedRead) bool { return c.request == r }); i >= 0 {
		g.env.Emit(ProbeReadCheckOverdue)
		q.underway = false
	} else {
		q.waiting = append(q.waiting, &checkedRead{r, q.begun + 1})
	}
	g.tryAgain(r, againAfter)
	g.beginCheck()
}

func (g *Gateway) beginCheck() {
	q := &g.checks
	if q.underway || len(q.waiting) == 0 {
		return
	}
	q.begun++
	q.underway = true
	g.log.Verify(store.VerifySeq(store.VerifierGateway, q.begun), g.term)
}

// verified takes the outcome of a check, for all reads that came before it began.
func (g *Gateway) verified(m store.Verified) {
	q := &g.checks
	var answered, waiting []*checkedRead
	for _, c := range q.waiting {
		if store.VerifySeq(store.VerifierGateway, c.n) <= m.Seq {
			answered = append(answered, c)
		} else {
			waiting = append(waiting, c)
		}
	}
	q.waiting = waiting
	if m.Seq == store.VerifySeq(store.VerifierGateway, q.begun) {
		q.underway = false
	}
	for _, c := range answered {
		if m.OK {
			g.readState(c.request)
		} else {
			g.env.Emit(ProbeReadUnverified)
			c.request.refusal = refusal(orrery.Unavailable, "%s could not make sure that it leads", g.env.Self())
			g.tryAgain(c.request, refusedAfter)
		}
	}
	g.beginCheck()
}
