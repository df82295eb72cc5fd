package kernel

// maxUnread bounds what a guest may leave unread of one device, in bytes.
const maxUnread = 64 << 20

// maxMessage bounds a message of a guest to a device, in bytes; a longer one is EMSGSIZE.
const maxMessage = 16 << 20

// device is the guest's end of a channel of messages to the host. A write is a message. A read
// takes one, or, if there is less room, the next part of it.
type device struct {
	name   string
	host   Device
	i      interest
	unread [][]byte
	first  int  // of unread; what is before was read
	size   int  // of unread, in bytes
	ended  bool // by the host: there is nothing behind unread
	closed bool // by the guest
}

func (*device) kind() uint8           { return typeDatagrams }
func (*device) flags() uint16         { return flagNonBlock }
func (d *device) canRead() bool       { return d.first < len(d.unread) || d.ended }
func (*device) canWrite() bool        { return true }
func (d *device) interest() *interest { return &d.i }

func (d *device) close() {
	d.closed = true
	d.unread = nil
	d.first = 0
	d.host.Close()
}

func (d *device) read(_ *Process, b []byte) (int, errno) {
	switch {
	case !d.canRead():
		return 0, errAgain
	case d.first == len(d.unread):
		return 0, success
	}
	message := d.unread[d.first]
	n := copy(b, message)
	d.size -= n
	if n < len(message) {
		d.unread[d.first] = message[n:]
		return n, success
	}
	d.unread[d.first] = nil
	if d.first++; d.first == len(d.unread) {
		d.unread, d.first = d.unread[:0], 0
	}
	return n, success
}

func (d *device) write(_ *Process, b []byte) (int, errno) {
	if len(b) > maxMessage {
		return 0, errTooLong
	}
	d.host.Receive(append([]byte(nil), b...))
	return len(b), success
}

// deliver takes a message of the host.
func (d *device) deliver(p *Process, message []byte) {
	switch {
	case d.closed || d.ended:
		return
	case len(message) == 0:
		d.ended = true
		p.ready(d, &d.i)
		return
	}
	if d.size += len(message); d.size > maxUnread {
		p.fail("the guest left %d bytes of device %s unread", d.size, d.name)
		return
	}
	d.unread = append(d.unread, message)
	p.ready(d, &d.i)
}

func orreryDevice(p *Process, a []uint64) errno {
	if p.table.full() {
		return errTooMany
	}
	name := p.text(a[0], a[1])
	host, err := p.host.Device(name)
	if err != nil {
		return errNoDevice
	}
	d := &device{name: name, host: host}
	p.put32(a[2], p.table.add(d))
	host.Attach(func(message []byte) { d.deliver(p, message) })
	return success
}
