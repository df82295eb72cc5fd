package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orrery/cmd/internal/sandbox/outside"
	"orrery/sim/raft"
	"orrery/store"
)

// manySlots is what a member carries that has no limit in the scenario: more than there
// ever is.
const manySlots = 10_000

// args is the command line of the agent.
func (a *agent) args() []string {
	m, s := a.machine.at, a.machine.cluster.site.Scenario()
	ip, _ := a.machine.cluster.resolve(m.Name())
	args := []string{
		"orrery", "agent", "--node-name", m.Name(), "--data-dir", "/data",
		"--bind-addr", fmt.Sprintf("%s:%d", ip, gossipPort), "--rpc-port", fmt.Sprint(rpcPort), "--http-addr", fmt.Sprintf("%s:%d", ip, apiPort),
		"--slots", fmt.Sprint(cmp.Or(m.Slots(), manySlots)), "--timezone", s.Zone, "--retry-interval", (3 * time.Second).String(),
		"--pre-webhook-endpoint", "http://" + receiverName + outside.MembersBefore, "--webhook-endpoint", "http://" + receiverName + outside.MembersAfter,
	}
	if secret := a.machine.cluster.secret; secret != "" {
		args = append(args, "--encrypt", secret, "--allow-anonymous")
	} else {
		args = append(args, "--insecure")
	}
	for _, key := range slices.Sorted(maps.Keys(m.Tags())) {
		args = append(args, "--tag", key+"="+m.Tags()[key])
	}
	for _, other := range s.Members.Names() {
		if other != m.Name() {
			ip, _ := a.machine.cluster.resolve(other)
			args = append(args, "--retry-join", fmt.Sprintf("%s:%d", ip, gossipPort))
		}
	}
	if m.Server() {
		args = append(args, "--server", "--bootstrap-expect", fmt.Sprint(s.Members.Servers))
	}
	return args
}

// env is the environment of the agent. It takes snapshots as often as the model, for a run
// is too short for as many entries as production waits for.
func (a *agent) env() []string {
	env := []string{"GOGC=400", fmt.Sprintf("ORRERY_SIMULATION_SNAPSHOTS=%d", raft.DefaultConfig().SnapshotEvery)}
	var knobs []string
	for _, k := range a.machine.cluster.site.Scenario().Knobs {
		if store.Knobs.Has(k.Name) {
			knobs = append(knobs, k.Name)
		}
	}
	if len(knobs) > 0 {
		env = append(env, "ORRERY_SIMULATION_KNOBS="+strings.Join(knobs, ","))
	}
	if a.release < store.Version && a.machine.cluster.engine.old == nil {
		env = append(env, fmt.Sprintf("ORRERY_SIMULATION_APPLY=%d", a.release))
	}
	return env
}
