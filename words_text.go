package orrery

import (
	"fmt"
	"strings"
)

// vocabulary holds the texts of one enumeration in the order of its values: what
// the API, the command line, the log and the traces call them. The same word
// everywhere; the number of a value is nobody's business outside the program.
type vocabulary[W ~uint8] struct {
	kind  string       // as in a job's definition
	texts []string     // by value
	also  map[string]W // understood besides, never written
}

var (
	overlapWords   = vocabulary[Overlap]{kind: "overlap", texts: []string{"allow", "skip", "queue", "replace"}, also: map[string]Overlap{"forbid": OverlapSkip}}
	queueKeepWords = vocabulary[QueueKeep]{kind: "queue_keep", texts: []string{"first", "latest"}}
	misfireWords   = vocabulary[Misfire]{kind: "misfire", texts: []string{"once", "skip", "all"}}
	onLostWords    = vocabulary[OnLost]{kind: "on_lost", texts: []string{"retry", "fail", "wait"}}
	deliveryWords  = vocabulary[Delivery]{kind: "delivery", texts: []string{"default", "exclusive", "at_least_once"}}
	targetsWords   = vocabulary[Targets]{kind: "targets", texts: []string{"one", "all"}}
	joinWords      = vocabulary[Join]{kind: "join", texts: []string{"all", "any"}}
	needOnWords    = vocabulary[NeedOn]{kind: "needs.on", texts: []string{"success", "failure", "lost", "always"}}
	retryOnWords   = vocabulary[RetryOn]{kind: "retry.on", texts: []string{"any", "failure", "lost"}}
	retryNodeWords = vocabulary[RetryNode]{kind: "retry.node", texts: []string{"any", "same", "different"}}
	notifyOnWords  = vocabulary[NotifyOn]{kind: "notify.on", texts: []string{"default", "always", "failure", "never"}}
	notifyEndWords = vocabulary[NotifyEnds]{kind: "notify.after", texts: []string{"none", "failure", "all"}}
	causeWords     = vocabulary[CauseKind]{kind: "cause", texts: []string{"scheduled", "catch_up", "manual", "chain", "backfill"}}
	outcomeWords   = vocabulary[Outcome]{kind: "outcome", texts: []string{"none", "succeeded", "failed", "lost", "cancelled", "skipped"}}
	stateWords     = vocabulary[State]{kind: "state", texts: []string{"queued", "running", "backoff", "cancelling", "closed"}}
)

// text is for people: a value out of range is shown, not refused.
func (v *vocabulary[W]) text(w W) string {
	if v.check(w) != nil {
		return fmt.Sprintf("%s(%d)", v.kind, uint8(w))
	}
	return v.texts[w]
}

func (v *vocabulary[W]) marshal(w W) ([]byte, error) {
	if err := v.check(w); err != nil {
		return nil, err
	}
	return []byte(v.texts[w]), nil
}

// unmarshal leaves *w alone when it returns an error. The empty text is the zero
// value: a field that was not given.
func (v *vocabulary[W]) unmarshal(w *W, text []byte) error {
	if len(text) == 0 {
		*w = 0
		return nil
	}
	for i, t := range v.texts {
		if t == string(text) {
			*w = W(i)
			return nil
		}
	}
	if also, ok := v.also[string(text)]; ok {
		*w = also
		return nil
	}
	return Invalidf("%s %s: expected %s", v.kind, quoted(string(text)), v.list())
}

// check refuses a value that no text stands for.
func (v *vocabulary[W]) check(w W) error {
	if int(w) < len(v.texts) {
		return nil
	}
	return Invalidf("%s %d: expected %s", v.kind, uint8(w), v.list())
}

func (v *vocabulary[W]) list() string {
	last := len(v.texts) - 1
	return strings.Join(v.texts[:last], ", ") + " or " + v.texts[last]
}

func (w Overlap) String() string                { return overlapWords.text(w) }
func (w Overlap) MarshalText() ([]byte, error)  { return overlapWords.marshal(w) }
func (w *Overlap) UnmarshalText(b []byte) error { return overlapWords.unmarshal(w, b) }

