package gossip

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"orrery/actors"
)

// A member that starts again asks those it knew before for the cluster, so that it finds
// it even where its configuration names nobody that is still there.
const (
	maxRemembered      = 64
	maxRememberedBytes = 16 << 10
)

// remembered reads the addresses of others from a life before. What is not one is left out.
func (g *Gossip) remembered() []string {
	if g.cfg.Remember == "" {
		return nil
	}
	f, err := os.Open(g.cfg.Remember)
	if err != nil {
		return nil // the first start, mostly; nothing depends on it
	}
	defer f.Close()
	var list []string
	for lines := bufio.NewScanner(io.LimitReader(f, maxRememberedBytes)); lines.Scan() && len(list) < maxRemembered; {
		if address, err := netip.ParseAddrPort(lines.Text()); err == nil {
			list = append(list, address.String())
		}
	}
	return list
}

// remember writes the addresses of the others. When all are gone the last ones stay.
func (g *Gossip) remember(members []Info) {
	var text bytes.Buffer
	n := 0
	for _, m := range members {
		if m.Name != g.cfg.Name && m.Status == actors.MemberAlive && n < maxRemembered {
			text.WriteString(m.Address + "\n")
			n++
		}
	}
	g.remembering.Lock() // or it would come after forget what was begun before
	defer g.remembering.Unlock()
	g.mu.Lock()
	left := g.left
	g.mu.Unlock()
	if g.cfg.Remember == "" || n == 0 || left || slices.Equal(strings.Fields(text.String()), g.remembered()) {
		return
	}
	next := g.cfg.Remember + ".next"
	err := os.WriteFile(next, text.Bytes(), 0o600)
	if err == nil {
		err = os.Rename(next, g.cfg.Remember)
	}
	if err != nil {
		g.cfg.Log.Debug("gossip: the addresses of others are not remembered", "error", err)
	}
}

// forget ends what is remembered: a member that left is not to come back by itself.
func (g *Gossip) forget() {
	if g.cfg.Remember == "" {
		return
	}
	g.remembering.Lock()
	defer g.remembering.Unlock()
	if err := os.Remove(g.cfg.Remember); err != nil && !os.IsNotExist(err) {
		g.cfg.Log.Debug("gossip: the addresses of others are not forgotten", "error", err)
	}
}
