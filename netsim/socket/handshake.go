package socket

// sayHello sends a SYN, again if out.tries is not 0.
func (c *Conn) sayHello(flags uint8) {
	c.emit(flags, c.out.first, 0)
	c.retryAt = c.stack.host.Now() + helloAfter<<c.out.tries
}

// receive takes one segment.
func (c *Conn) receive(g *segment) {
	switch c.state {
	case opening:
		c.receiveAnswer(g)
	case answering:
		if c.receiveLast(g) {
			c.receiveOpen(g)
		}
	case open:
		c.receiveOpen(g)
	}
}

// receiveAnswer takes what comes after our SYN.
func (c *Conn) receiveAnswer(g *segment) {
	if g.has(flagACK) && g.ack != c.out.max {
		c.stack.refuse(c.at.remote.Host, g) // of another connection with these ports
		return
	}
	switch {
	case g.has(flagRST):
		if g.has(flagACK) {
			c.fail(ErrRefused)
		}
	case !g.has(flagSYN):
	case g.has(flagACK):
		c.in.start(g)
		c.established(g)
		c.acknowledge()
	default: // both ends dialled each other
		c.in.start(g)
		c.state = answering
		c.out.tries = 0
		c.sayHello(flagSYN | flagACK)
	}
}

// receiveLast takes what comes after our answer to a SYN. It reports whether the connection is open, and the
// segment to be looked at for what else it brings.
func (c *Conn) receiveLast(g *segment) bool {
	switch {
	case g.has(flagRST):
		if c.in.wants(g.seq) {
			c.fail(ErrRefused)
		}
	case g.has(flagSYN) && !g.has(flagACK):
		if g.seq == c.in.first {
			c.emit(flagSYN|flagACK, c.out.first, 0)
		} else {
			c.acknowledge() // of a new life of the peer, which resets this one by it
		}
	case !g.has(flagACK):
	case g.ack != c.out.max:
		c.stack.refuse(c.at.remote.Host, g)
	case g.has(flagSYN) && g.seq != c.in.first:
	default:
		c.established(g)
		return !g.has(flagSYN)
	}
	return false
}

func (c *Conn) established(g *segment) {
	c.state = open
	c.retryAt = never
	if c.out.tries == 0 {
		c.out.sample(stamp(c.stack.host.Now()) - g.echo)
	}
	c.out.tries = 0
	c.out.una = g.ack
	c.out.right = g.ack + uint64(g.window)
}
