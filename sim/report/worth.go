package report

import (
	"strings"

	"orrery/sim"
)

// worth is how much a record tells, least first.
type worth uint8

const (
	ofGossip      worth = iota // members ask each other whether they are there
	ofRaft                     // servers keep each other's logs
	ofKeepAlive                // members keep their standing with the leader
	ofReplication              // servers apply what is committed
	ofFrames                   // the rest of the network
	ofChores                   // what actors say to each other within a member
	ofTelling                  // what happened to members, jobs and clients
	worths
)

var worthWords = [worths]string{
	"the gossip packets", "the raft frames", "the heartbeats", "the steps of replication",
	"the other frames", "the messages within members", "what is worth telling",
}

func (w worth) String() string { return worthWords[w] }

// family groups what goes over the network, so that a person can look at one concern.
type family uint8

const (
	noFrame family = iota
	raftFrames
	gossipPackets
	sessionFrames // heartbeats, and who leads
	workFrames    // attempts
	clientFrames
)

// talk is how messages are sorted, by their types.
type talk struct {
	family family
	worth  worth
}

var talks = map[string]talk{
	"Heartbeat":        {sessionFrames, ofKeepAlive},
	"HeartbeatGranted": {sessionFrames, ofKeepAlive},
	"LeaderKnown":      {sessionFrames, ofFrames},
	"NotLeader":        {sessionFrames, ofFrames},
	"ClientRequest":    {clientFrames, ofFrames},
	"ClientReply":      {clientFrames, ofFrames},
	"http":             {clientFrames, ofFrames}, // of a production agent, as "gossip" is too
	"gossip":           {gossipPackets, ofGossip},
	"raft":             {raftFrames, ofRaft},
	"Committed":        {workFrames, ofReplication},
	"Applied":          {workFrames, ofReplication},
	"Verified":         {workFrames, ofReplication},
	"DiskDone":         {workFrames, ofReplication},
	"StateHash":        {workFrames, ofReplication},
	"commit":           {workFrames, ofReplication},
	"beat":             {workFrames, ofKeepAlive},
	"rosterAsk":        {workFrames, ofKeepAlive},
	"dispatcherTick":   {workFrames, ofKeepAlive},
	"schedulerWake":    {workFrames, ofKeepAlive},
}

// talkOf looks at the first word: of a frame that was dropped, the reason follows.
func talkOf(r sim.Record) (talk, bool) {
	word, _, _ := strings.Cut(r.What, " ")
	t, ok := talks[word]
	return t, ok
}

func worthOf(r sim.Record) worth {
	t, known := talkOf(r)
	switch {
	case r.Kind == sim.Faulted, r.Kind == sim.Told:
		return ofTelling
	case known && (r.Kind != sim.Noted || r.Actor == "raft"):
		return t.worth
	case r.Kind == sim.Sent, r.Kind == sim.Arrived, r.Kind == sim.Dropped:
		return ofFrames
	case r.Kind == sim.Delivered:
		return ofChores
	}
	return ofTelling
}

func familyOf(r sim.Record) family {
	switch r.Kind {
	case sim.Sent, sim.Arrived, sim.Dropped:
		if t, known := talkOf(r); known {
			return t.family
		}
		return workFrames
	}
	return noFrame
}
