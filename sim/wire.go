package sim

import (
	"slices"

	"orrery/netsim"
	"orrery/sim/promise"
)

// What a frame carries stands in its first byte.
const (
	frameActor  = 'A' // an envelope between actors, or between a client and a gateway
	frameRaft   = 'R'
	frameGossip = 'G'
)

// clogged names a frame that a clog lets go: the network does not know what it is.
const clogged = "clogged frame"

// transmit sends payload from one endpoint to another over the simulated network. what
// names it in the trace.
func (w *World) transmit(from, to string, tag byte, what string, payload []byte, f netsim.Frame) {
	sealed := make([]byte, 0, len(payload)+5)
	sealed = append(sealed, tag)
	sealed = netsim.SealFor(ourCluster, append(sealed, payload...))
	w.frames++
	w.messages++
	f.ID, f.From, f.To, f.Bytes = w.frames, from, to, sealed
	deliveries, verdict := w.net.Send(w.arrivals[:0], w.now, w.netChance, f)
	step := w.trace.add(Record{Cause: w.current, At: w.now, Kind: Sent, Member: from, Actor: to, What: what, Data: fate(verdict)}, sealed)
	w.file(deliveries, what, step)
}

// fate is what became of a frame when it was sent, if that is worth a word.
func fate(v netsim.Verdict) any {
	if v == netsim.Sent {
		return nil
	}
	return v
}

// file puts deliveries into the queue, in the order in which the network named them.
func (w *World) file(deliveries []netsim.Delivery, what string, cause uint64) {
	for _, d := range deliveries {
		w.queue.add(d.At, nil, func() { w.arrive(d, what, cause) })
	}
	w.arrivals = deliveries[:0]
}

// arrive asks the network what becomes of a delivery now that its time has come.
func (w *World) arrive(d netsim.Delivery, what string, cause uint64) {
	again, verdict := w.net.Arrives(nil, w.now, d)
	switch verdict {
	case netsim.Delivered:
		w.receive(d, what, cause)
	case netsim.Held:
		w.file(again, what, cause)
	default:
		if verdict == netsim.Stale {
			w.probe(probeOldSpoke)
		}
		w.drop(d.Frame, what, verdict.String(), cause)
	}
}

func (w *World) drop(f netsim.Frame, what, why string, cause uint64) {
	w.trace.add(Record{Cause: cause, At: w.now, Kind: Dropped, Member: f.To, Actor: f.From, What: what + " " + why}, nil)
}

// ourCluster is what frames of this cluster are sealed for; a stranger seals for another.
const ourCluster, anotherCluster = 1, 2

// receive hands a frame to the endpoint that it came to, if it is what a member of this
// cluster sent.
func (w *World) receive(d netsim.Delivery, what string, cause uint64) {
	f, forgery := d.Frame, ""
	if d.Corrupt {
		f.Bytes, forgery = w.forge(f.Bytes)
	}
	body, err := netsim.UnsealFor(ourCluster, f.Bytes)
	if err != nil && forgery != "" && w.knobs[knobAcceptForged[forgery]] {
		body, err = f.Bytes[:len(f.Bytes)-netsim.SealSize], nil
	}
	if forgery != "" {
		w.probe("frame-" + forgery)
		w.history.Forged = append(w.history.Forged, promise.Forgery{
			At: w.now, From: f.From, To: f.To, What: what, Kind: forgery, Accepted: err == nil,
		})
	}
	if err != nil || len(body) == 0 {
		w.drop(f, what, forgery, cause)
		return
	}
	w.current = w.trace.add(Record{Cause: cause, At: w.now, Kind: Arrived, Member: f.To, Actor: f.From, What: what}, nil)
	if m, ok := w.named[f.To]; ok {
		m.machine.Receive(f.From, body[0], body[1:])
		return
	}
	w.cluster.Receive(f.To, f.From, body[0], body[1:])
}

// forge makes of a frame in which a bit has flipped, every other time, one that a member
// of another cluster might have sent: whole, and sealed for that one.
func (w *World) forge(sealed []byte) (forged []byte, kind string) {
	if netsim.PPM(w.chance("forge"), netsim.Million/2) {
		return sealed, corrupt
	}
	body := slices.Clone(sealed[:len(sealed)-netsim.SealSize])
	return netsim.SealFor(anotherCluster, body), foreign
}

// The ways in which a frame can come other than a member of this cluster sent it.
const (
	corrupt = "corrupt" // a bit has flipped
	foreign = "foreign" // a member of another cluster sent it
)
