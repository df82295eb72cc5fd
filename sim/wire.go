package sim

import (
	"orrery/netsim"
)

// What a frame carries stands in its first byte.
const (
	frameActor  = 'A' // an envelope between actors, or between a client and a gateway
	frameRaft   = 'R'
	frameGossip = 'G'
)

// transmit sends payload from one endpoint to another over the simulated network.
func (w *World) transmit(from, to string, tag byte, payload []byte, f netsim.Frame) {
	sealed := make([]byte, 0, len(payload)+5)
	sealed = append(sealed, tag)
	sealed = netsim.Seal(append(sealed, payload...))
	w.frames++
	w.messages++
	f.ID, f.From, f.To, f.Bytes = w.frames, from, to, sealed
	deliveries, verdict := w.net.Send(w.arrivals[:0], w.now, w.netChance, f)
	what := frameWords[tag]
	step := w.trace.add(Record{Cause: w.current, At: w.now, Kind: Sent, Member: from, Actor: to, What: what, Data: verdict}, sealed)
	w.file(deliveries, step)
}

var frameWords = map[byte]string{frameActor: "actor frame", frameRaft: "raft frame", frameGossip: "gossip packet"}

// file puts deliveries into the queue, in the order in which the network named them.
func (w *World) file(deliveries []netsim.Delivery, cause uint64) {
	for _, d := range deliveries {
		w.queue.add(d.At, nil, func() { w.arrive(d, cause) })
	}
	w.arrivals = deliveries[:0]
}

// arrive asks the network what becomes of a delivery now that its time has come.
func (w *World) arrive(d netsim.Delivery, cause uint64) {
	again, verdict := w.net.Arrives(nil, w.now, d)
	switch verdict {
	case netsim.Delivered:
		w.receive(d.Frame, cause)
	case netsim.Held:
		w.file(again, cause)
	default:
		w.trace.add(Record{Cause: cause, At: w.now, Kind: Dropped, Member: d.Frame.To, Actor: d.Frame.From, What: verdict.String()}, nil)
	}
}

// receive hands a frame to the endpoint that it came to.
func (w *World) receive(f netsim.Frame, cause uint64) {
	body, err := netsim.Unseal(f.Bytes)
	if err != nil || len(body) == 0 {
		w.trace.add(Record{Cause: cause, At: w.now, Kind: Dropped, Member: f.To, Actor: f.From, What: "corrupt"}, nil)
		return
	}
	w.current = w.trace.add(Record{Cause: cause, At: w.now, Kind: Arrived, Member: f.To, Actor: f.From, What: frameWords[body[0]]}, nil)
	if m, ok := w.named[f.To]; ok {
		m.receive(f.From, body[0], body[1:])
		return
	}
	for _, c := range w.clients {
		if c.name == f.To {
			c.receive(body[1:])
			return
		}
	}
}
