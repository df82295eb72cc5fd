package main

import (
	"testing"

	"orrery/sim/promise"
	"orrery/sim/scenario"
)

const signed = `members 3 servers
lasts 1m
job report every 10s
job beat every 1s times 20
job once every 1m
at 10s put late every 5s
clients 2 put
`

func TestSignatures(t *testing.T) {
	s, err := scenario.Parse("x", []byte(signed))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ text, job, kind string }{
		"an execution": {
			"execution 12 of report ran on m2 at 00:01:02.003, while 3 ran on m1, m4 and m3 from 00:00:59 to 00:01:03",
			"report", "execution N of JOB ran on M at T, while N ran on M and M from T to T",
		},
		"a family":      {"beat-17 was due at 00:00:17 and has no decision; it was paused at 00:00:09.5", "beat", "JOB was due at T and has no decision; it was paused at T"},
		"an attempt":    {"attempt 12.0.1 of beat-2 was assigned at 00:00:02, 1.5s after the one before", "beat", "attempt N of JOB was assigned at T, T after the one before"},
		"a job put":     {"job late (uid 7) was deleted and is back at 00:00:01", "late", "job JOB (uid N) was deleted and is back at T"},
		"a client's":    {"attempt 153.0.2 of c2-a was assigned", "clients", "attempt N of JOB was assigned"},
		"a state":       {"m2 has state 00ff00ff00ff00ff after index 17, replay has 0123456789abcdef", "", "M has state N after index N, replay has N"},
		"calm":          {"at 00:02:00, 1m0.25s after the last fault, m1, m2 lead", "", "at T, T after the last fault, M lead"},
		"a quotation":   {`attempt 3.0.1 of report was recorded with the output "17 bytes \" of it", and not`, "report", "attempt N of JOB was recorded with the output “”, and not"},
		"a date":        {"report was fired for 2026-01-05 00:00:10 +0000 UTC, which is not due", "report", "JOB was fired for T, which is not due"},
		"no job at all": {"m1 led in term 3 from 00:00:01, and so did m2 from 00:00:02", "", "M led in term N from T, and so did M from T"},
		"a job's name that is a word": {
			"attempts of report ran at once on m1",
			"report", "attempts of JOB ran at JOB on M",
		},
		"a panic": {"the dispatcher of m1 panicked at 00:00:01: store: row 17\ngoroutine 7 [running]", "", "the dispatcher of M panicked at T: store: row N"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := signatureOf(s, promise.Verdict{Promise: "calm", Evidence: []promise.Evidence{{Text: c.text}, {Text: "and 7 more"}}})
			if got != (signature{"calm", c.job, c.kind}) {
				t.Errorf("got  %q %q\nwant %q %q", got.job, got.kind, c.job, c.kind)
			}
		})
	}
}
