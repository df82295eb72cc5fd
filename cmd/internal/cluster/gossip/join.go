package gossip

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
)

const (
	firstRetry = 200 * time.Millisecond // after the first try: servers that are started together find each other quickly
	askEvery   = time.Second            // until the others hold this member for what it is
	askMost    = 7                      // members, for their word on that
)

// keepJoined finds the others, again whenever none is left, and those of RetryJoin that
// are missing, for ever: serf itself gives up on who was lost for long.
func (g *Gossip) keepJoined() {
	known := g.remembered()
	g.join(g.cfg.Join, slog.LevelWarn)
	started, joined, pause := time.Now(), false, firstRetry
	for !g.gone() {
		var wait time.Duration
		switch {
		case g.claim.made(), !g.alone() && g.claim.open():
			g.contest()
			wait = askEvery
		case !g.alone():
			joined, pause = true, firstRetry
			g.join(g.cfg.RetryJoin, slog.LevelDebug)
			wait = g.cfg.RetryInterval
		case g.cfg.RetryMax > 0 && !joined && time.Since(started) > time.Duration(g.cfg.RetryMax)*g.cfg.RetryInterval:
			g.cfg.Failed(fmt.Errorf("retry-join: none of %s answered in %d times %v: check that one of them runs, with the same encrypt key",
				strings.Join(g.cfg.RetryJoin, ", "), g.cfg.RetryMax, g.cfg.RetryInterval))
			return
		default:
			wait = min(pause, g.cfg.RetryInterval)
			level := slog.LevelDebug // quick tries may well fail
			if wait == g.cfg.RetryInterval {
				level = slog.LevelWarn
			}
			g.join(g.cfg.RetryJoin, level)
			g.join(known, slog.LevelDebug)
			pause = 2 * wait
		}
		select {
		case <-time.After(wait*3/4 + rand.N(wait/2+1)): // not all members in step
		case <-g.rejoin:
		case <-g.ctx.Done():
		}
	}
}

// gone reports whether the member wants no others any more.
func (g *Gossip) gone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left || g.ctx.Err() != nil
}

// join asks those of targets for the cluster that are not known to live.
func (g *Gossip) join(targets []string, level slog.Level) {
	for _, target := range targets {
		for _, address := range g.resolve(target, level) {
			if g.gone() || slices.Contains(g.others(), address) {
				continue
			}
			if err := g.ask(address); err != nil && !g.gone() {
				g.cfg.Log.Log(g.ctx, level, "no member answers", "address", target, "error", last(err))
			} else {
				g.refresh() // who was found need not be asked again
				wake(g.dirty)
			}
		}
	}
}

// ask asks one member for the cluster, and makes this one known to it.
func (g *Gossip) ask(address string) error {
	select {
	case g.joining <- struct{}{}:
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
	defer func() { <-g.joining }()
	if g.gone() {
		return errGone
	}
	_, err := g.serf.Join([]string{address}, true)
	return err
}

var errGone = errors.New("this member leaves")

// last is what went wrong, without what memberlist says around it.
func last(err error) error {
	var list *multierror.Error
	if errors.As(err, &list) && len(list.Errors) > 0 {
		return list.Errors[len(list.Errors)-1]
	}
	return err
}

// resolve finds every address of a target but the own one.
func (g *Gossip) resolve(target string, level slog.Level) []string {
	host, port, err := splitAddress(target, g.port)
	var ips []netip.Addr
	if err == nil {
		ips, err = lookup(g.ctx, host)
	}
	if err != nil {
		if !g.gone() {
			g.cfg.Log.Log(g.ctx, level, "an address to join is not known", "address", target, "error", err)
		}
		return nil
	}
	var list []string
	for _, ip := range ips {
		if a := netip.AddrPortFrom(ip, uint16(port)); a != g.wire.advertise {
			list = append(list, a.String())
		}
	}
	return list
}

// contest asks others whether this member's name is its own, which is news of this member
// for them as well. It gives up when the name has been somebody else's for long.
func (g *Gossip) contest() {
	asked := g.others()
	rand.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	asked = asked[:min(askMost, len(asked))]
	if len(asked) == 0 { // perhaps it is the only other member that claims the name
		for _, target := range slices.Concat(g.cfg.Join, g.cfg.RetryJoin) {
			asked = append(asked, g.resolve(target, slog.LevelDebug)...)
		}
	}
	elsewhere, here := 0, 0
	for _, address := range asked {
		e, h := g.claim.ask(func() { _ = g.ask(address) })
		if e {
			elsewhere++
		}
		if h {
			here++
		}
	}
	if g.gone() {
		return
	}
	if err := g.claim.settle(elsewhere, here, g.cfg.Incarnation, g.cfg.Claim); err != nil {
		g.cfg.Failed(err)
	}
}
