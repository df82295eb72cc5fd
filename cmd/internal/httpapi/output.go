package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/executor/spool"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

// patience is how long another member is waited for that has the output of an execution
// that is shown: the tail that the state has serves too.
const patience = 2 * time.Second

// outputOf is the end of what an execution wrote, from where it ran.
func (a *API) outputOf(c *call, x *api.Execution, n int) (text string, ok bool) {
	if x.NodeName == a.backend.Self().Name {
		tail, err := a.backend.Spool().Tail(attemptOf(x), spool.Any, n)
		return string(tail), err == nil
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), patience)
	defer cancel()
	path := fmt.Sprintf("/v1/jobs/%s/executions/%s/output?tail=%d&attempt=%d", url.PathEscape(x.JobName), url.PathEscape(x.ID), n, x.Attempt)
	text, err := a.fetch(ctx, c, x.NodeName, path, n)
	return text, err == nil
}

// output gives all that an attempt wrote, from the member on which it ran; with follow as
// server-sent events, until it ends. Where that member cannot be asked, or has the output
// no more, the tail that the state keeps is given, with a warning.
func (a *API) output(c *call) error {
	stream, err := c.stream()
	if err != nil {
		return err
	}
	record, slot, err := c.executionOfPath()
	if err != nil {
		return err
	}
	if c.has("follow") {
		if record, err = c.untilAssigned(record, slot); err != nil {
			return err
		}
	}
	if slot >= len(record.GetSlots()) {
		return c.plain(nil) // it was skipped, or waits: nothing was written
	}
	attempts := record.GetSlots()[slot].GetAttempts()
	n, err := c.number("attempt", len(attempts), len(attempts))
	if err != nil {
		return err
	}
	if n == 0 {
		return c.plain(nil)
	}
	attempt := attempts[n-1]
	if attempt.GetMember() != a.backend.Self().Name {
		err := a.forward(c, attempt.GetMember(), "the output is with "+attempt.GetMember())
		if orrery.CodeOf(err) == orrery.Unavailable && !c.has("follow") && c.w.code == 0 {
			c.warn(err.Error() + "; this is the tail that the cluster keeps")
			return c.plain(attempt.GetResult().GetOutput())
		}
		return err
	}
	id := orrery.AttemptID{Execution: orrery.ExecutionID(record.GetId()), Slot: slot, N: n}
	if c.has("follow") {
		return a.follow(c, id, stream)
	}
	return a.whole(c, id, stream, attempt)
}

func (c *call) stream() (spool.Stream, error) {
	for _, s := range []spool.Stream{spool.Any, spool.Stdout, spool.Stderr} {
		if c.text("stream") == s.String() {
			return s, nil
		}
	}
	if c.text("stream") == "" {
		return spool.Any, nil
	}
	return 0, orrery.Invalidf("stream %q: expected stdout, stderr or any", c.text("stream"))
}

func (c *call) plain(text []byte) error {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(text)
	return nil
}

