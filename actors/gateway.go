package actors

import (
	"cmp"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

const (
	// maxOpen bounds the requests that a Gateway works on: ten times what a log of
	// 4 000 writes a second has in flight at a tenth of a second each.
	maxOpen = 4096

	// maxSeen is how many sendings are remembered, so that a double is known: those of
	// the last seconds at the highest rate.
	maxSeen = 2 * maxOpen

	// requestDeadline is how long a client waits for an answer at most: longer than an
	// election, shorter than anybody's patience.
	requestDeadline = 5 * time.Second

	// againAfter is when a request is sent again that was not answered, refusedAfter
	// when one is that was turned away: a leader may have been found by then.
	againAfter   = time.Second
	refusedAfter = 250 * time.Millisecond

	// maxRequestBytes bounds a request, so that entries stay near the size of a batch.
	maxRequestBytes = 256 << 10

	// maxReplyBytes bounds an answer to another member: it must fit an envelope.
	maxReplyBytes = wire.MaxMessage - 4<<10
)

// ClientName is the actor that a client's address has in place of a Gateway.
const ClientName = "client"

// Ask is a client's request at its own member: from the API to the Gateway. The answer
// is Answered, exactly one. The request is not to be changed any more.
type Ask struct {
	ReplyTo string // actor
	Ref     uint64
	Request *orrerypb.Request
}

// Answered is the answer to Ask.
type Answered struct {
	Ref      uint64
	Response *orrerypb.Response
}

// gatewayAgain and gatewayOverdue are the Gateway's timers, about one request.
type (
	gatewayAgain   struct{ key, turn uint64 }
	gatewayOverdue struct{ key uint64 }
)

// Gateway speaks for clients: it takes their requests on every member and gives each
// exactly one answer. Reads are answered by the own state, an agent's by a server's;
// writes and consistent reads go to the leader's Gateway, which alone stamps times.
//
// A request follows this way; every answer that is not one, and every silence, leads
// back to routing, under the same request id, until the deadline:
//
//	         ┌──▶ parked (no leader) ──LeaderHeard, a while──▶ routing
//	         ├──▶ sent to a member ────ClientReply─────────▶ answered
//	routing ─┼──▶ reading the state ───ReadDone────────────▶ answered
//	         ├──▶ verifying the lead ──Verified──▶ reading
//	         └──▶ in line ──▶ reading the job ──▶ proposing ──Proposed─▶ answered
//
// At the deadline a write that was sent or proposed is unknown; one that never was is
// unavailable: it certainly did not happen.
type Gateway struct {
	env    Env
	server bool
	log    store.Log // servers only

	heard LeaderHeard // who leads, as the Roster knows

	term  uint64 // of the leadership held; 0: none
	clock leaderClock

	servers  []string // members to read from, by name; agents only
	nextRead int      // round them

	last uint64                    // number drawn last: of requests, questions, turns
	open map[uint64]*clientRequest // by key
	refs map[uint64]*clientRequest // questions that are open, by ref
	seen seenSendings

	turns  turns // leader only
	checks quorumChecks
}

// NewGateway returns the Gateway of a server, or of an agent: an agent has no state
// and no log.
func NewGateway(env Env, server bool, log store.Log) *Gateway {
	return &Gateway{
		env: env, server: server, log: log,
		open: make(map[uint64]*clientRequest), refs: make(map[uint64]*clientRequest), seen: newSeenSendings(maxSeen),
	}
}

// Receive takes one message.
func (g *Gateway) Receive(msg any) {
	switch m := msg.(type) {
	case Start:
	case Ask:
		g.admit(origin{to: Address{Actor: m.ReplyTo}, id: m.Ref}, m.Request, 0)
	case *orrerypb.ClientRequest:
		g.arrived(m)
	case *orrerypb.ClientReply:
		g.replied(m)
	case LeaderHeard:
		g.hear(m)
	case LeadershipGained:
		g.lead(m)
	case LeadershipLost:
		g.stepDown(m.Term)
	case MemberChanged:
		g.memberChanged(m.Member)
	case ReadDone:
		g.readDone(m)
	case JobRead:
		g.jobRead(m)
	case Proposed:
		g.proposed(m)
	case store.Verified:
		g.verified(m)
	case gatewayAgain:
		g.again(m)
	case gatewayOverdue:
		g.overdue(m.key)
	default:
		unexpected(GatewayName, msg)
	}
}

func (g *Gateway) draw() uint64 {
	g.last++
	return g.last
}

// arrived takes a request from another member's Gateway or from a client's address. A
// sending that came before is a double: its answer is under way or was given. One that
// names nobody to answer gets none.
func (g *Gateway) arrived(m *orrerypb.ClientRequest) {
	actor := cmp.Or(m.GetActor(), GatewayName)
	from := origin{Address{m.GetMember(), actor}, m.GetId(), m.GetIncarnation()}
	foreign := m.GetMember() != "" && m.GetMember() != g.env.Self()
	if !foreign || actor != GatewayName && actor != ClientName {
		return
	}
	if !g.seen.note(from) {
		g.env.Emit(ProbeSendingDoubled)
		return
	}
	g.admit(from, m.GetRequest(), time.Duration(max(0, m.GetAgeNs())))
}

// admit opens a request, or refuses it at once.
func (g *Gateway) admit(from origin, body *orrerypb.Request, age time.Duration) {
	r := &clientRequest{origin: from, body: body, kind: kindOf(body), since: g.env.Boot() - age}
	if refused := g.check(r); refused != nil {
		g.answer(r, &orrerypb.Response{Answer: refused})
		return
	}
	r.key = g.draw()
	if r.kind == requestWrite && body.GetRequestId() == "" {
		r.body = g.identified(body, r.key)
	}
	g.open[r.key] = r
	r.stopOverdue = g.env.After(max(0, requestDeadline-age), gatewayOverdue{r.key})
	g.route(r)
}

// check refuses what can never be, or not now.
func (g *Gateway) check(r *clientRequest) *orrerypb.Answer {
	switch {
	case r.kind == requestInvalid:
		return refusal(orrery.Invalid, "a request of a kind that this member does not know")
	case len(g.open) >= maxOpen:
		return refusal(orrery.Unavailable, "%d requests are open at this member; try again", len(g.open))
	}
	encoded, err := proto.Marshal(r.body)
	switch {
	case err != nil:
		return refusal(orrery.Invalid, "a text of the request is not UTF-8")
	case len(encoded) > maxRequestBytes:
		return refusal(orrery.Invalid, "a request of %d bytes: at most %d are accepted", len(encoded), maxRequestBytes)
	}
	return nil
}

// identified gives a write an id of its own, so that sending it again is safe.
func (g *Gateway) identified(body *orrerypb.Request, key uint64) *orrerypb.Request {
	return &orrerypb.Request{
		RequestId: fmt.Sprintf("%s/%d/%d", g.env.Self(), g.env.Incarnation(), key),
		IssuedNs:  body.GetIssuedNs(),
		Body:      body.GetBody(),
	}
}

// route sends a request on its way, or once more. What was asked about it before may
// still be answered.
func (g *Gateway) route(r *clientRequest) {
	if r.risked && g.env.Knob(KnobRetryAsNew) {
		r.body = g.identified(r.body, g.draw())
	}
	switch {
	case r.kind == requestRead && g.server:
		g.readState(r)
	case r.kind == requestRead:
		g.forward(r, g.reader())
	case g.term != 0 && r.kind == requestConsistent:
		g.consult(r)
	case g.term != 0:
		g.begin(r)
	case r.origin.passedOn():
		g.turnAway(r)
	default:
		g.forward(r, g.heard.Leader)
	}
}

// forward passes a request on. Without a member to pass it to, or while the own one is
// about to lead, it is parked.
func (g *Gateway) forward(r *clientRequest, member string) {
	g.tryAgain(r, againAfter)
	if member == "" || member == g.env.Self() {
		g.env.Emit(ProbeParked)
		return
	}
	if r.forwarded {
		g.env.Emit(ProbeForwardedAgain)
	}
	r.forwarded = true
	r.risked = r.kind == requestWrite
	g.env.Send(Address{Member: member, Actor: GatewayName}, &orrerypb.ClientRequest{
		Id: g.ask(r), Member: g.env.Self(), Incarnation: g.env.Incarnation(), Request: r.body,
		AgeNs: int64(g.env.Boot() - r.since),
	})
}

// ask draws a ref for a question about a request.
func (g *Gateway) ask(r *clientRequest) uint64 {
	ref := g.draw()
	g.refs[ref] = r
	r.refs = append(r.refs, ref)
	return ref
}

// about returns the request that an answer is about, and closes the question; nil: the
// answer is a double, or late.
func (g *Gateway) about(ref uint64) *clientRequest {
	r := g.refs[ref]
	delete(g.refs, ref)
	return r
}

// tryAgain routes the request once more after a while.
func (g *Gateway) tryAgain(r *clientRequest, d time.Duration) {
	if r.stopAgain != nil {
		r.stopAgain()
	}
	r.turn = g.draw()
	r.stopAgain = g.env.After(d, gatewayAgain{r.key, r.turn})
}

func (g *Gateway) again(m gatewayAgain) {
	if r := g.open[m.key]; r != nil && r.turn == m.turn && !r.proposed {
		g.route(r)
	}
}

// replied takes another member's answer. One that says that it was not done there, or
// that nobody knows, is no answer yet: the same request id finds out.
func (g *Gateway) replied(m *orrerypb.ClientReply) {
	if m.GetIncarnation() != g.env.Incarnation() {
		return
	}
	r := g.about(m.GetId())
	if r == nil {
		g.env.Emit(ProbeReplyLate)
		return
	}
	switch orrery.Code(m.GetResponse().GetAnswer().GetCode()) {
	case orrery.Unavailable, orrery.Unknown:
		r.refusal = m.GetResponse().GetAnswer()
		g.tryAgain(r, refusedAfter)
	default:
		g.finish(r, m.GetResponse())
	}
}

// overdue: the client has waited long enough.
func (g *Gateway) overdue(key uint64) {
	if r := g.open[key]; r != nil {
		g.giveUp(r)
	}
}

// turnAway answers another Gateway that this member does not lead.
func (g *Gateway) turnAway(r *clientRequest) {
	g.env.Emit(ProbeTurnedAway)
	if r.refusal == nil {
		r.refusal = refusal(orrery.Unavailable, "%s does not lead", g.env.Self())
	}
	g.giveUp(r)
}

// giveUp answers what can be said of a request that was not answered.
func (g *Gateway) giveUp(r *clientRequest) {
	code := orrery.Unavailable
	if (r.risked || r.proposed) && !g.env.Knob(KnobAnswerUnavailableForUnknown) {
		code = orrery.Unknown
	}
	why := "no leader answered in time"
	if r.refusal != nil {
		why = r.refusal.GetText()
	}
	if code == orrery.Unknown {
		g.env.Emit(ProbeWriteUnknown)
		why = "it may or may not have happened: " + why
	}
	g.finish(r, &orrerypb.Response{Answer: refusal(code, "%s", why)})
}

// finish answers a request and forgets it.
func (g *Gateway) finish(r *clientRequest, response *orrerypb.Response) {
	g.drop(r)
	g.answer(r, response)
	if next := g.turns.leave(r); next != nil {
		g.begin(next)
	}
}

// drop forgets a request.
func (g *Gateway) drop(r *clientRequest) {
	for _, ref := range r.refs {
		delete(g.refs, ref)
	}
	if r.stopAgain != nil {
		r.stopAgain()
	}
	r.stopOverdue()
	delete(g.open, r.key)
	g.checks.forget(r)
}

// answer tells the origin.
func (g *Gateway) answer(r *clientRequest, response *orrerypb.Response) {
	if r.origin.to.Member == "" {
		g.env.Send(r.origin.to, Answered{Ref: r.origin.id, Response: response})
		return
	}
	if proto.Size(response) > maxReplyBytes {
		response = &orrerypb.Response{Answer: refusal(orrery.Invalid, "the answer is longer than a message between members; ask for a page of it")}
	}
	g.env.Send(r.origin.to, &orrerypb.ClientReply{Id: r.origin.id, Incarnation: r.origin.incarnation, Response: response})
}

// refusal is an answer that did nothing.
func refusal(code orrery.Code, format string, args ...any) *orrerypb.Answer {
	return &orrerypb.Answer{Code: string(code), Text: fmt.Sprintf(format, args...)}
}
