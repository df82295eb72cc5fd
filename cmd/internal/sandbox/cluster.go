package sandbox

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orrery/netsim"
	"orrery/netsim/socket"
	"orrery/sim"
)

// Ports of every member, and of the receivers of webhooks.
const (
	gossipPort = 8946
	rpcPort    = 6868
	apiPort    = 8080
	httpPort   = 80
)

// frameSegment is the tag of all frames: what a machine's sockets send.
const frameSegment = 'S'

// cluster is the machines of one run, and all others on their network.
type cluster struct {
	engine   *Engine
	site     *sim.Site
	machines map[string]*machine
	clients  map[string]*client
	hosts    []host
	named    map[string]int  // by name, in hosts
	secret   string          // of which members make their keys; "": they speak in the clear
	calls    map[call]string // what the connections between members are about
}

// host is somebody with an address.
type host struct{ name, ip string }

// Open implements [sim.Engine].
func (e *Engine) Open(site *sim.Site) (sim.Cluster, error) {
	c := &cluster{engine: e, site: site, machines: map[string]*machine{}, clients: map[string]*client{}, named: map[string]int{}, calls: map[call]string{}}
	for i, name := range site.Scenario().Members.Names() {
		c.join(name, fmt.Sprintf("10.0.0.%d", i+1))
	}
	c.secret = drawSecret(site.Stream("secret"))
	c.openReceiver()
	site.OverAPI()
	return c, nil
}

// drawSecret is a cluster's secret under one seed of four: to speak in cipher is what
// production does, and halves the speed here.
func drawSecret(chance *rand.Rand) string {
	if chance.Uint32()%4 > 0 {
		return ""
	}
	var key [32]byte
	for i := range key {
		key[i] = byte(chance.Uint32())
	}
	return base64.StdEncoding.EncodeToString(key[:])
}

// join gives a name and an address to somebody.
func (c *cluster) join(name, ip string) {
	c.named[name] = len(c.hosts)
	c.hosts = append(c.hosts, host{name, ip})
	c.site.Join(name)
}

// resolve is the address of a name.
func (c *cluster) resolve(name string) (ip string, ok bool) {
	i, ok := c.named[name]
	if !ok {
		return "", false
	}
	return c.hosts[i].ip, true
}

// endpoint is the name behind an address.
func (c *cluster) endpoint(ip string) (name string, ok bool) {
	i := slices.IndexFunc(c.hosts, func(h host) bool { return h.ip == ip })
	if i < 0 {
		return "", false
	}
	return c.hosts[i].name, true
}

// stack is an operating system's sockets for somebody on the network.
func (c *cluster) stack(name string) *socket.Stack {
	return socket.New(name, wire{c, name}, c.site.Stream("socket/"+name))
}

// wire is the network as the sockets of one machine have it.
type wire struct {
	*cluster
	name string
}

func (w wire) Now() time.Duration { return w.site.Now() }

func (w wire) After(d time.Duration, f func()) (stop func()) { return w.site.After(d, f) }

func (w wire) Send(to string, segment []byte) {
	w.site.Send(w.name, to, frameSegment, w.talk(w.name, to, segment), segment, netsim.Frame{Packet: true})
}

// call is a connection between members: who began it, and from which port.
type call struct {
	from string
	port uint16
	to   string
}

// talk is what a segment is called in the trace: by the service whose port it is for, and
// between members by what the one said who began the connection.
func (c *cluster) talk(from, to string, segment []byte) string {
	seen, _ := socket.Look(segment)
	switch min(seen.From, seen.To) { // the other one is drawn, from high ones
	case gossipPort:
		return "gossip segment"
	case apiPort, httpPort:
		return "http segment"
	case rpcPort:
	default:
		return "segment"
	}
	id := call{from, seen.From, to}
	switch {
	case seen.From == rpcPort:
		id = call{to, seen.To, from}
	case seen.Begins:
		delete(c.calls, id)
	case c.calls[id] == "" && len(seen.Data) > 0:
		c.calls[id] = asked(seen.Data)
	}
	return cmp.Or(c.calls[id], "rpc segment")
}

// asked is what a connection is for that begins with these data: without TLS as with it
// they have the name of the protocol.
func asked(data []byte) string {
	switch {
	case bytes.Contains(data, []byte("orrery-raft")):
		return "raft segment"
	case bytes.Contains(data, []byte("http/1.1")):
		return "http segment"
	}
	return "rpc segment" // the members' frames
}

// Machine implements [sim.Cluster].
func (c *cluster) Machine(at *sim.Place) (sim.Machine, error) {
	m := newMachine(c, at)
	c.machines[at.Name()] = m
	return m, nil
}

// Close implements [sim.Cluster]. The agents end without a word, as with a power loss: what
// is told after the end of a run is part of none.
func (c *cluster) Close() {
	for _, name := range c.site.Scenario().Members.Names() {
		if m := c.machines[name]; m != nil && m.agent != nil {
			m.agent.Kill(true)
		}
	}
}
