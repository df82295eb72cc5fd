package sandbox

import (
	"fmt"
	"net/http"
	"time"

	"orrery/cmd/internal/question"
	"orrery/cmd/internal/sandbox/outside"
	"orrery/netsim"
	"orrery/netsim/socket"
	"orrery/proto/orrerypb"
	"orrery/sim/promise"
)

// receiverName is who is told of executions. The jobs of a scenario's clients name it too.
const receiverName = "receivers.test"

// client is somebody outside the cluster with sockets of its own.
type client struct {
	sockets *socket.Stack
	http    *outside.Client
}

// Client implements [sim.Cluster].
func (c *cluster) Client(name string) {
	c.join(name, fmt.Sprintf("10.0.1.%d", len(c.clients)+1))
	sockets := c.stack(name)
	c.clients[name] = &client{sockets, outside.NewClient(sockets, c.site.After)}
}

// RequestID implements [sim.Cluster].
func (*cluster) RequestID(key string) string { return question.RequestID(key) }

// Ask implements [sim.Cluster].
func (c *cluster) Ask(name, member string, id uint64, r *orrerypb.Request) (giveUp func()) {
	return c.clients[name].http.Ask(socket.Address{Host: member, Port: apiPort}, r, func(response *orrerypb.Response) {
		c.site.Answered(name, id, response)
	})
}

// Receive implements [sim.Cluster].
func (c *cluster) Receive(name, from string, tag byte, body []byte) {
	if tag == frameSegment {
		c.clients[name].sockets.Receive(from, body)
	}
}

// openReceiver makes the receivers of webhooks. They take a while, sometimes fail, sometimes
// say that they failed although they did not, and sometimes never answer. They are healed
// with all else.
func (c *cluster) openReceiver() {
	sockets := c.stack(receiverName)
	c.clients[receiverName] = &client{sockets: sockets}
	c.join(receiverName, "10.0.2.1")
	chance := c.site.Stream("notify")
	now := func(what string) bool { return !c.site.Healed() && c.site.Chance(what) }
	_, err := outside.Receive(sockets, httpPort, func(n outside.Notification, answer func(status int)) {
		c.site.After(netsim.Between(chance, time.Millisecond, 50*time.Millisecond), func() {
			status := http.StatusOK
			if now("notify-fails") {
				status = http.StatusServiceUnavailable
			}
			c.site.Had(promise.Effect{
				Had: status == http.StatusOK || now("notify-fails-late"),
				ID:  n.ID, Execution: n.Execution, Start: n.Start, Own: n.Own,
			})
			if !now("notify-hangs") {
				answer(status)
			}
		})
	}, func(from socket.Address, err error) {
		c.site.Wrong(fmt.Sprintf("the receiver of webhooks was sent by %s what is no notification: %v", from.Host, err))
	})
	if err != nil {
		panic("sandbox: " + err.Error()) // nobody else listens there
	}
}
