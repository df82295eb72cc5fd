package gossip

import (
	"maps"
	"sync"

	"github.com/hashicorp/serf/serf"
)

// tagged are the tags of this member: those that follow from its configuration or were
// set by a part of the agent, and the user's.
type tagged struct {
	mu   sync.Mutex
	own  map[string]string
	user map[string]string

	applying sync.Mutex // one at a time
	applied  map[string]string
}

func newTagged(own, user map[string]string) *tagged {
	t := &tagged{own: own, user: maps.Clone(user)}
	t.applied = t.all()
	return t
}

// all are the tags as they travel.
func (t *tagged) all() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.with(t.user)
}

func (t *tagged) with(user map[string]string) map[string]string {
	all := make(map[string]string, len(t.own)+len(user))
	maps.Copy(all, user)
	maps.Copy(all, t.own)
	return all
}

// check says what is wrong with other tags of the user.
func (t *tagged) check(user map[string]string) error {
	if err := checkUser(user); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return checkSize(t.with(user))
}

func (t *tagged) setUser(user map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.user = maps.Clone(user)
}

// set sets one of our own. "" takes it away.
func (t *tagged) set(name, value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if value == "" {
		delete(t.own, name)
	} else {
		t.own[name] = value
	}
}

// apply tells the others of the tags as they are now, if they changed. It waits until
// somebody was told, and no longer than serf's BroadcastTimeout.
func (t *tagged) apply(s *serf.Serf) error {
	t.applying.Lock()
	defer t.applying.Unlock()
	all := t.all()
	if maps.Equal(all, t.applied) {
		return nil
	}
	if err := checkSize(all); err != nil {
		return err
	}
	t.applied = all
	return s.SetTags(all)
}

// CheckTags says what is wrong with tags of the user that are to be set.
func (g *Gossip) CheckTags(tags map[string]string) error { return g.tags.check(g.users(tags)) }

// SetTags changes the user's tags. It returns at once; what is wrong with the tags, see
// CheckTags, is logged and they stay as they were. Datacenter and region may be among
// them, as placement sees them, and stay as configured.
func (g *Gossip) SetTags(tags map[string]string) {
	user := g.users(tags)
	if err := g.tags.check(user); err != nil {
		g.cfg.Log.Error("the tags of this member stay as they were", "error", err)
		return
	}
	g.tags.setUser(user)
	wake(g.retag)
}

// SetInternal sets a tag of the agent's own, which no user sees; see [Info.Internal]. ""
// takes it away. It returns at once. Tags have little room: keep it short.
func (g *Gossip) SetInternal(key, value string) {
	g.tags.set(internal+key, value)
	wake(g.retag)
}

// users leaves out of tags what placement sees beside the user's.
func (g *Gossip) users(tags map[string]string) map[string]string {
	user := maps.Clone(tags)
	maps.DeleteFunc(user, func(name, value string) bool {
		return name == tagDatacenter && value == g.cfg.Datacenter || name == tagRegion && value == g.cfg.Region
	})
	return user
}

// keepTags tells the others of new tags.
func (g *Gossip) keepTags() {
	for {
		select {
		case <-g.retag:
			if err := g.tags.apply(g.serf); err != nil && g.ctx.Err() == nil {
				g.cfg.Log.Warn("gossip: new tags may not have reached the others yet", "error", err)
			}
		case <-g.ctx.Done():
			return
		}
	}
}