// whole writes what was written so far, or the end of it.
func (a *API) whole(c *call, id orrery.AttemptID, stream spool.Stream, attempt *orrerypb.AttemptRecord) error {
	tail, err := c.number("tail", 0, maxOutput)
	if err != nil {
		return err
	}
	if tail > 0 {
		text, err := a.backend.Spool().Tail(id, stream, tail)
		if orrery.CodeOf(err) == orrery.NotFound {
			return c.fromRecord(attempt)
		}
		if err != nil {
			return err
		}
		return c.plain(text)
	}
	_, err = a.backend.Spool().Read(id, stream, 0, func(r spool.Record) error {
		if c.w.code == 0 {
			c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		c.stay(time.Minute)
		_, err := c.w.Write(r.Data)
		return err
	})
	switch {
	case orrery.CodeOf(err) == orrery.NotFound && c.w.code == 0:
		return c.fromRecord(attempt)
	case err == nil && c.w.code == 0:
		return c.plain(nil)
	}
	return err
}

// fromRecord gives what the state has: the whole of a short output, which is not spooled,
// or the tail of one that was removed.
func (c *call) fromRecord(attempt *orrerypb.AttemptRecord) error {
	if attempt.GetResult().GetTruncated() {
		c.warn("the whole output is no longer kept; this is its tail")
	}
	return c.plain(attempt.GetResult().GetOutput())
}

// untilAssigned waits for an execution that waits for its turn or for a member.
func (c *call) untilAssigned(record *orrerypb.ExecutionRecord, slot int) (*orrerypb.ExecutionRecord, error) {
	for {
		slots := record.GetSlots()
		if slot < len(slots) && len(slots[slot].GetAttempts()) > 0 || orrery.State(record.GetState()) == orrery.StateClosed {
			return record, nil
		}
		c.stay(time.Minute)
		select {
		case <-time.After(200 * time.Millisecond):
		case <-c.r.Context().Done():
			return nil, orrery.Errorf(orrery.Unknown, "the client has gone")
		}
		again, err := c.api.readExecution(c.r.Context(), record.GetId())
		if err != nil {
			return nil, err
		}
		record = again
	}
}

// OutputEvent is the data of an output event: what an attempt wrote at once.
type OutputEvent struct {
	Stream string    `json:"stream" enum:"stdout,stderr"`
	At     time.Time `json:"at"`
	Data   string    `json:"data"`
}

// EndEvent is the data of the end event of a followed output.
type EndEvent struct {
	Truncated bool           `json:"truncated" doc:"more was written than was kept"`
	Execution *api.Execution `json:"execution,omitempty" doc:"as it stood then; another attempt may follow"`
}

// follow sends an attempt's output as it comes. The id of an event is where a client goes
// on that was cut off and says it as Last-Event-ID.
func (a *API) follow(c *call, id orrery.AttemptID, stream spool.Stream) error {
	var offset int64
	if last := c.r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return orrery.Invalidf("Last-Event-ID %q: expected the id of an event that was sent", last)
		}
		offset = n
	}
	events := c.events()
	defer events.beats()()
	var rest [3][]byte // of a stream, a character that is not whole yet
	each := func(r spool.Record) error {
		text := append(rest[r.Stream], r.Data...)
		n := wholeRunes(text)
		rest[r.Stream] = append([]byte(nil), text[n:]...)
		return events.send("output", strconv.FormatInt(r.Next, 10), OutputEvent{Stream: r.Stream.String(), At: r.At, Data: string(text[:n])})
	}
	for ctx, begun := c.r.Context(), offset; ; {
		end, err := a.backend.Spool().Follow(ctx, id, stream, offset, each)
		if err != nil && orrery.CodeOf(err) != orrery.NotFound {
			return events.close(err)
		}
		offset = end.Next
		record, err := a.readExecution(ctx, uint64(id.Execution))
		if err != nil {
			return events.close(err)
		}
		if attempt := record.GetSlots()[id.Slot].GetAttempts()[id.N-1]; attempt.GetEndedNs() > 0 {
			if text := attempt.GetResult().GetOutput(); offset == 0 && begun == 0 && len(text) > 0 { // short: never spooled
				_ = events.send("output", "0", OutputEvent{Stream: spool.Stdout.String(), At: wire.Time(attempt.GetEndedNs()), Data: string(text)})
			}
			x := api.FromExecution(record)[id.Slot]
			_ = events.send("end", "", EndEvent{Truncated: end.Truncated, Execution: &x})
			return nil
		}
		select { // it has not begun yet, or the cluster does not yet know that it ended
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

// wholeRunes is how much of a text ends with a whole character.
func wholeRunes(text []byte) int {
	for n := max(0, len(text)-utf8.UTFMax+1); n < len(text); n++ {
		if utf8.RuneStart(text[n]) && !utf8.FullRune(text[n:]) {
			return n
		}
	}
	return len(text)
}

// eventStream writes server-sent events.
type eventStream struct {
	c       *call
	control *http.ResponseController

	mu     sync.Mutex
	failed error
}

// writeFor is how long a client may take to read an event.
const writeFor = 15 * time.Second

// events begins an answer of server-sent events.
func (c *call) events() *eventStream {
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	s := &eventStream{c: c, control: http.NewResponseController(c.w)}
	c.w.WriteHeader(http.StatusOK)
	s.write("retry: 1000\n\n")
	return s
}

// send writes an event. An error means that the client has gone.
func (s *eventStream) send(kind, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return s.write("event: " + kind + "\n" + id + "data: " + string(text) + "\n\n")
}

// beatEvery is how often a silent stream shows that it lives: within the patience of
// proxies.
const beatEvery = 15 * time.Second

// beats shows that the connection lives, until stop is called.
func (s *eventStream) beats() (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = s.write(":\n\n")
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wait.Wait() }
}

func (s *eventStream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeFor))
	_ = s.control.SetReadDeadline(time.Time{})
	if _, s.failed = s.c.w.Write([]byte(text)); s.failed == nil {
		s.failed = s.control.Flush()
	}
	return s.failed
}

// close tells of an error, if the client is still there to be told. The answer was begun,
// so that nothing else can.
func (s *eventStream) close(err error) error {
	if err != nil {
		s.c.failed = err.Error()
		_ = s.send("error", "", api.Problem{Type: "urn:orrery:" + string(orrery.CodeOf(err)), Code: orrery.CodeOf(err), Detail: err.Error(), Status: statusOf(orrery.CodeOf(err))})
	}
	return nil
}
