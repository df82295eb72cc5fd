package executor

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"

	"orrery"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/proto/orrerypb"
)

// command is a shell attempt with its options read: those of Dkron's shell executor.
type command struct {
	args     []string
	env      []string // beside what the supervisor has
	cwd      string   // "": the supervisor's
	su       string   // user, or user:group; "": the supervisor's
	payload  []byte   // standard input; nil: none
	timeout  time.Duration
	memLimit int64 // bytes of all its processes; 0: none
}

func readCommand(run *orrerypb.RunAttempt, s *supervisorpb.Settings) (c command, err error) {
	o := run.GetExecutorConfig()
	if s.GetDisableShell() {
		return c, orrery.Invalidf("executor shell is disabled on this member (disable-shell)")
	}
	if o["su"] != "" && s.GetDisableSu() {
		return c, orrery.Invalidf("su is disabled on this member (disable-su)")
	}
	c = command{cwd: o["cwd"], su: o["su"]}
	if c.args, err = arguments(o["command"], o["shell"]); err != nil {
		return c, err
	}
	if c.env, err = variables(o["env"]); err != nil {
		return c, err
	}
	c.env = append(environment(run), c.env...)
	if o["payload"] != "" {
		if c.payload, err = base64.StdEncoding.DecodeString(o["payload"]); err != nil {
			return c, orrery.Invalidf("payload: %v: expected base64", err)
		}
	}
	if o["timeout"] != "" {
		if c.timeout, err = time.ParseDuration(o["timeout"]); err != nil || c.timeout <= 0 {
			return c, orrery.Invalidf("timeout %q: expected a duration such as 90s or 1h30m", o["timeout"])
		}
	}
	c.memLimit, err = memory(o["mem_limit"])
	return c, err
}

func arguments(text, shell string) ([]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, orrery.Invalidf("command: missing")
	}
	if use, _ := strconv.ParseBool(shell); use {
		return []string{"/bin/sh", "-c", text}, nil
	}
	args, err := shellquote.Split(text)
	if err != nil {
		return nil, orrery.Invalidf("command: %v: expected words as a shell splits them", err)
	}
	if len(args) == 0 || args[0] == "" {
		return nil, orrery.Invalidf("command: missing")
	}
	return args, nil
}

// variables reads "K=V,K=V". A part without an equals sign belongs to the value before it,
// which had a comma.
func variables(text string) (all []string, err error) {
	for i, part := range strings.Split(text, ",") {
		name, _, ok := strings.Cut(part, "=")
		switch {
		case text == "":
		case ok && strings.TrimSpace(name) != "":
			all = append(all, strings.TrimLeft(part, " "))
		case i == 0 || ok:
			return nil, orrery.Invalidf("env: part %d has no name: expected K=V,K=V", i+1)
		default:
			all[len(all)-1] += "," + part
		}
	}
	return all, nil
}

// memoryUnits are Dkron's, longer names first.
var memoryUnits = []struct {
	name  string
	bytes float64
}{
	{"BYTES", 1}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", 1 << 40},
	{"B", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"", 1},
}

// memory reads a number of bytes with a unit.
func memory(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	upper := strings.ToUpper(strings.TrimSpace(text))
	for _, unit := range memoryUnits {
		number, ok := strings.CutSuffix(upper, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := n * unit.bytes; err == nil && bytes >= 1 && bytes < 1<<62 {
			return int64(bytes), nil
		}
		break
	}
	return 0, orrery.Invalidf("mem_limit %q: expected a number above 0 and B, KB, MB, GB or TB, such as 512MB", text)
}