func (w QueueKeep) String() string                { return queueKeepWords.text(w) }
func (w QueueKeep) MarshalText() ([]byte, error)  { return queueKeepWords.marshal(w) }
func (w *QueueKeep) UnmarshalText(b []byte) error { return queueKeepWords.unmarshal(w, b) }

func (w Misfire) String() string                { return misfireWords.text(w) }
func (w Misfire) MarshalText() ([]byte, error)  { return misfireWords.marshal(w) }
func (w *Misfire) UnmarshalText(b []byte) error { return misfireWords.unmarshal(w, b) }

func (w OnLost) String() string                { return onLostWords.text(w) }
func (w OnLost) MarshalText() ([]byte, error)  { return onLostWords.marshal(w) }
func (w *OnLost) UnmarshalText(b []byte) error { return onLostWords.unmarshal(w, b) }

func (w Delivery) String() string                { return deliveryWords.text(w) }
func (w Delivery) MarshalText() ([]byte, error)  { return deliveryWords.marshal(w) }
func (w *Delivery) UnmarshalText(b []byte) error { return deliveryWords.unmarshal(w, b) }

func (w Targets) String() string                { return targetsWords.text(w) }
func (w Targets) MarshalText() ([]byte, error)  { return targetsWords.marshal(w) }
func (w *Targets) UnmarshalText(b []byte) error { return targetsWords.unmarshal(w, b) }

func (w Join) String() string                { return joinWords.text(w) }
func (w Join) MarshalText() ([]byte, error)  { return joinWords.marshal(w) }
func (w *Join) UnmarshalText(b []byte) error { return joinWords.unmarshal(w, b) }

func (w NeedOn) String() string                { return needOnWords.text(w) }
func (w NeedOn) MarshalText() ([]byte, error)  { return needOnWords.marshal(w) }
func (w *NeedOn) UnmarshalText(b []byte) error { return needOnWords.unmarshal(w, b) }

func (w RetryOn) String() string                { return retryOnWords.text(w) }
func (w RetryOn) MarshalText() ([]byte, error)  { return retryOnWords.marshal(w) }
func (w *RetryOn) UnmarshalText(b []byte) error { return retryOnWords.unmarshal(w, b) }

func (w RetryNode) String() string                { return retryNodeWords.text(w) }
func (w RetryNode) MarshalText() ([]byte, error)  { return retryNodeWords.marshal(w) }
func (w *RetryNode) UnmarshalText(b []byte) error { return retryNodeWords.unmarshal(w, b) }

func (w NotifyOn) String() string                { return notifyOnWords.text(w) }
func (w NotifyOn) MarshalText() ([]byte, error)  { return notifyOnWords.marshal(w) }
func (w *NotifyOn) UnmarshalText(b []byte) error { return notifyOnWords.unmarshal(w, b) }

func (w NotifyEnds) String() string                { return notifyEndWords.text(w) }
func (w NotifyEnds) MarshalText() ([]byte, error)  { return notifyEndWords.marshal(w) }
func (w *NotifyEnds) UnmarshalText(b []byte) error { return notifyEndWords.unmarshal(w, b) }

func (w CauseKind) String() string                { return causeWords.text(w) }
func (w CauseKind) MarshalText() ([]byte, error)  { return causeWords.marshal(w) }
func (w *CauseKind) UnmarshalText(b []byte) error { return causeWords.unmarshal(w, b) }

func (w Outcome) String() string                { return outcomeWords.text(w) }
func (w Outcome) MarshalText() ([]byte, error)  { return outcomeWords.marshal(w) }
func (w *Outcome) UnmarshalText(b []byte) error { return outcomeWords.unmarshal(w, b) }

func (w State) String() string                { return stateWords.text(w) }
func (w State) MarshalText() ([]byte, error)  { return stateWords.marshal(w) }
func (w *State) UnmarshalText(b []byte) error { return stateWords.unmarshal(w, b) }
