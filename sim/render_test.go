package sim

import (
	"testing"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/netsim"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// TestRecordsAreReadable holds how `sim trace` shows what happened.
func TestRecordsAreReadable(t *testing.T) {
	at := 61*time.Second + 5*time.Millisecond
	cases := map[string]struct {
		record Record
		want   string
	}{
		"a message between members": {
			Record{Step: 7, Cause: 5, At: at, Kind: Delivered, Member: "m1", Actor: "executor", What: "RunAttempt",
				Data: &orrerypb.RunAttempt{Term: 2, Attempt: &orrerypb.AttemptRef{Execution: 9, N: 1}, ExecutorConfig: map[string]string{"b": "2", "a": "1"}}},
			"       7       <5 00:01:01.005 deliver m1   executor    RunAttempt term=2 attempt={execution=9 n=1} executor_config={a:1, b:2}",
		},
		"a list and bytes": {
			Record{Step: 8, At: at, Kind: Delivered, Member: "m1", Actor: "dispatcher", What: "Heartbeat",
				Data: &orrerypb.Heartbeat{Executors: []string{"shell", "http"}, Held: []*orrerypb.HeldAttempt{{Ended: true}}}},
			"       8        - 00:01:01.005 deliver m1   dispatcher  Heartbeat held=[{ended=true}] executors=[shell, http]",
		},
		"a message inside a member": {
			Record{Step: 9, At: at, Kind: Delivered, Member: "m2", Actor: "scheduler", What: "LeadershipGained",
				Data: actors.LeadershipGained{Term: 3, Wall: time.Unix(3, 0), Boot: time.Minute, Config: orrery.ClusterConfig{Zone: "UTC"}}},
			"       9        - 00:01:01.005 deliver m2   scheduler   LeadershipGained Term=3 Wall=00:00:03.000 Boot=1m0s Config={Zone=UTC}",
		},
		"records in a message": {
			Record{Step: 10, At: at, Kind: Delivered, Member: "m2", Actor: "scheduler", What: "DueRead",
				Data: actors.DueRead{Ref: 4, Jobs: make([]store.DueJob, 3)}},
			"      10        - 00:01:01.005 deliver m2   scheduler   DueRead Ref=4 Jobs=3×store.DueJob",
		},
		"an order to the log": {
			Record{Step: 11, At: at, Kind: Delivered, Member: "m2", Actor: "proposer", What: "Propose",
				Data: actors.Propose{ReplyTo: "chain", Command: &orrerypb.Command{RequestId: "r"}}},
			"      11        - 00:01:01.005 deliver m2   proposer    Propose ReplyTo=chain Command={request_id=r}",
		},
		"an entry": {
			Record{Step: 12, At: at, Kind: Delivered, Member: "m2", Actor: "store", What: "Committed",
				Data: store.Committed{Index: 4, Entry: []byte("1234")}},
			"      12        - 00:01:01.005 deliver m2   store       Committed Index=4 Entry=4 bytes",
		},
		"a probe": {
			Record{Step: 13, At: at, Kind: Emitted, Member: "m2", Actor: "executor", What: "Probe", Data: actors.Probe("rare")},
			"      13        - 00:01:01.005 emit    m2   executor    Probe rare",
		},
		"a sentence": {
			Record{Step: 14, At: at, Kind: Faulted, What: "crash m1"},
			"      14        - 00:01:01.005 fault                    crash m1",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := c.record.String(); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestBadFramesAreDropped holds that what the network damaged reaches nobody.
func TestBadFramesAreDropped(t *testing.T) {
	w := emptyWorld(t)
	l := bare(w, map[string]script{"roster": func(actors.Env, any) { t.Error("a damaged frame was delivered") }})
	whole := w.trace.step
	for _, bytes := range [][]byte{nil, {1, 2, 3}, []byte("Anot a frame")} {
		w.receive(netsim.Delivery{Frame: frameTo("m1", bytes)}, "frame", 0)
	}
	l.receive("m2", frameActor, []byte("not an envelope"))
	l.receive("m2", frameRaft, nil) // this member has no raft
	w.runUntil(1, nil)
	if dropped := w.trace.step - whole; dropped != 4 {
		t.Errorf("%d records, want one for each frame that was dropped", dropped)
	}
}

func frameTo(member string, bytes []byte) netsim.Frame {
	return netsim.Frame{From: "m2", To: member, Bytes: bytes}
}
