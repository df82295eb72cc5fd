package httpapi

import (
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"orrery"
	"orrery/cmd/internal/api"
	wire "orrery/proto"
	"orrery/proto/orrerypb"
)

func (a *API) index(c *call) error {
	self := a.backend.Self()
	return c.json(http.StatusOK, api.Agent{
		Agent: map[string]string{"name": self.Name, "version": self.Version}, Serf: self.Serf, Tags: self.Tags,
	})
}

func (a *API) showHealth(c *call) error {
	h, status := a.health()
	return c.json(status, h)
}

// live says that the process answers, whatever else is.
func (a *API) live(c *call) error {
	h, _ := a.health()
	h.Status = "healthy"
	return c.json(http.StatusOK, h)
}

func (a *API) members(c *call) error {
	members := emptyNotNull(a.backend.Members())
	return c.list(len(members), members)
}

func (a *API) leader(c *call) error {
	name := a.backend.Leader()
	for _, m := range a.backend.Members() {
		if m.Name == name {
			return c.json(http.StatusOK, m)
		}
	}
	return orrery.Errorf(orrery.NotFound, "no leader is known")
}

func (a *API) isLeader(c *call) error {
	if a.leads() {
		return c.json(http.StatusOK, "I am a leader")
	}
	return c.json(http.StatusNotFound, "I am a follower")
}

// leave answers with the servers that stay.
func (a *API) leave(c *call) error {
	if err := a.backend.Leave(c.r.Context()); err != nil {
		return err
	}
	stay := []string{}
	for _, m := range a.backend.Members() {
		if m.Server && m.Status == api.MemberAlive && m.Name != a.backend.Self().Name {
			stay = append(stay, m.Name)
		}
	}
	return c.json(http.StatusOK, stay)
}

func (a *API) removeMember(c *call) error {
	name := c.r.PathValue("name")
	for _, m := range a.backend.Members() {
		switch {
		case m.Name != name:
		case m.Status == api.MemberAlive:
			return orrery.Errorf(orrery.Conflict, "member %q is alive: ask it to leave", name)
		default:
			if err := a.backend.Remove(c.r.Context(), name); err != nil {
				return err
			}
			return c.json(http.StatusOK, m)
		}
	}
	return orrery.Errorf(orrery.NotFound, "no member %q", name)
}

func (a *API) pause(c *call) error   { return a.setPaused(c, true) }
func (a *API) unpause(c *call) error { return a.setPaused(c, false) }

func (a *API) setPaused(c *call, paused bool) error {
	pause := &orrerypb.Request_Pause{Pause: &orrerypb.PauseRequest{Paused: paused}}
	if _, err := c.write("", &orrerypb.Request{Body: pause}); err != nil {
		return err
	}
	return c.json(http.StatusOK, api.Paused{Paused: paused})
}

func (a *API) paused(c *call) error {
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	c.index(status.GetIndex())
	return c.json(http.StatusOK, api.Paused{Paused: status.GetPaused()})
}

// stats counts by day, also those on which nothing ended.
func (a *API) stats(c *call) error {
	days, err := c.number("days", 30, 365)
	if err != nil {
		return err
	}
	days = max(days, 1)
	stats := &orrerypb.Request_Stats{Stats: &orrerypb.StatsRequest{Days: uint32(days), Consistent: c.has("consistent")}}
	response, err := c.ask(&orrerypb.Request{Body: stats})
	if err != nil {
		return err
	}
	counts := map[time.Time]*orrerypb.DayCount{}
	for _, d := range response.GetDays() {
		counts[wire.Time(d.GetDayNs())] = d
	}
	answer := api.Stats{Stats: []api.DayCount{}}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for i := days - 1; i >= 0; i-- {
		day := today.AddDate(0, 0, -i)
		answer.Stats = append(answer.Stats, api.DayCount{Date: day, SuccessCount: counts[day].GetSucceeded(), FailedCount: counts[day].GetFailed()})
	}
	c.index(response.GetIndex())
	return c.json(http.StatusOK, answer)
}

func (a *API) getConfig(c *call) error {
	status, err := a.status(c.r.Context())
	if err != nil {
		return err
	}
	c.index(status.GetIndex())
	return c.json(http.StatusOK, api.FromConfig(wire.ToConfig(status.GetConfig())))
}

// putConfig replaces all settings; those left out have their defaults.
func (a *API) putConfig(c *call) error {
	var cfg api.ClusterConfig
	if err := c.read(&cfg); err != nil {
		return err
	}
	words, err := cfg.Words()
	if err != nil {
		return err
	}
	set := &orrerypb.Request_Config{Config: &orrerypb.SetClusterConfig{Config: wire.FromConfig(words)}}
	if _, err := c.write("", &orrerypb.Request{Body: set}); err != nil {
		return err
	}
	return c.json(http.StatusOK, api.FromConfig(words.WithDefaults()))
}

func (a *API) peers(c *call) error {
	if !a.backend.Self().Server {
		return a.toServer(c)
	}
	peers, err := a.backend.Peers()
	if err != nil {
		return err
	}
	return c.list(len(peers), emptyNotNull(peers))
}

func (a *API) removePeer(c *call) error {
	if done, err := a.toLeader(c); done {
		return err
	}
	id := c.r.PathValue("id")
	if err := a.backend.RemovePeer(c.r.Context(), id); err != nil {
		return err
	}
	return c.json(http.StatusOK, "removed "+id)
}

func (a *API) transferLeadership(c *call) error {
	if done, err := a.toLeader(c); done {
		return err
	}
	if err := a.backend.TransferLeadership(c.r.Context()); err != nil {
		return err
	}
	return c.json(http.StatusOK, "leadership is handed over")
}

// snapshot gives the state as it is now. If it fails half way the connection is cut.
func (a *API) snapshot(c *call) error {
	if !a.backend.Self().Server {
		return a.toServer(c)
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Disposition", `attachment; filename="orrery.snapshot"`)
	return a.backend.Backup(c.r.Context(), patiently{c})
}

// restoreSnapshot replaces the state of the cluster.
func (a *API) restoreSnapshot(c *call) error {
	if done, err := a.toLeader(c); done {
		return err
	}
	if err := a.backend.Restore(c.r.Context(), patiently{c}); err != nil {
		return err
	}
	return c.json(http.StatusOK, "restored")
}

// patiently reads and writes what may be long. It must not stand still.
type patiently struct{ c *call }

func (p patiently) Write(b []byte) (int, error) {
	p.c.stay(time.Minute)
	return p.c.w.Write(b)
}

func (p patiently) Read(b []byte) (int, error) {
	p.c.stay(time.Minute)
	return p.c.r.Body.Read(b)
}

func (a *API) metrics(c *call) error {
	if a.opts.Metrics == nil {
		return orrery.Errorf(orrery.NotFound, "this member has no metrics")
	}
	a.opts.Metrics.ServeHTTP(c.w, c.r)
	return nil
}

// profile is net/http/pprof; it may take its time.
func (a *API) profile(c *call) error {
	c.stay(5 * time.Minute)
	switch strings.TrimPrefix(c.r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		pprof.Cmdline(c.w, c.r)
	case "profile":
		pprof.Profile(c.w, c.r)
	case "symbol":
		pprof.Symbol(c.w, c.r)
	case "trace":
		pprof.Trace(c.w, c.r)
	default:
		pprof.Index(c.w, c.r)
	}
	return nil
}
